"""The least-squares SVM against scikit-learn's ridge regression."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from mer_bench.models.classical.least_squares_svm import LeastSquaresSVM

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(30, 8)), RNG.normal(size=(5, 8))
Y = np.array(['negative', 'positive', 'surprise'])[RNG.integers(0, 3, 30)]


@pytest.mark.parametrize('labels', [Y, np.where(Y == 'surprise', 'surprise', 'other')])
@pytest.mark.parametrize('weights', [None, 'balanced', {'surprise': 3}])
def test_with_a_linear_kernel_it_is_ridge_regression_on_signs(labels, weights):
    ours = LeastSquaresSVM(C=0.25, class_weight=weights).fit(X, labels)
    theirs = RidgeClassifier(alpha=4, class_weight=weights).fit(X, labels)
    np.testing.assert_allclose(ours.decision_function(Z), theirs.decision_function(Z), atol=1e-12)
    assert ours.predict(Z).tolist() == theirs.predict(Z).tolist()


def test_a_kernel_with_a_bias_is_a_centred_kernel_on_centred_targets():
    targets = np.where(Y[:, None] == np.unique(Y), 1.0, -1.0)
    centre = KernelCenterer().fit(rbf_kernel(X, gamma=0.1))
    fitted = KernelRidge(alpha=0.5, kernel='precomputed').fit(
        centre.transform(rbf_kernel(X, gamma=0.1)), targets - targets.mean(0)
    )
    expected = fitted.predict(centre.transform(rbf_kernel(Z, X, gamma=0.1))) + targets.mean(0)
    ours = LeastSquaresSVM(C=2, kernel='rbf', gamma=0.1).fit(X, Y)
    np.testing.assert_allclose(ours.decision_function(Z), expected, atol=1e-12)


def test_a_precomputed_kernel_is_taken_as_it_is():
    ours = LeastSquaresSVM(kernel='precomputed').fit(X @ X.T, Y)
    assert ours.predict(Z @ X.T).tolist() == LeastSquaresSVM().fit(X, Y).predict(Z).tolist()


@pytest.mark.parametrize(
    ('C', 'labels', 'said'), [(0, Y, 'must be above 0'), (1, Y[:1].repeat(30), 'expected two classes')]
)
def test_what_cannot_be_fitted_is_refused(C, labels, said):
    with pytest.raises(ValueError, match=said):
        LeastSquaresSVM(C=C).fit(X, labels)
