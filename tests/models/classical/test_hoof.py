"""HOOF against motions whose histogram is known."""

import numpy as np
import pytest

from mer_bench.models.classical.hoof import HOOF


def uniform_motion(u, v, frames=3):
    return np.stack([np.full((frames, 8, 8), part, np.float32) for part in (u, v)])


def test_dimension_is_frames_times_bins():
    assert HOOF(n_bins=30).describe(uniform_motion(1, 0, frames=16)).shape == (480,)


@pytest.mark.parametrize(('motion', 'expected'), [((0, -1), 0), ((1, 0), 2), ((1, -1), 1), ((1, 1), 3), ((0, 1), 3)])
def test_a_uniform_motion_fills_one_bin(motion, expected):
    """Four bins of 45 degrees from straight up to straight down."""
    histograms = HOOF(n_bins=4).describe(uniform_motion(*motion)).reshape(3, 4)
    assert (histograms[:, expected] == 1).all()
    assert histograms.sum() == 3


def test_a_mirrored_face_has_the_same_histogram():
    clip = np.random.default_rng(0).normal(size=(2, 4, 10, 10))
    mirrored = clip[..., ::-1] * np.array([-1, 1])[:, None, None, None]
    np.testing.assert_allclose(HOOF().describe(mirrored), HOOF().describe(clip))


def test_votes_weigh_the_length_of_the_motion():
    """A quarter of the pixels moves three pixels up, the rest one to the side: half of the weight each."""
    clip = uniform_motion(1, 0, frames=1)
    clip[0, 0, :4, :4], clip[1, 0, :4, :4] = 0, -3
    assert HOOF(n_bins=4).describe(clip).tolist() == [0.5, 0, 0.5, 0]


def test_a_frame_without_motion_has_an_empty_histogram():
    assert not HOOF().describe(uniform_motion(0, 0)).any()
