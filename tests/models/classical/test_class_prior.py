"""Draws by the shares of the classes."""

import numpy as np
from sklearn.base import clone

from mer_bench.models.classical.class_prior import ClassPrior

LABELS = ['negative'] * 6 + ['positive'] * 3 + ['surprise']


def fitted(seed=0):
    return ClassPrior(random_state=seed).fit(np.zeros((10, 4)), LABELS)


def random_rows(n):
    return np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)


def test_classes_are_drawn_by_their_shares():
    predicted = fitted().predict(random_rows(3000))
    for name, share in (('negative', 0.6), ('positive', 0.3), ('surprise', 0.1)):
        assert abs(np.mean(predicted == name) - share) < 0.03  # three standard deviations


def test_the_draw_of_a_clip_does_not_depend_on_the_others():
    rows = random_rows(50)
    np.testing.assert_array_equal(fitted().predict(rows)[20:], fitted().predict(rows[20:]))


def test_another_seed_draws_otherwise():
    rows = random_rows(50)
    assert (fitted(seed=0).predict(rows) != fitted(seed=1).predict(rows)).any()


def test_the_highest_score_is_the_prediction():
    model, rows = clone(fitted()).fit(np.zeros((10, 4)), LABELS), random_rows(20)
    assert model.classes_[model.predict_proba(rows).argmax(axis=1)].tolist() == model.predict(rows).tolist()
