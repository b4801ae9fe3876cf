"""How sure is the score of a class? Calibration error, Brier score, and temperature scaling of the class scores.

The expected calibration error and temperature scaling are those of Guo et al., ICML 2017,
https://arxiv.org/abs/1706.04599; the score is that of Brier, Monthly Weather Review 78(1), 1950, the sum over all
classes (0 to 2), which scikit-learn's brier_score_loss gives for three classes and more.

Scores are probabilities if they are never negative and those of a clip add to 1. Distances to a boundary are none, so
they get no number without a temperature: softmax(score / T). Probabilities are scaled by their logarithms, which for a
softmax are its inputs up to a constant. A temperature changes no predicted class.

A temperature is fitted inside a fold, to scores of its training subjects (runs/selection.py). One fitted to the pooled
predictions of all folds would leak: the models of the other folds were trained on the subject that a fold holds out.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mer_bench.errors import InputError

BINS = 15
SUM_ERROR = 1e-3  # of probabilities that are rounded
TINY = 1e-12  # in place of a probability of 0, whose logarithm is not finite
COLDEST, HOTTEST = 1e-3, 1e3  # temperatures
PROBABILITIES, SCORES = 'probabilities', 'scores'  # what a temperature is of


def are_probabilities(scores: np.ndarray) -> bool:
    """Return whether scores (N, C) are probabilities of the classes."""
    return bool((scores >= 0).all() and np.allclose(scores.sum(1), 1, rtol=0, atol=SUM_ERROR))


def heated(scores: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Return softmax(scores / T), (N, C), for scores (N, C) and one T or one of each clip, (N, 1)."""
    shifted = np.exp((scores - scores.max(1, keepdims=True)) / temperatures)
    return shifted / shifted.sum(1, keepdims=True)


def _logits(scores: np.ndarray, of: str) -> np.ndarray:
    return np.log(np.maximum(scores, TINY)) if of == PROBABILITIES else scores


def scaled_by(scores: np.ndarray, temperature: Mapping) -> np.ndarray:
    """Return the probabilities of scores, (N, C), after a temperature that :func:`fit_temperature` returned."""
    return heated(_logits(scores, temperature['of']), temperature['value'])


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> dict:
    """Fit the temperature with the highest likelihood.

    Args:
        scores: (N, C), predicted by models that were not trained on these clips.
        truth: (N,) positions of the true classes.

    Returns:
        `value`, to six digits, from `COLDEST` to `HOTTEST`, and `of`, `PROBABILITIES` or `SCORES`.
    """
    from scipy.optimize import minimize_scalar

    of = PROBABILITIES if are_probabilities(scores) else SCORES
    logits = _logits(scores, of)

    def loss(log_temperature: float) -> float:
        chances = heated(logits, math.exp(log_temperature))[np.arange(len(truth)), truth]
        return -float(np.log(np.maximum(chances, TINY)).mean())

    # the loss is convex in 1 / T, so it has one minimum
    found = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method='bounded')
    return dict(value=float(f'{math.exp(found.x):.6g}'), of=of)


def bins_of(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Sort clips by the probability of their likeliest class into 15 bins of equal width, as ((m - 1)/15, m/15].

    Args:
        probabilities: (N, C).
        truth: (N,) positions of the true classes.

    Returns:
        For each bin `clips`, and the sums over its clips of `confidence`, that probability, of `correct`, whether that
        class is the true one, and of `variance`, confidence (1 - confidence).
    """
    confidence = probabilities.max(1)
    # 9 decimals, so that 0.6 from another order of sums is in the same bin
    place = np.clip(np.ceil(np.round(confidence * BINS, 9)).astype(int) - 1, 0, BINS - 1)
    columns = dict(
        clips=np.ones(len(truth)),
        confidence=confidence,
        correct=probabilities.argmax(1) == truth,
        variance=confidence * (1 - confidence),
    )
    return {name: np.bincount(place, weights, BINS) for name, weights in columns.items()}


def measure(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return `ece`, `ece_by_chance` and `brier` of probabilities (N, C) and the positions of the true classes, (N,).

    `ece_by_chance` is about the error that calibrated probabilities would have, because a bin holds few clips: the mean
    deviation of a sum of independent clips from its mean (normal approximation).
    """
    bins, n = bins_of(probabilities, truth), len(truth)
    return dict(
        ece=float(np.abs(bins['confidence'] - bins['correct']).sum() / n),
        ece_by_chance=float(np.sqrt(2 / np.pi * np.maximum(bins['variance'], 0)).sum() / n),
        brier=float(((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(1).mean()),
    )


def probabilities_of(
    table: Mapping[str, Sequence], classes: Sequence[str], temperatures: Mapping[str, dict] | None = None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray] | None:
    """Return the probabilities in predictions.

    Args:
        table: The columns y_true, `score_<class>` of each class and, with temperatures, fold.
        classes: Names of the classes.
        temperatures: Of each fold what :func:`fit_temperature` returned.

    Raises:
        InputError: A fold of the table has no temperature.

    Returns:
        The scores as they are, (N, C), None if they are no probabilities; the same after temperature scaling, None
        without temperatures; the positions of the true classes, (N,). None where there are no scores.
    """
    columns = [f'score_{name}' for name in classes]
    if any(name not in table for name in columns):
        return None
    scores = np.array([table[name] for name in columns], float).T
    places = {name: place for place, name in enumerate(classes)}
    truth, scaled = np.array([places[label] for label in table['y_true']]), None
    if temperatures:
        scaled = np.empty_like(scores)
        folds = np.array(table['fold'] if 'fold' in table else ['none'] * len(truth), object)
        if missing := sorted({*folds} - temperatures.keys()):
            raise InputError(
                f'expected a temperature for each fold of the predictions, found none for {missing[0]}; take the '
                'record of these predictions'
            )
        for fold, temperature in temperatures.items():
            rows = folds == fold
            scaled[rows] = scaled_by(scores[rows], temperature)
    return scores if are_probabilities(scores) else None, scaled, truth


def calibration(
    table: Mapping[str, Sequence], classes: Sequence[str], temperatures: Mapping[str, dict] | None = None
) -> dict | None:
    """Return what :func:`measure` does for the scores as they are (`raw`) and after temperature scaling (`scaled`).

    Args:
        table, classes, temperatures: As of :func:`probabilities_of`.

    Returns:
        Each None where it does not apply; None where there are no scores.
    """
    found = probabilities_of(table, classes, temperatures)
    if found is None:
        return None
    *both, truth = found
    raw, scaled = (None if each is None else measure(each, truth) for each in both)
    return dict(raw=raw, scaled=scaled)
