"""Support vector machines from dot products: of all clips once for all folds, or of a fold by one matrix product.

libsvm and liblinear compute the same products clip by clip, fold after fold.
"""

import copy

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from mer_bench.models.classical.least_squares_svm import LeastSquaresSVM
from mer_bench.training.sklearn.squared_hinge_svm import SquaredHingeSVM

COLUMNS = 1 << 16  # that are in memory in double precision at a time


def dot_products(features: np.ndarray, centre: bool = False) -> np.ndarray:
    """Return the dot products of all rows of (N, D), or of the rows less their mean, (N, N) float64."""
    products = np.zeros((len(features), len(features)))
    for first in range(0, features.shape[1], COLUMNS):
        values = np.asarray(features[:, first : first + COLUMNS], np.float64)
        values = values - values.mean(0) if centre else values
        products += values @ values.T
    return products


def centred(products: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the products, (N, N), after the mean of the clips `train`, (N,) bool, is taken off all features."""
    to_mean = products[:, train].mean(1)  # of each clip with the mean
    return products - to_mean - to_mean[:, None] + to_mean[train].mean()


def kernel_of(products: np.ndarray, squares: tuple[np.ndarray, np.ndarray], options: dict) -> np.ndarray:
    """Return the kernel of scikit-learn's SVC between n and m clips.

    Args:
        products: (n, m) dot products.
        squares: Those of each of the n and of the m clips with itself.
        options: kernel, degree, coef0, and gamma as a number.
    """
    kernel = options['kernel']
    if kernel == 'linear':
        return products
    if kernel == 'rbf':
        distances = squares[0][:, None] + squares[1] - 2 * products
        return np.exp(-options['gamma'] * np.maximum(distances, 0))
    inner = options['gamma'] * products + options['coef0']
    return inner ** options['degree'] if kernel == 'poly' else np.tanh(inner)


def kernel_options(classifier: BaseEstimator) -> dict:
    """Return kernel, gamma, degree and coef0 of a classifier; one without a kernel is linear."""
    usual = dict(kernel='linear', gamma=None, degree=None, coef0=None)
    return {key: getattr(classifier, key, value) for key, value in usual.items()}


def on_kernel(classifier: BaseEstimator) -> BaseEstimator | SquaredHingeSVM:
    """Return the classifier that gives from a precomputed kernel what this one gives from features."""
    if isinstance(classifier, RidgeClassifier):
        return LeastSquaresSVM(1 / classifier.alpha, 'precomputed', class_weight=classifier.class_weight)
    if isinstance(classifier, LinearSVC):
        return SquaredHingeSVM.like(classifier)
    twin = copy.copy(classifier)
    twin.kernel = 'precomputed'
    return twin


def part(products: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return some rows and columns, both (N,) bool, of (N, N); in half the time of np.ix_."""
    return products.take(np.flatnonzero(rows), 0).take(np.flatnonzero(columns), 1)
