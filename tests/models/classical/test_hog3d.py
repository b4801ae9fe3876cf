"""3D-HOG against gradients by hand."""

import numpy as np

from mer_bench.models.classical.hog3d import HOG3D, gradient


def ramp(along_x=0.0, along_y=0.0, along_t=0.0, shape=(6, 16, 16)):
    """A clip whose level grows evenly, (1, T, H, W)."""
    t, y, x = np.indices(shape)
    return (100 + along_x * x + along_y * y + along_t * t)[None].astype(np.float32)


def test_dimension_is_blocks_times_planes_times_bins():
    assert HOG3D(n_bins=8, grid=(2, 8, 8)).describe(ramp(1)).shape == (2 * 8 * 8 * 3 * 8,)


def test_the_mask_takes_the_difference_of_both_neighbours():
    along_t, along_y, along_x = gradient(ramp(1, 2, 3)[0])
    assert (along_x[:, :, 1:-1] == 2).all()
    assert (along_y[:, 1:-1] == 4).all()
    assert (along_t[1:-1] == 6).all()
    assert (along_x[:, :, 0] == 1).all()  # the edge goes on beyond the border


def test_a_ramp_to_the_right_fills_the_bin_of_0_degrees_in_xy_and_xt():
    xy, xt, yt = HOG3D(grid=(1, 1, 1)).describe(ramp(along_x=3)).reshape(3, 8)
    assert xy.tolist() == xt.tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert yt.tolist() == [0] * 8


def test_getting_darker_is_opposite_to_getting_brighter():
    _, xt, yt = HOG3D(grid=(1, 1, 1)).describe(ramp(along_t=5)).reshape(3, 8)
    assert xt.tolist() == yt.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]  # 90 degrees
    _, xt, _ = HOG3D(grid=(1, 1, 1)).describe(ramp(along_t=-5)).reshape(3, 8)
    assert xt.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]  # -90 degrees


def test_votes_weigh_the_length_of_the_gradient():
    """Two pixels point to the right by 1 and 2, one downwards by 4: 3 against 4."""
    first, second = np.array([[[1.0, 2, 0]]]), np.array([[[0.0, 0, 4]]])
    assert HOG3D(n_bins=4, grid=(1, 1, 1)).histograms(first, second).tolist() == [[0, 0, 3, 4]]


def test_twice_the_contrast_gives_the_same_histograms():
    clip = np.random.default_rng(0).uniform(0, 100, (1, 6, 16, 16))
    np.testing.assert_allclose(HOG3D().describe(clip * 2), HOG3D().describe(clip))
