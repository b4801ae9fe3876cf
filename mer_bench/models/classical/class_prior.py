"""Classes drawn by their shares among the training clips: what chance scores."""

import zlib

import numpy as np
from sklearn.dummy import DummyClassifier

from mer_bench.models.classical import ESTIMATORS


@ESTIMATORS.register_module()
class ClassPrior(DummyClassifier):
    """scikit-learn's DummyClassifier(strategy='stratified') whose draw depends on the clip as well as on the seed.

    With the seed alone the first clip of every fold gets the same draw, and many subjects have one clip.

    Args:
        random_state: seed of the draws.
    """

    def __init__(self, random_state: int | None = None):
        super().__init__(strategy='stratified', random_state=random_state)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return 1 for the class drawn for each row and 0 for the others, (N, D) -> (N, classes)."""
        rows = np.ascontiguousarray(X, np.float32)
        seeds = [[self.random_state or 0, zlib.crc32(row)] for row in rows]
        draws = [np.random.default_rng(seed).choice(self.n_classes_, p=self.class_prior_) for seed in seeds]
        return np.eye(self.n_classes_)[draws]
