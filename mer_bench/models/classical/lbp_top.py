"""LBP-TOP: local binary patterns on three orthogonal planes (Zhao and Pietikainen, TPAMI 2007,
doi 10.1109/TPAMI.2007.1110).

Codes are scikit-image's; that all planes are counted over the same inner pixels and each histogram sums to 1 is taken
from the authors' code (LBPTOP.m of the University of Oulu).
"""

import numpy as np

from mer_bench.errors import InputError
from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import block_histograms, normalised
from mer_bench.models.classical.descriptor import ClipDescriptor

# axes of the clip (T, H, W): across the planes, then rows and columns of a plane
PLANES = {'XY': (0, 1, 2), 'XT': (1, 0, 2), 'YT': (2, 0, 1)}


@ESTIMATORS.register_module()
class LBPTOP(ClipDescriptor):
    """Histograms of uniform patterns in the planes XY, XT and YT of each block.

    Args:
        points: neighbours on the circle, P: P (P - 1) + 2 uniform patterns and one bin for all others, 59 for 8.
        radius: of the circle, in pixels in space and in frames in time (scikit-image has no ellipses).
        grid: blocks along T, H and W.
    """

    channels = ('grey',)

    def __init__(self, points: int = 8, radius: int = 1, grid: tuple[int, int, int] = (1, 5, 5)):
        self.points = points
        self.radius = radius
        self.grid = grid

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (1, T, H, W) of grey levels -> blocks x planes x bins, bins running fastest."""
        levels = grey_levels(clip)
        check_length(levels, self.radius)
        n_bins = self.points * (self.points - 1) + 3
        planes = [plane_codes(levels, axes, self.points, self.radius, 'nri_uniform') for axes in PLANES.values()]
        histograms = np.stack([block_histograms(codes, n_bins, self.grid) for codes in planes], axis=1)
        return normalised(histograms).ravel()


def grey_levels(clip: np.ndarray) -> np.ndarray:
    """Return the levels of a clip's only channel, (1, T, H, W) -> (T, H, W) uint8."""
    return np.rint(clip[0]).clip(0, 255).astype(np.uint8)


def check_length(levels: np.ndarray, radius: int) -> None:
    """Refuse a clip in which no pixel has all its neighbours."""
    if min(levels.shape) < 2 * radius + 1:
        raise InputError(
            f'local binary patterns: expected at least {2 * radius + 1} frames and pixels for radius {radius}, got '
            f'{levels.shape}; take more frames or a smaller radius'
        )


def plane_codes(
    levels: np.ndarray, axes: tuple[int, int, int], points: int, radius: int, method: str = 'default'
) -> np.ndarray:
    """Return the local binary patterns in all parallel planes of a clip.

    Args:
        levels: (T, H, W) uint8.
        axes: the axis across the planes, then those of their rows and columns.
        points: neighbours on the circle.
        radius: of the circle.
        method: scikit-image's `default` or `nri_uniform`.

    Returns:
        (T - 2 radius, H - 2 radius, W - 2 radius) int64: the pixels that have all neighbours in all three planes.
    """
    from skimage.feature import local_binary_pattern  # takes a while to import, and other methods do without

    planes = levels.transpose(axes)
    # one picture of all planes, one above the other: rows that would look into the next plane are border
    codes = local_binary_pattern(planes.reshape(-1, planes.shape[2]), points, radius, method)
    inner = (slice(radius, -radius),) * 3
    return codes.astype(np.int64).reshape(planes.shape).transpose(np.argsort(axes))[inner]
