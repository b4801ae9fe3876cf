"""Discriminant analysis by partial least squares."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from mer_bench.models.classical.pls import PLSClassifier

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(40, 4)), RNG.normal(size=(6, 4))
Y = np.array(['negative', 'positive', 'surprise'])[RNG.integers(0, 3, 40)]


@pytest.mark.parametrize('labels', [Y, np.where(Y == 'surprise', 'surprise', 'other')])
def test_with_all_components_it_is_least_squares_on_one_hot_targets(labels):
    classes = np.unique(labels)
    expected = LinearRegression().fit(X, labels[:, None] == classes).predict(Z)
    ours = clone(PLSClassifier(4)).fit(X, labels)
    found = ours.decision_function(Z)
    np.testing.assert_allclose(found, expected if len(classes) == 3 else expected[:, 1] - expected[:, 0], atol=1e-10)
    assert ours.predict(Z).tolist() == classes[expected.argmax(1)].tolist()


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match='expected two classes'):
        PLSClassifier().fit(X, Y[:1].repeat(40))
