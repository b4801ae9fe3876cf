"""What mirroring does to the values of flow."""

import math

import cv2
import numpy as np
import pytest
import torch

from mer_bench.loading.augmentation import mirror_values


def mirrored(clip: torch.Tensor, channels: tuple[str, ...]) -> torch.Tensor:
    """Mirror pixels and values of one clip (C, T, H, W)."""
    clips = clip.flip(-1)[None]
    mirror_values(clips, channels, torch.tensor([True]))
    return clips[0]


def textured_picture(rng: np.random.Generator) -> np.ndarray:
    """A (64, 64) uint8 picture with texture of some pixels' width."""
    noise = cv2.GaussianBlur(rng.normal(size=(64, 64)).astype(np.float32), (0, 0), 2)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(2, H, W)."""
    return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.1, 0).transpose(2, 0, 1)


def test_mirrored_flow_is_the_flow_of_mirrored_pictures():
    first = textured_picture(np.random.default_rng(0))
    second = np.roll(first, 1, axis=1)
    flow, of_mirrored = farneback(first, second), farneback(first[:, ::-1].copy(), second[:, ::-1].copy())
    clip = torch.from_numpy(np.concatenate([flow, np.abs(flow[:1])]))[:, None]
    inside = np.s_[:, 8:-8, 8:-8]
    assert np.abs(mirrored(clip, ('u', 'v', 'strain'))[:2, 0].numpy()[inside] - of_mirrored[inside]).max() < 0.05
    assert flow[0][8:-8, 8:-8].mean() > 0.9 > -0.9 > of_mirrored[0][8:-8, 8:-8].mean()


def test_a_mirrored_angle_is_that_of_the_mirrored_motion():
    u, v = torch.randn(2, 1, 8, 8)
    clip = torch.stack([torch.hypot(u, v), torch.atan2(v, u), v, u])
    changed = mirrored(clip, ('magnitude', 'angle', 'v', 'u')).flip(-1)
    assert torch.allclose(changed[1], torch.atan2(v, -u), atol=1e-6)
    assert torch.equal(changed[3], -u)
    assert torch.equal(changed[[0, 2]], clip[[0, 2]])


def test_an_angle_stays_in_its_range():
    pi = math.pi
    angle = torch.tensor([0, pi / 2, -pi / 2, 3 * pi / 4, -3 * pi / 4]).reshape(1, 1, 1, 5)
    changed = mirrored(angle, ('angle',)).flip(-1).flatten()
    # right becomes left; down and up stay; the last two are left-down to right-down and left-up to right-up
    assert torch.allclose(changed, torch.tensor([pi, pi / 2, -pi / 2, pi / 4, -pi / 4]))


@pytest.mark.parametrize('others', [('u', 'v'), ('magnitude',)])
def test_where_nothing_moves_there_is_no_angle_to_mirror(others):
    clip = torch.zeros(1 + len(others), 1, 2, 2)
    assert mirrored(clip, (*others, 'angle')).abs().sum() == 0


def test_only_the_clips_that_are_told_change():
    clips = torch.ones(3, 1, 2, 1, 2, 2)
    mirror_values(clips, ('strain', 'u'), torch.tensor([False, True, False]))
    assert clips[:, 0, :, 0, 0, 0].tolist() == [[1, 1], [1, -1], [1, 1]]
