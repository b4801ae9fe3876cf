"""Ridge regression on kernels as a classifier, with class weights of any strength, and averaged over settings."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_array, check_X_y

from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.least_squares_svm import highest


@ESTIMATORS.register_module()
class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):
    """(K + diag(alpha / w)) a = one-hot(y) on precomputed kernels K, without a bias; the class with the highest K a.

    The weight of a clip is w = (n / (classes * n_class))^power, of the training clips. scikit-learn's KernelRidge with
    these sample weights and one-hot targets, averaged over all kernels and penalties.

    Args:
        alpha: The penalty, above 0; or several.
        power: 0 weighs every clip alike, 1 every class.
    """

    def __init__(self, alpha: float | Sequence[float] = 1.0, power: float = 1.0):
        self.alpha = alpha
        self.power = power

    def fit(self, X: np.ndarray, y: np.ndarray) -> 'KernelRidgeClassifier':
        """Fit to one or more kernels (N, N) side by side, and N labels.

        Raises:
            ValueError: alpha or power is not possible, X is no row of kernels, or there is one class alone.
        """
        X, y = check_X_y(X, y, dtype=np.float64)
        alphas, (power,) = numbers_of('alpha', self.alpha), numbers_of('power', self.power, one=True)
        if X.shape[1] % len(X):
            raise ValueError(f'expected kernels of {len(X)} training clips side by side, got {X.shape[1]} columns')
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f'expected two classes or more, got {len(self.classes_)}')
        targets, penalties = one_hot(y, self.classes_), compute_sample_weight('balanced', y) ** -power
        kernels = np.split(X, X.shape[1] // len(X), axis=1)
        duals = [
            np.mean([cho_solve(cho_factor(kernel + np.diag(alpha * penalties)), targets) for alpha in alphas], axis=0)
            for kernel in kernels
        ]
        self.dual_coef_ = np.concatenate(duals) / len(kernels)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the mean fitted target of each class, (N, classes); of two classes their difference, (N,)."""
        return decision_of(check_array(X, dtype=np.float64) @ self.dual_coef_)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class with the highest fitted target of each row."""
        return highest(self.decision_function(X), self.classes_)


def numbers_of(name: str, given: float | Sequence[float], one: bool = False) -> np.ndarray:
    """Return the numbers that an argument gives, one or several, (n,) above 0; if `one`, a single one that may be 0."""
    numbers = np.atleast_1d(given)
    fits = numbers.size == 1 if one else numbers.size > 0
    if not (fits and numbers.dtype.kind in 'iuf' and np.all(numbers >= 0 if one else numbers > 0)):
        raise ValueError(f'{name} must be {"a number of 0 or more" if one else "above 0"}, got {given!r}')
    return numbers


def one_hot(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return 1 where a label is the class and 0 elsewhere, (N, classes)."""
    return (np.asarray(y)[:, None] == classes).astype(np.float64)


def decision_of(fitted: np.ndarray) -> np.ndarray:
    """Return fitted targets, (N, classes), as scikit-learn does: of two classes that in favour of the second, (N,)."""
    return fitted[:, 1] - fitted[:, 0] if fitted.shape[1] == 2 else fitted
