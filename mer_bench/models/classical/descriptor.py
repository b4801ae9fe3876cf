"""What the hand-made descriptors share: they describe one clip at a time and learn nothing from data."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from mer_bench.errors import InputError


class ClipDescriptor(TransformerMixin, BaseEstimator):
    """A descriptor of clips: a subclass names its `channels` and describes one clip in `describe`."""

    channels: tuple[str, ...] = ()

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Return the descriptor of one clip, (C, T, H, W) float -> (D,)."""
        raise NotImplementedError

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> 'ClipDescriptor':
        """Learn nothing."""
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Describe clips, (N, C, T, H, W) -> (N, D) float32.

        Raises:
            InputError: the clips have another number of channels than the descriptor.
        """
        if np.ndim(X) != 5 or X.shape[1] != len(self.channels):
            raise InputError(
                f'{type(self).__name__}: expected the channels {list(self.channels)}, (N, {len(self.channels)}, T, H, '
                f'W), got an array {np.shape(X)}; set input.channels to them'
            )
        return np.stack([self.describe(clip) for clip in X]).astype(np.float32)

    def __sklearn_tags__(self) -> Tags:
        """Nothing is learned from data."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
