"""3D-HOG: histograms of oriented gradients on three orthogonal planes.

HOG-TOP of Li et al., "Towards Reading Hidden Emotions", TAFFC 2018 (doi 10.1109/TAFFC.2017.2667642, arXiv 1511.00423),
which carries the 3D-gradient histogram of Polikovsky et al. (ICDP 2009) over to a grid of blocks.
"""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import block_histograms, normalised, orientation_bins
from mer_bench.models.classical.descriptor import ClipDescriptor


@ESTIMATORS.register_module()
class HOG3D(ClipDescriptor):
    """Histograms of the signed orientation of the gradient in the planes XY, XT and YT, weighted by its length.

    Args:
        n_bins: orientations on the full circle.
        grid: blocks along T, H and W.
    """

    channels = ('grey',)

    def __init__(self, n_bins: int = 8, grid: tuple[int, int, int] = (2, 8, 8)):
        self.n_bins = n_bins
        self.grid = grid

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (1, T, H, W) of grey levels -> blocks x planes x bins, each histogram with sum 1 or 0."""
        along_t, along_y, along_x = gradient(clip[0])
        planes = ((along_x, along_y), (along_x, along_t), (along_y, along_t))
        histograms = [self.histograms(first, second) for first, second in planes]
        return normalised(np.stack(histograms, axis=1)).ravel()

    def histograms(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the histogram of each block, (blocks, n_bins), for the two parts of the gradient in a plane."""
        bins = orientation_bins(np.arctan2(second, first), self.n_bins)
        return block_histograms(bins, self.n_bins, self.grid, np.hypot(first, second))


def gradient(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the derivatives of (T, H, W) along T, H and W by the mask [-1 0 1]; the edge goes on beyond the border."""
    padded = np.pad(levels.astype(np.float64), 1, mode='edge')
    return (
        padded[2:, 1:-1, 1:-1] - padded[:-2, 1:-1, 1:-1],
        padded[1:-1, 2:, 1:-1] - padded[1:-1, :-2, 1:-1],
        padded[1:-1, 1:-1, 2:] - padded[1:-1, 1:-1, :-2],
    )
