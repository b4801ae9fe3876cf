"""The values of a clip as one row, for the classifiers of scikit-learn."""

import numpy as np

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.descriptor import ClipDescriptor


@ESTIMATORS.register_module()
class Flatten(ClipDescriptor):
    """The values of each clip in one row, channel by channel."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Bring (N, C, T, H, W) to (N, C * T * H * W)."""
        return np.reshape(X, (len(X), -1))
