"""How a scikit-learn method is fitted to the folds of a run: each on its own, or with what all folds share.

The shared ways give the predictions of scikit-learn's own loop at a fraction of the cost. Decisions agree up to
rounding, and for LinearSVC up to the tolerance at which liblinear stops: see :mod:`.squared_hinge_svm`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from mer_bench.models.classical.half_faces import HalfFaceKernel
from mer_bench.models.classical.kernel_ridge import KernelRidgeClassifier, decision_of, numbers_of, one_hot
from mer_bench.models.classical.least_squares_svm import LeastSquaresSVM, gamma_of, signs
from mer_bench.training.sklearn.block_leave_out import Decided, residual_maker, without
from mer_bench.training.sklearn.gram import centred, dot_products, kernel_of, kernel_options, on_kernel, part

PLAIN = 'each fold by itself'
FOLD_GRAM = 'each fold by its dot products'
GRAM = 'dot products once for all folds'
KERNEL = 'kernel once for all folds'
BLOCK = 'one factorisation for all folds'
IN_DOUBLE = (GRAM, KERNEL, BLOCK)  # whose features are in double precision, also where folds share nothing
KERNELS = ('linear', 'poly', 'rbf', 'sigmoid')


@dataclass(frozen=True)
class SharedFit:
    """A method on the clips of a run; what its folds share is computed once.

    Attributes:
        model: The steps that are fitted in every fold.
        features: (N, D) float32.
        way: PLAIN, FOLD_GRAM, GRAM, KERNEL or BLOCK; see :func:`way_of`.
    """

    model: Pipeline
    features: np.ndarray
    way: str

    def fit(
        self, labels: np.ndarray, train: np.ndarray, test: np.ndarray
    ) -> tuple[BaseEstimator | Decided, np.ndarray, str]:
        """Fit the method to the training clips of a fold, with scikit-learn alone if the shared way fails.

        Args:
            labels: (N,) names of classes.
            train: (N,) bool.
            test: (N,) bool.

        Returns:
            The fitted classifier; its input for the test clips; the way used.
        """
        try:
            if self.way == BLOCK and len(np.unique(labels[train])) > 1 and (train ^ test).all():
                return self.leave_out(labels, train, test), self.features[test], BLOCK
            if self.way == KERNEL:
                columns = np.tile(train, self.kernel.shape[1] // len(train))  # of kernels side by side
                classifier = clone(self.model[-1]).fit(part(self.kernel, train, columns), labels[train])
                return classifier, part(self.kernel, test, columns), KERNEL
            if self.way in (GRAM, FOLD_GRAM):
                classifier, train_kernel, test_kernel = self.kernels(labels, train, test)
                return classifier.fit(train_kernel, labels[train]), test_kernel, self.way
        except np.linalg.LinAlgError:  # too small a penalty, or an optimum that was not reached
            pass
        return self.model.fit(self.values(train), labels[train]), self.values(test), PLAIN

    def of(self, rows: np.ndarray) -> 'SharedFit':
        """Return the method on some of the clips alone, (N,) bool, with their part of what all clips share."""
        part_of = replace(self, features=self.features[rows])
        if self.way == KERNEL:
            columns = np.tile(rows, self.kernel.shape[1] // len(rows))
            part_of.__dict__['kernel'] = part(self.kernel, rows, columns)
        if self.way == GRAM:
            part_of.__dict__['products'] = part(self.products, rows, rows)
        return part_of

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some rows."""
        double = way_of(self.model, *self.features.shape) in IN_DOUBLE
        return self.features[rows].astype(np.float64 if double else self.features.dtype)

    @cached_property
    def products(self) -> np.ndarray:
        """The dot products of all clips, (N, N)."""
        return dot_products(self.features)

    @cached_property
    def kernel(self) -> np.ndarray:
        """The kernels of HalfFaceKernel between all clips, side by side, (N, kernels * N); they know no label."""
        return self.model[0].fit_transform(self.features)

    @cached_property
    def residuals(self) -> list[np.ndarray]:
        """I - H of all clips, (N, N), of each kernel and penalty of KernelRidgeClassifier."""
        kernels = np.split(self.kernel, self.kernel.shape[1] // len(self.kernel), axis=1)
        alphas = numbers_of('alpha', self.model[-1].alpha)
        return [residual_maker(kernel, float(alpha), intercept=False) for kernel in kernels for alpha in alphas]

    @cached_property
    def residual(self) -> np.ndarray:
        """I - H of all clips, (N, N)."""
        classifier = self.model[-1]
        alpha = classifier.alpha if isinstance(classifier, RidgeClassifier) else 1 / classifier.C
        intercept = centres(self.model) or getattr(classifier, 'fit_intercept', True)
        options = kernel_options(classifier)
        if options['gamma'] == 'auto':
            options['gamma'] = 1 / self.features.shape[1]
        # neither distances nor a model with a bias see the mean, which costs digits
        blind = options['kernel'] == 'rbf' or (options['kernel'] == 'linear' and intercept)
        products = dot_products(self.features, centre=blind)
        squares = np.diag(products)
        return residual_maker(kernel_of(products, (squares, squares), options), float(alpha), intercept)

    def leave_out(self, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> Decided:
        """Return the decision on the test clips of the fit without them."""
        classes = np.unique(labels[train])
        if isinstance(self.model[-1], KernelRidgeClassifier):
            targets = one_hot(labels[train], classes)
            fitted = [without(residual, train, test, targets) for residual in self.residuals]
            return Decided(classes, decision_of(np.mean(fitted, axis=0)))
        targets = signs(labels[train], classes)
        decision = without(self.residual, train, test, targets)
        if centres(self.model) and not getattr(self.model[-1], 'fit_intercept', True):
            decision -= targets.mean(0)  # centred features give the same weights with a bias, which is this mean
        return Decided(classes, decision[:, 0] if len(classes) == 2 else decision)

    def kernels(self, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple:
        """Return the classifier on a kernel, and that of the training clips (n, n) and of the test clips (m, n)."""
        classifier, options = self.model[-1], kernel_options(self.model[-1])
        if self.way == GRAM:
            products = centred(self.products, train) if centres(self.model) else self.products
            squares = np.diag(products)
            squares = squares[train], squares[test]
            products = part(products, train, train), part(products, test, train)
        else:
            clips = self.transformed(labels, train, test)
            squares = tuple(np.einsum('nd,nd->n', rows, rows) for rows in clips)
            products = tuple(rows @ clips[0].T for rows in clips)
        if options['kernel'] != 'linear' and isinstance(options['gamma'], str):
            options['gamma'] = gamma_of(options['gamma'], self.transformed(labels, train, test)[0])
        both = zip(products, squares, strict=True)
        return on_kernel(classifier), *(kernel_of(product, (square, squares[0]), options) for product, square in both)

    def transformed(self, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the steps before the classifier make of training and test clips, in double precision."""
        clips = self.values(train), self.values(test)
        if len(self.model) > 1:
            before = self.model[:-1]  # fit_transform as Pipeline.fit: not always fit, transform
            clips = before.fit_transform(clips[0], labels[train]), before.transform(clips[1])
        return tuple(np.asarray(rows.toarray() if issparse(rows) else rows, np.float64) for rows in clips)


def way_of(model: Pipeline, n_clips: int, n_features: int) -> str:
    """Return the fastest way to fit the folds that gives the predictions of scikit-learn's own loop."""
    classifier = model[-1]
    if len(model) == 2 and type(model[0]) is HalfFaceKernel:
        return BLOCK if type(classifier) is KernelRidgeClassifier and classifier.power == 0 else KERNEL
    centring = all(type(step) is StandardScaler and not step.with_std for _, step in model.steps[:-1])
    if centring and has_block_formula(classifier, centres(model)):
        return BLOCK
    if type(classifier) in (SVC, NuSVC) and classifier.kernel in KERNELS and not gives_probabilities(classifier):
        return GRAM if centring else FOLD_GRAM
    if n_features <= n_clips:
        return PLAIN
    if type(classifier) is LinearSVC and is_squared_hinge(classifier):
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


def is_squared_hinge(classifier: LinearSVC) -> bool:
    """Whether liblinear solves the dual problem of the squared hinge loss, one class against the rest."""
    known = dict(dual=True, multi_class='ovr', loss='squared_hinge', penalty='l2')
    numbers = classifier.C, classifier.intercept_scaling
    return known.items() <= classifier.get_params().items() and all(isinstance(n, Real) and n > 0 for n in numbers)


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
