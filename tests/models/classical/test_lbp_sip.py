"""LBP-SIP against the paper's dimension and codes by hand."""

import numpy as np

from mer_bench.models.classical.lbp_sip import LBPSIP, temporal_codes


def test_a_block_has_20_bins():
    """16 + 4 instead of the 48 of LBP-TOP with four neighbours."""
    clip = np.random.default_rng(0).integers(0, 256, (1, 5, 20, 20)).astype(np.float32)
    assert LBPSIP(grid=(1, 5, 5)).describe(clip).shape == (25 * 20,)


def test_all_pixels_of_a_constant_clip_have_one_code_in_space_and_one_in_time():
    features = LBPSIP(grid=(1, 1, 1)).describe(np.full((1, 4, 9, 9), 90, np.float32))
    assert np.flatnonzero(features).tolist() == [15, 16 + 3]
    assert features[[15, 19]].tolist() == [1, 1]


def test_a_clip_that_grows_bright_is_no_darker_after_alone():
    levels = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 5, 5), np.uint8)
    assert (temporal_codes(levels, 1) == 2).all()
    assert (temporal_codes(levels[::-1], 1) == 1).all()


def test_a_bright_pixel_is_seen_by_its_six_neighbours_and_itself():
    clip = np.full((1, 5, 7, 7), 10, np.float32)
    clip[0, 2, 3, 3] = 20
    features = LBPSIP(grid=(1, 1, 1)).describe(clip)
    pixels = 3 * 5 * 5
    np.testing.assert_allclose(features[0], 1 / pixels)  # all four neighbours in space are darker
    np.testing.assert_allclose(features[15], (pixels - 1) / pixels)
    np.testing.assert_allclose(features[16], 1 / pixels)  # both in time are darker
    np.testing.assert_allclose(features[19], (pixels - 1) / pixels)
