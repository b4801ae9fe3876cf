"""Ridge regression on kernels against scikit-learn's."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from mer_bench.models.classical.kernel_ridge import KernelRidgeClassifier

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(30, 8)), RNG.normal(size=(5, 8))
Y = np.array(['negative', 'positive', 'surprise'])[RNG.permutation([0] * 18 + [1] * 8 + [2] * 4)]
COUNTS = dict(negative=18, positive=8, surprise=4)


def kernels(rows, gammas):
    return np.hstack([rbf_kernel(rows, X, gamma=gamma) for gamma in gammas])


def theirs(gamma, alpha, power):
    weights = [(30 / (3 * COUNTS[label])) ** power for label in Y]
    targets = np.eye(3)[np.unique(Y, return_inverse=True)[1]]
    fitted = KernelRidge(alpha=alpha, kernel='precomputed').fit(kernels(X, [gamma]), targets, weights)
    return fitted.predict(kernels(Z, [gamma]))


@pytest.mark.parametrize('power', [0, 0.75, 1])
def test_it_is_ridge_regression_on_one_hot_targets_with_class_weights(power):
    ours = KernelRidgeClassifier(0.3, power).fit(kernels(X, [0.1]), Y)
    decision = ours.decision_function(kernels(Z, [0.1]))
    np.testing.assert_allclose(decision, theirs(0.1, 0.3, power), atol=1e-10)
    assert ours.predict(kernels(Z, [0.1])).tolist() == [np.unique(Y)[i] for i in decision.argmax(1)]


def test_several_kernels_and_penalties_give_the_mean_decision():
    ours = KernelRidgeClassifier([0.3, 2.0], 0.75).fit(kernels(X, [0.1, 0.5, 1]), Y)
    expected = np.mean([theirs(gamma, alpha, 0.75) for gamma in (0.1, 0.5, 1) for alpha in (0.3, 2.0)], axis=0)
    np.testing.assert_allclose(ours.decision_function(kernels(Z, [0.1, 0.5, 1])), expected, atol=1e-10)


def test_of_two_classes_the_decision_is_in_favour_of_the_second():
    labels = np.where(Y == 'negative', 'b', 'a')
    ours = KernelRidgeClassifier(0.3).fit(kernels(X, [0.1]), labels)
    decision = ours.decision_function(kernels(X, [0.1]))
    assert decision.shape == (30,)
    assert ours.predict(kernels(X, [0.1])).tolist() == ['b' if value > 0 else 'a' for value in decision]
    assert decision[labels == 'b'].mean() > 0 > decision[labels == 'a'].mean()


@pytest.mark.parametrize(
    ('options', 'columns', 'labels', 'said'),
    [
        (dict(alpha=[1, 0]), 30, Y, 'alpha must be above 0'),
        (dict(alpha='auto'), 30, Y, "alpha must be above 0, got 'auto'"),
        (dict(power=-1), 30, Y, 'power must be a number of 0 or more'),
        (dict(power=[0, 1]), 30, Y, 'power must be a number of 0 or more'),
        (dict(), 29, Y, 'kernels of 30 training clips side by side'),
        (dict(), 30, Y[:1].repeat(30), 'expected two classes'),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, columns, labels, said):
    with pytest.raises(ValueError, match=said):
        KernelRidgeClassifier(**options).fit(kernels(X, [0.1])[:, :columns], labels)
