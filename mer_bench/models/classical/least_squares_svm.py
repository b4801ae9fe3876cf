"""Least-squares support vector machine (Suykens and Vandewalle, Neural Processing Letters 9, 1999,
https://doi.org/10.1023/A:1018628609742).
"""

from collections.abc import Mapping

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_array, check_X_y

from mer_bench.models.classical import ESTIMATORS


@ESTIMATORS.register_module()
class LeastSquaresSVM(ClassifierMixin, BaseEstimator):
    """Least squares on targets of +1 and -1, one class against the rest, with a kernel and a free bias.

    With the linear kernel it is scikit-learn's RidgeClassifier(alpha=1 / C).

    Args:
        C: Weight of the squared errors against the squared length of the solution.
        kernel: 'linear', 'poly', 'rbf', 'sigmoid' or 'precomputed', as of scikit-learn's SVC.
        gamma: Of all but 'linear': a number, 'scale' or 'auto', as of SVC.
        degree: Of 'poly'.
        coef0: Of 'poly' and 'sigmoid'.
        class_weight: None, 'balanced' or {class: weight of its squared errors}.
    """

    def __init__(
        self,
        C: float = 1.0,
        kernel: str = 'linear',
        gamma: float | str = 'scale',
        degree: int = 3,
        coef0: float = 0.0,
        class_weight: Mapping | str | None = None,
    ):
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.class_weight = class_weight

    def fit(self, X: np.ndarray, y: np.ndarray) -> 'LeastSquaresSVM':
        """Fit to (N, D), or to a kernel (N, N) that is precomputed, and N labels.

        Raises:
            ValueError: C is not positive, or there is one class alone.
        """
        X, y = check_X_y(X, y, dtype=np.float64)
        if not self.C > 0:
            raise ValueError(f'C must be above 0, got {self.C}')
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f'expected two classes or more, got {len(self.classes_)}')
        self.X_fit_ = X
        self.gamma_ = gamma_of(self.gamma, X)
        targets = signs(y, self.classes_)
        penalty = 1 / (self.C * compute_sample_weight(self.class_weight, y))
        # [K + diag(penalty), 1; 1', 0] [dual; bias] = [targets; 0]
        factor = cho_factor(self._kernel(X) + np.diag(penalty))
        ones = cho_solve(factor, np.ones(len(X)))
        free = cho_solve(factor, targets)
        self.intercept_ = free.sum(0) / ones.sum()
        self.dual_coef_ = free - np.outer(ones, self.intercept_)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the fitted target of each class, (N, classes); of two classes that of the second, (N,)."""
        decision = self._kernel(check_array(X, dtype=np.float64)) @ self.dual_coef_ + self.intercept_
        return decision[:, 0] if len(self.classes_) == 2 else decision

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class with the highest target of each row."""
        return highest(self.decision_function(X), self.classes_)

    def _kernel(self, X: np.ndarray) -> np.ndarray:
        if self.kernel == 'precomputed':
            return X
        options = dict(gamma=self.gamma_, degree=self.degree, coef0=self.coef0)
        return pairwise_kernels(X, self.X_fit_, metric=self.kernel, filter_params=True, **options)


def gamma_of(gamma: float | str, X: np.ndarray) -> float:
    """Return the number that SVC takes for `gamma` on the training clips X, (N, D)."""
    if gamma == 'auto':
        return 1 / X.shape[1]
    if gamma == 'scale':
        variance = X.var()
        return 1 / (X.shape[1] * variance) if variance else 1.0
    return gamma


def signs(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return 1 where a label is the class and -1 elsewhere, (N, classes); of two classes the column of the second."""
    return np.where(np.asarray(y)[:, None] == (classes[1:] if len(classes) == 2 else classes), 1.0, -1.0)


def highest(decision: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the class with the highest decision, (N, classes) or of two classes (N,), as scikit-learn does."""
    return classes[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(1)]
