"""How a scikit-learn method is fitted to the folds of a run: each on its own, or with what all folds share.

The shared methods give the predictions of scikit-learn's own loop at a fraction of the cost.
"""

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from mer_bench.models.classical.least_squares_svm import LeastSquaresSVM, gamma_of, signs
from mer_bench.training.sklearn.block_leave_out import Decided, residual_maker, residual_maker_of_few, without
from mer_bench.training.sklearn.gram import (
    centred,
    dot_products,
    kernel_of,
    kernel_options,
    on_kernel,
    part,
    same_products,
)

PLAIN = 'each fold by itself'
FOLD_GRAM = 'each fold by its dot products'
GRAM = 'dot products once for all folds'
BLOCK = 'one factorisation for all folds'
IN_DOUBLE = (GRAM, BLOCK)  # whose features are in double precision, also where folds share nothing
KERNELS = ('linear', 'poly', 'rbf', 'sigmoid')


@dataclass(frozen=True)
class FoldClips:
    """The clips of a run, split into those to train and to test in one fold.

    Attributes:
        features: (N, D) float32, mapped from a file.
        labels: (N,) names of classes.
        train: (N,) bool.
        test: (N,) bool.
        double: Whether the features are taken in double precision.
    """

    features: np.memmap
    labels: np.ndarray
    train: np.ndarray
    test: np.ndarray
    double: bool = False

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some rows."""
        return self.features[rows].astype(np.float64 if self.double else self.features.dtype)

    @property
    def file(self) -> tuple[str, int]:
        """Where the features are and when they were written."""
        path = str(self.features.filename)
        return path, os.stat(path).st_mtime_ns


def way_of(model: Pipeline, n_clips: int, n_features: int) -> str:
    """Return the fastest way to fit the folds that gives the predictions of scikit-learn's own loop."""
    classifier = model[-1]
    centring = all(type(step) is StandardScaler and not step.with_std for _, step in model.steps[:-1])
    if centring and has_block_formula(classifier, centres(model)):
        return BLOCK
    if type(classifier) in (SVC, NuSVC) and classifier.kernel in KERNELS and not gives_probabilities(classifier):
        return GRAM if centring else FOLD_GRAM
    if n_features <= n_clips:
        return PLAIN
    if type(classifier) is LinearSVC and classifier.dual is True and classifier.multi_class == 'ovr':
        return GRAM if centring else FOLD_GRAM
    if centring and is_least_squares_svm(classifier):
        return GRAM
    return PLAIN


def centres(model: Pipeline) -> bool:
    """Whether a step before the classifier subtracts the mean of the training clips."""
    return any(step.with_mean for _, step in model.steps[:-1] if type(step) is StandardScaler)


def gives_probabilities(classifier: SVC | NuSVC) -> bool:
    """Whether libsvm also fits probabilities, on parts of the clips that it draws."""
    return classifier.probability not in (False, 'deprecated')


def is_least_squares_svm(classifier: BaseEstimator) -> bool:
    """Whether a classifier is, or with a linear kernel equals, a least-squares SVM of dot products."""
    if type(classifier) is LeastSquaresSVM:
        return classifier.kernel in KERNELS
    return is_ridge(classifier) and classifier.fit_intercept


def is_ridge(classifier: BaseEstimator) -> bool:
    """Whether a classifier is a ridge regression with an exact solver and one penalty for all classes."""
    return (
        type(classifier) is RidgeClassifier
        and classifier.solver in ('auto', 'cholesky', 'svd')
        and not classifier.positive
        and np.ndim(classifier.alpha) == 0
        and classifier.alpha > 0
    )


def has_block_formula(classifier: BaseEstimator, centre: bool) -> bool:
    """Whether nothing but targets and clips differs between the folds: no weights, no kernel of their own."""
    if getattr(classifier, 'class_weight', None) is not None:
        return False
    if type(classifier) is not LeastSquaresSVM:
        return is_ridge(classifier)
    kernel = classifier.kernel
    alike = kernel == 'rbf' or (kernel in ('poly', 'sigmoid') and not centre)
    return classifier.C > 0 and (kernel == 'linear' or (alike and classifier.gamma != 'scale'))


def fit_fold(model: Pipeline, clips: FoldClips, way: str) -> tuple[BaseEstimator | Decided, np.ndarray, str]:
    """Fit a method to the training clips of a fold.

    Returns:
        The fitted classifier; its input for the test clips; the method used.
    """
    if way == BLOCK and (decided := left_out(model, clips)):
        return decided, clips.features[clips.test], BLOCK
    if way in (GRAM, FOLD_GRAM):
        classifier, train, test = on_products(model, clips, way)
        return classifier.fit(train, clips.labels[clips.train]), test, way
    return model.fit(clips.values(clips.train), clips.labels[clips.train]), clips.values(clips.test), PLAIN


