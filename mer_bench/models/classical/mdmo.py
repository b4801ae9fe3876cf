"""MDMO: main directional mean optical flow (Liu et al., TAFFC 2016, doi 10.1109/TAFFC.2015.2485205)."""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import orientation_bins
from mer_bench.models.classical.descriptor import ClipDescriptor
from mer_bench.models.classical.mdmo_regions import N_REGIONS, region_map


@ESTIMATORS.register_module()
class MDMO(ClipDescriptor):
    """Length and angle of the mean motion along the main direction of each of 36 regions of an aligned face.

    Args:
        n_bins: directions on the full circle.
        axis_centred: False: axes (and, with 8 bins, diagonals) are edges between two bins, as in MDMOFeature of
            github.com/machanic/AU_R-CNN, where the regions come from; True: they are the middles of bins, as in
            traditional_methods.py of github.com/tvaranka/meb. An edge belongs to the bin of the larger angles.
    """

    channels = ('u', 'v')

    def __init__(self, n_bins: int = 8, axis_centred: bool = False):
        self.n_bins = n_bins
        self.axis_centred = axis_centred

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (2, T, H, W) of motion from the onset -> 36 lengths, the longest 1, then 36 angles."""
        u, v = self.main_motions(clip).mean(axis=1)  # the mean of vectors: polar ones do not average
        lengths = np.hypot(u, v)
        longest = lengths.max()
        return np.concatenate([lengths / longest if longest else lengths, np.arctan2(v, u)])

    def main_motions(self, clip: np.ndarray) -> np.ndarray:
        """Return the mean motion in the fullest direction of every frame and region, (2, T, 36) in pixels."""
        regions = region_map(*clip.shape[2:])
        inside = regions > 0
        u, v = clip[:, :, inside].astype(np.float64)  # (T, pixels) each
        shape = (len(u), N_REGIONS, self.n_bins)
        cells = np.arange(len(u))[:, None] * N_REGIONS + regions[inside] - 1
        cells = (cells * self.n_bins + self.directions(u, v)).ravel()
        counts = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
        main = counts.argmax(axis=2)[..., None]
        sums = [np.bincount(cells, part.ravel(), np.prod(shape)).reshape(shape) for part in (u, v)]
        return np.stack([np.take_along_axis(part / counts.clip(1), main, 2)[..., 0] for part in sums])

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the bin of each vector, integers that rise from right to down; bin 0 begins or is centred at left."""
        low = -np.pi - (np.pi / self.n_bins if self.axis_centred else 0)
        return orientation_bins(np.arctan2(v, u), self.n_bins, low, low + 2 * np.pi)
