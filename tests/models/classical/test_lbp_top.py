"""LBP-TOP against the paper's dimensions, codes by hand and scikit-image on single planes."""

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from mer_bench.errors import InputError
from mer_bench.models.classical.lbp_top import LBPTOP, PLANES, plane_codes


def random_clip(shape=(1, 7, 20, 25)):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def test_a_block_has_59_uniform_bins_per_plane():
    """177 values, as in the authors' code: bins of 8 neighbours times planes."""
    assert LBPTOP(grid=(1, 1, 1)).describe(random_clip()).shape == (177,)
    assert LBPTOP(grid=(1, 5, 5)).describe(random_clip()).shape == (25 * 177,)


@pytest.mark.parametrize('level', [0, 7, 201, 255])
def test_all_pixels_of_a_constant_clip_have_one_code(level):
    histograms = LBPTOP(grid=(1, 2, 2)).describe(np.full((1, 5, 12, 12), level, np.float32)).reshape(12, 59)
    assert (histograms[:, 57] == 1).all()  # eight neighbours no darker: the last uniform pattern
    assert histograms.sum() == 12


def test_every_histogram_sums_to_1():
    sums = LBPTOP(grid=(1, 3, 2)).describe(random_clip()).reshape(-1, 59).sum(axis=1)
    np.testing.assert_allclose(sums, 1)


def test_codes_are_those_of_scikit_image_on_the_single_plane():
    levels = random_clip()[0].astype(np.uint8)
    codes = {name: plane_codes(levels, axes, 8, 2, 'nri_uniform') for name, axes in PLANES.items()}
    planes = {'XY': levels[3], 'XT': levels[:, 9], 'YT': levels[:, :, 11]}
    single = {name: local_binary_pattern(plane, 8, 2, 'nri_uniform')[2:-2, 2:-2] for name, plane in planes.items()}
    np.testing.assert_array_equal(codes['XY'][3 - 2], single['XY'])
    np.testing.assert_array_equal(codes['XT'][:, 9 - 2], single['XT'])
    np.testing.assert_array_equal(codes['YT'][:, :, 11 - 2], single['YT'])


def test_a_still_picture_with_one_edge_has_the_codes_known_by_hand():
    """Bits from the right anticlockwise; only the first bright column has a darker neighbour, to the left: 15 - 4."""
    levels = np.where(np.arange(12) > 5, 100, 0).astype(np.uint8) * np.ones((5, 12, 1), np.uint8)
    assert plane_codes(levels, PLANES['XT'], 4, 1)[1, 3].tolist() == [15] * 5 + [11] + [15] * 4
    assert (plane_codes(levels, PLANES['YT'], 4, 1) == 15).all()


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match='at least 7 frames'):
        LBPTOP(radius=3).describe(random_clip((1, 6, 30, 30)))
