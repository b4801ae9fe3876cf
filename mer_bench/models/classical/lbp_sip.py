"""LBP-SIP: local binary patterns with six intersection points (Wang et al., ACCV 2014,
doi 10.1007/978-3-319-16865-4_34; Wang et al., PLoS ONE 2015, doi 10.1371/journal.pone.0124674).

The three planes of LBP-TOP meet in three lines; of their neighbours only the six on these lines are kept, each once.
"""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.blocks import block_histograms, normalised
from mer_bench.models.classical.descriptor import ClipDescriptor
from mer_bench.models.classical.lbp_top import PLANES, check_length, grey_levels, plane_codes


@ESTIMATORS.register_module()
class LBPSIP(ClipDescriptor):
    """Histograms of 16 patterns of the four neighbours in space and of 4 patterns of the two in time, per block.

    Args:
        radius: distance of the neighbours, in pixels in space and in frames in time.
        grid: blocks along T, H and W.
    """

    channels = ('grey',)

    def __init__(self, radius: int = 1, grid: tuple[int, int, int] = (1, 5, 5)):
        self.radius = radius
        self.grid = grid

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (1, T, H, W) of grey levels -> blocks x 20, first space, then time."""
        levels = grey_levels(clip)
        check_length(levels, self.radius)
        space = plane_codes(levels, PLANES['XY'], 4, self.radius)
        time = temporal_codes(levels, self.radius)
        parts = [block_histograms(codes, n, self.grid) for codes, n in ((space, 16), (time, 4))]
        return np.concatenate([normalised(part) for part in parts], axis=1).ravel()


def temporal_codes(levels: np.ndarray, radius: int) -> np.ndarray:
    """Return 1 where the frame before is no darker, plus 2 where the frame after is; shape as `plane_codes`."""
    inner = levels[:, radius:-radius, radius:-radius]
    before, centre, after = inner[: -2 * radius], inner[radius:-radius], inner[2 * radius :]
    return (before >= centre).astype(np.int64) + 2 * (after >= centre)
