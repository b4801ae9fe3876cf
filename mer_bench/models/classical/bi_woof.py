"""Bi-WOOF: bi-weighted oriented optical flow (Liong et al., "Less is more", SPIC 2018, doi 10.1016/j.image.2017.11.006,
arXiv 1606.01721), as in the authors' code (biwoof.m, github.com/christy1206/biwoof).
"""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import block_histograms, block_numbers, normalised, orientation_bins
from mer_bench.models.classical.descriptor import ClipDescriptor


@ESTIMATORS.register_module()
class BiWOOF(ClipDescriptor):
    """Histograms of the motion's orientation, weighted in a block by its length and between blocks by optical strain.

    Args:
        n_bins: orientations on the full circle.
        grid: blocks along H and W.
    """

    channels = ('u', 'v', 'strain')

    def __init__(self, n_bins: int = 8, grid: tuple[int, int] = (5, 5)):
        self.n_bins = n_bins
        self.grid = grid

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (3, T, H, W), T = 1 for the apex -> blocks x bins, of length 1 unless all is 0."""
        u, v, strain = clip
        grid = (1, *self.grid)
        bins = orientation_bins(np.arctan2(v, u), self.n_bins)
        local = normalised(block_histograms(bins, self.n_bins, grid, np.hypot(u, v)))
        weights = block_means(strain, grid)
        features = (local * weights[:, None]).ravel()
        length = np.linalg.norm(features)
        return features / length if length else features


def block_means(values: np.ndarray, grid: tuple[int, int, int]) -> np.ndarray:
    """Return the mean of (T, H, W) in each block, (blocks,)."""
    numbers = block_numbers(values.shape, grid).ravel()
    return np.bincount(numbers, values.ravel()) / np.bincount(numbers)
