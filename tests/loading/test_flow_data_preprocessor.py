import math

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor, mirror_flow, shift_flow


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
    assert np.abs(mirror_flow(clip)[:2, 0].numpy()[inside] - of_mirrored[inside]).max() < 0.05
    assert flow[0][8:-8, 8:-8].mean() > 0.9 > -0.9 > of_mirrored[0][8:-8, 8:-8].mean()


def test_a_mirrored_angle_is_that_of_the_mirrored_motion():
    u, v = torch.randn(2, 1, 8, 8)
    clip = torch.stack([torch.hypot(u, v), torch.atan2(v, u), v, u])
    mirrored = mirror_flow(clip, ('magnitude', 'angle', 'v', 'u')).flip(-1)
    assert torch.allclose(mirrored[1], torch.atan2(v, -u), atol=1e-6)
    assert torch.equal(mirrored[3], -u)
    assert torch.equal(mirrored[[0, 2]], clip[[0, 2]])


def test_an_angle_stays_in_its_range():
    pi = math.pi
    angle = torch.tensor([0, pi / 2, -pi / 2, 3 * pi / 4, -3 * pi / 4]).reshape(1, 1, 1, 5)
    mirrored = mirror_flow(angle, ('angle',)).flip(-1).flatten()
    # right becomes left; down and up stay; the last two are left-down to right-down and left-up to right-up
    assert torch.allclose(mirrored, torch.tensor([pi, pi / 2, -pi / 2, pi / 4, -pi / 4]))


@pytest.mark.parametrize('others', [('u', 'v'), ('magnitude',)])
def test_where_nothing_moves_there_is_no_angle_to_mirror(others):
    clip = torch.zeros(1 + len(others), 1, 2, 2)
    assert mirror_flow(clip, (*others, 'angle')).abs().sum() == 0


def test_a_shift_moves_the_picture_and_repeats_its_border():
    clip = torch.arange(16.0).reshape(1, 1, 4, 4).expand(3, 1, 4, 4)
    moved = shift_flow(clip, dx=2, dy=-1)
    assert moved[0, 0].tolist() == [[4, 4, 4, 5], [8, 8, 8, 9], [12, 12, 12, 13], [12, 12, 12, 13]]


def test_normalisation_is_per_channel_and_testing_does_not_augment():
    preprocessor = FlowDataPreprocessor(mean=[1, 2, 3], std=[1, 2, 4], flip_prob=1.0, max_shift=0.5)
    clip = torch.arange(3.0).reshape(1, 3, 1, 1, 1).expand(1, 3, 2, 4, 4)
    batch = preprocessor({'inputs': [clip], 'data_samples': [ActionDataSample()]}, training=False)
    # (0 - 1) / 1, (1 - 2) / 2, (2 - 3) / 4
    assert batch['inputs'][0, 0, :, 0, 0, 0].tolist() == [-1.0, -0.5, -0.25]


def test_training_clips_are_mirrored_before_the_normalisation():
    preprocessor = FlowDataPreprocessor(mean=[1, 0, 0], std=[1, 1, 1], flip_prob=1.0)
    clip = torch.full((1, 3, 1, 4, 4), 2.0)
    batch = preprocessor({'inputs': [clip], 'data_samples': [ActionDataSample()]}, training=True)
    assert batch['inputs'][0, 0, :, 0, 0, 0].tolist() == [-3.0, 2.0, 2.0]  # u: -2 - 1


def test_the_preprocessor_mirrors_the_channels_that_it_is_told():
    preprocessor = FlowDataPreprocessor(channels=['strain', 'u'], flip_prob=1.0)
    assert preprocessor.augment(torch.ones(1, 1, 2, 1, 4, 4))[0, 0, :, 0, 0, 0].tolist() == [1.0, -1.0]


def test_augmentation_follows_the_seed():
    preprocessor = FlowDataPreprocessor(max_shift=0.2)
    clips = torch.randn(8, 1, 3, 2, 16, 16)
    torch.manual_seed(1)
    first = preprocessor.augment(clips)
    assert not torch.equal(first, preprocessor.augment(clips))
    torch.manual_seed(1)
    assert torch.equal(first, preprocessor.augment(clips))
