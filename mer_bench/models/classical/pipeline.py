"""A method of scikit-learn from its config, such as `steps=[dict(type='HOOF'), dict(type='LinearSVC')]`."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators, get_tags

from mer_bench.errors import InputError
from mer_bench.models.classical import ESTIMATORS

USUAL = (  # modules of scikit-learn
    'preprocessing',
    'svm',
    'linear_model',
    'dummy',
    'decomposition',
    'discriminant_analysis',
    'naive_bayes',
    'neighbors',
    'feature_selection',
    'kernel_approximation',
    'ensemble',
    'neural_network',
    'tree',
)


def build_steps(steps: Sequence[dict], seed: int) -> list[BaseEstimator]:
    """Build the steps, of this package or of scikit-learn, each with the run's seed where it draws random numbers.

    Raises:
        InputError: A type is not known, or an argument does not fit it.
    """
    return [build_step(dict(step), seed) for step in steps]


def build_step(step: dict, seed: int) -> BaseEstimator:
    """Build one step from its type and arguments."""
    name = step.pop('type', None)
    found = find_estimator(str(name))
    if found is None:
        raise InputError(
            f'model.steps: expected the type of a descriptor ({", ".join(sorted(ESTIMATORS.module_dict))}) or of '
            f'scikit-learn, got {name!r}; correct it'
        )
    try:
        estimator = found(**step)
    except TypeError as error:
        raise InputError(f'model.steps: {error}; correct the arguments of {name}') from error
    seeds = {key: seed for key in estimator.get_params() if key.split('__')[-1] == 'random_state'}
    return estimator.set_params(**seeds)


def find_estimator(name: str) -> type[BaseEstimator] | None:
    """Return the descriptor of this package or the estimator of scikit-learn with this name; None if there is none."""
    return ESTIMATORS.module_dict.get(name) or find_in_scikit_learn(name)  # ESTIMATORS.get logs, and imports torch


@cache
def find_in_scikit_learn(name: str) -> type[BaseEstimator] | None:
    """Look in the usual modules first, because finding all estimators means importing all of scikit-learn."""
    usual = (getattr(import_module(f'sklearn.{module}'), name, None) for module in USUAL)
    found = next(filter(None, usual), None)
    if isinstance(found, type) and issubclass(found, BaseEstimator):
        return found
    return dict(all_estimators()).get(name)


def split_steps(steps: Sequence[BaseEstimator]) -> tuple[list[BaseEstimator], Pipeline]:
    """Return the leading steps that learn nothing from data, to be computed once, and a Pipeline of the others."""
    learns = [get_tags(step).requires_fit for step in steps[:-1]]
    first = learns.index(True) if True in learns else len(learns)
    names = [f'{i}_{type(step).__name__}' for i, step in enumerate(steps)]
    return list(steps[:first]), Pipeline(list(zip(names, steps, strict=True))[first:])


def class_scores(model: ClassifierMixin | Pipeline, features: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the score of each of `classes` for each row, (N, C): probabilities, or distances to a decision boundary.

    A class that the model has not seen gets the least score.
    """
    if hasattr(model, 'predict_proba'):
        known, least = model.predict_proba(features), 0.0
    else:
        known = model.decision_function(features)
        if known.ndim == 1:  # two classes: the distance in favour of the second
            known = np.stack([-known, known], axis=1)
        least = known.min() - 1
    if known.shape[1] != len(model.classes_):
        raise InputError(
            f'model.steps: expected one score a class of the last step, got {known.shape[1]} for '
            f"{len(model.classes_)} classes; take one against the rest, such as decision_function_shape='ovr'"
        )
    scores = np.full((len(features), len(classes)), least)
    scores[:, [list(classes).index(name) for name in model.classes_]] = known
    return scores
