"""HOOF: histograms of oriented optical flow (Chaudhry et al., CVPR 2009, doi 10.1109/CVPR.2009.5206821).

Bins as in the authors' code (gradientHistogram.m of the JHU Vision Lab).
"""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import block_histograms, normalised, orientation_bins
from mer_bench.models.classical.descriptor import ClipDescriptor


@ESTIMATORS.register_module()
class HOOF(ClipDescriptor):
    """A histogram of each frame's angles to the horizontal, weighted by the length of the motion.

    Motion to the left and to the right count alike, so a mirrored face has the same histogram.

    Args:
        n_bins: bins from straight up to straight down.
        grid: blocks along H and W; one in the paper.
    """

    channels = ('u', 'v')

    def __init__(self, n_bins: int = 30, grid: tuple[int, int] = (1, 1)):
        self.n_bins = n_bins
        self.grid = grid

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (2, T, H, W) of motion -> frames x blocks x bins, each histogram with sum 1 or 0."""
        u, v = clip
        bins = orientation_bins(np.arctan2(v, np.abs(u)), self.n_bins, -np.pi / 2, np.pi / 2)
        return normalised(block_histograms(bins, self.n_bins, (len(u), *self.grid), np.hypot(u, v))).ravel()
