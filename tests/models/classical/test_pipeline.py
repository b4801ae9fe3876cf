"""Methods of scikit-learn from their config."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mer_bench.errors import InputError
from mer_bench.models.classical.pipeline import build_steps, class_scores, split_steps

CLASSES = ('negative', 'positive', 'surprise')


def test_only_the_leading_steps_that_learn_nothing_are_computed_once():
    steps = build_steps([dict(type='Normalizer'), dict(type='StandardScaler'), dict(type='LinearSVC')], seed=3)
    once, model = split_steps(steps)
    assert [type(step).__name__ for step in once] == ['Normalizer']
    assert [type(step).__name__ for step in model] == ['StandardScaler', 'LinearSVC']
    assert model[-1].random_state == 3


def test_what_learns_is_never_computed_once():
    once, _ = split_steps(build_steps([dict(type='StandardScaler'), dict(type='LinearSVC')], seed=0))
    assert once == []


@pytest.mark.parametrize(
    'classifier', [LogisticRegression(), LinearSVC(), DummyClassifier(strategy='stratified', random_state=0)]
)
@pytest.mark.parametrize('known', [CLASSES, CLASSES[:2]])
def test_the_highest_score_is_the_prediction_and_an_unseen_class_has_the_least(classifier, known):
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)), np.array([*known] * 30)[:30]
    model = make_pipeline(StandardScaler(), classifier).fit(features, labels)
    scores = class_scores(model, features, CLASSES)
    assert [CLASSES[i] for i in scores.argmax(1)] == model.predict(features).tolist()
    unseen = [i for i, name in enumerate(CLASSES) if name not in known]
    assert (scores[:, unseen] <= scores.min(1, keepdims=True)).all()


def test_an_unknown_step_or_argument_is_named():
    with pytest.raises(InputError, match="got 'LinearSVM'"):
        build_steps([dict(type='LinearSVM')], seed=0)
    with pytest.raises(InputError, match='correct the arguments of LinearSVC'):
        build_steps([dict(type='LinearSVC', c=1)], seed=0)
