"""Discriminant analysis by partial least squares (Barker and Rayens, Journal of Chemometrics 17, 2003,
https://doi.org/10.1002/cem.785): scikit-learn's regression on one-hot targets.
"""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.cross_decomposition import PLSRegression

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.kernel_ridge import decision_of, one_hot
from mer_bench.models.classical.least_squares_svm import highest


@ESTIMATORS.register_module()
class PLSClassifier(ClassifierMixin, PLSRegression):
    """scikit-learn's PLSRegression, with its arguments, on one-hot targets; the class with the highest fit."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> 'PLSClassifier':
        """Fit to (N, D) and N labels.

        Raises:
            ValueError: There is one class alone, or more components than clips or features.
        """
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f'expected two classes or more, got {len(self.classes_)}')
        return super().fit(X, one_hot(y, self.classes_))

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the fitted target of each class, (N, classes); of two classes their difference, (N,)."""
        return decision_of(super().predict(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class with the highest fitted target of each row."""
        return highest(self.decision_function(X), self.classes_)