def left_out(model: Pipeline, clips: FoldClips) -> Decided | None:
    """Return the decision of the fit without the test clips on them; None if the formula does not give it."""
    classes = np.unique(clips.labels[clips.train])
    if len(classes) < 2 or not (clips.train ^ clips.test).all():
        return None
    classifier, centre = model[-1], centres(model)
    alpha = classifier.alpha if isinstance(classifier, RidgeClassifier) else 1 / classifier.C
    intercept = getattr(classifier, 'fit_intercept', True)
    options = kernel_options(classifier)
    if options['gamma'] == 'auto':
        options['gamma'] = 1 / clips.features.shape[1]
    targets = signs(clips.labels[clips.train], classes)
    try:
        residual = run_residual(*clips.file, tuple(options.items()), float(alpha), intercept or centre)
    except np.linalg.LinAlgError:  # too small a penalty
        return None
    decision = without(residual, clips.train, clips.test, targets)
    if centre and not intercept:  # centred features give the same weights with a bias, which is the mean of the targets
        decision -= targets.mean(0)
    return Decided(classes, decision[:, 0] if len(classes) == 2 else decision)


def on_products(model: Pipeline, clips: FoldClips, way: str) -> tuple[BaseEstimator, np.ndarray, np.ndarray]:
    """Return the classifier with its input for the training and the test clips, all from dot products."""
    classifier, options = model[-1], kernel_options(model[-1])
    products, squares = shared_products(model, clips) if way == GRAM else fold_products(model, clips)
    if options['kernel'] != 'linear' and isinstance(options['gamma'], str):
        options['gamma'] = gamma_of(options['gamma'], transformed(model, clips)[0])
    train, test = (
        kernel_of(product, (square, squares[0]), options) for product, square in zip(products, squares, strict=True)
    )
    if type(classifier) is LinearSVC:
        return classifier, *same_products(train, test)
    return on_kernel(classifier), train, test


def shared_products(model: Pipeline, clips: FoldClips) -> tuple[tuple, tuple]:
    """Return the dot products with the training clips, of these and of the test clips, and the squared lengths."""
    products = run_products(*clips.file)
    if centres(model):
        products = centred(products, clips.train)
    both, squares = (clips.train, clips.test), np.diag(products)
    return tuple(part(products, rows, clips.train) for rows in both), tuple(squares[rows] for rows in both)


def fold_products(model: Pipeline, clips: FoldClips) -> tuple[tuple, tuple]:
    """Return the same as :func:`shared_products` for features after steps that are fitted to the training clips."""
    train, test = transformed(model, clips)
    return (train @ train.T, test @ train.T), tuple(np.einsum('nd,nd->n', rows, rows) for rows in (train, test))


def transformed(model: Pipeline, clips: FoldClips) -> tuple[np.ndarray, np.ndarray]:
    """Return what the steps before the classifier make of training and test clips, in double precision."""
    train, test = clips.values(clips.train), clips.values(clips.test)
    if len(model) > 1:
        before = model[:-1]
        train = before.fit_transform(train, clips.labels[clips.train])  # as Pipeline.fit: not always fit, transform
        test = before.transform(test)
    return tuple(np.asarray(part.toarray() if issparse(part) else part, np.float64) for part in (train, test))


@lru_cache(maxsize=1)
def run_products(path: str, written: int) -> np.ndarray:
    """Return the dot products of all clips of a run, (N, N); they stay for its other folds."""
    return dot_products(np.load(path, mmap_mode='r'))


@lru_cache(maxsize=1)
def run_residual(path: str, written: int, options: tuple, alpha: float, intercept: bool) -> np.ndarray:
    """Return I - H of all clips of a run, (N, N); it stays for its other folds."""
    options = dict(options)
    features = np.load(path, mmap_mode='r')
    if options['kernel'] == 'linear' and features.shape[1] < len(features):
        return residual_maker_of_few(features.astype(np.float64), alpha, intercept)
    # neither distances nor a model with a bias see the mean, which costs digits
    products = dot_products(
        features, centre=options['kernel'] == 'rbf' or (options['kernel'] == 'linear' and intercept)
    )
    squares = np.diag(products)
    return residual_maker(kernel_of(products, (squares, squares), options), alpha, intercept)
