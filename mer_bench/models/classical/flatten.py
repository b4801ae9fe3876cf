"""The values of a clip as one row, for the classifiers of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from mer_bench.models.classical import ESTIMATORS


@ESTIMATORS.register_module()
class Flatten(TransformerMixin, BaseEstimator):
    """The values of each clip in one row, channel by channel."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> 'Flatten':
        """Learn nothing."""
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Bring (N, C, T, H, W) to (N, C * T * H * W)."""
        return np.reshape(X, (len(X), -1))

    def __sklearn_tags__(self) -> Tags:
        """Say that nothing is learned from data."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
