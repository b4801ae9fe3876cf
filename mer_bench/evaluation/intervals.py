"""The one kind of 95 % interval of this project: a jackknife over subjects, with Student's t.

Clips of one person are alike, so the subject is what varies: the standard error comes from leaving out one subject at a
time (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11). Some people show many clips and others
one, so fewer people count than there are: the quantile is that of Student's t for the effective number of subjects
(Kish, Survey Sampling, 1965, section 11.7). A score lies between 0 and 1, so its interval is made on the logit scale;
that of a difference is symmetric. Nothing is drawn at random.

`tools/benchmark.py coverage` chose this kind: docs/trust.md shows how often it and others contain the true score.
"""

import numpy as np

KIND = 'jackknife over subjects, t of the effective number of subjects, logit scale'  # in records
UPPER = 0.975  # of a 95 % interval
MEASURED = 8  # subjects: the fewest of which it is known how often the intervals are right


def subject_error(left_out: np.ndarray) -> np.ndarray:
    """Return the standard error of a score from its values without one of the subjects, (..., S) -> (...)."""
    n = left_out.shape[-1]
    deviations = left_out - left_out.mean(-1, keepdims=True)
    return np.sqrt((n - 1) / n * (deviations**2).sum(-1))


def degrees_of_freedom(clips: np.ndarray) -> np.ndarray:
    """Return the effective number of subjects less 1, at least 1, from the clips of each, (..., S) -> (...)."""
    return np.maximum(clips.sum(-1) ** 2 / (clips**2).sum(-1) - 1, 1)


def score_interval(value: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of a score between 0 and 1.

    At 0 and 1, where no subject differs, it is the exact one for as many right or wrong answers as there are effective
    subjects (Clopper and Pearson, Biometrika 26(4), 1934, https://doi.org/10.1093/biomet/26.4.404).
    """
    from scipy.special import expit, logit  # takes 0.2 seconds to import, which --help need not wait for

    inside = (value > 0) & (value < 1)
    middle = np.where(inside, value, 0.5)
    half = _quantile(freedom) * error / (middle * (1 - middle))
    exact = (1 - UPPER) ** (1 / (freedom + 1))
    low = np.where(inside, expit(logit(middle) - half), np.where(value > 0, exact, 0))
    high = np.where(inside, expit(logit(middle) + half), np.where(value > 0, 1, 1 - exact))
    return low, high


def difference_interval(
    value: np.ndarray, error: np.ndarray, freedom: np.ndarray, least: float = -1, most: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of a difference of scores, which lies between `least` and `most`."""
    half = _quantile(freedom) * error
    return np.maximum(value - half, least), np.minimum(value + half, most)


def _quantile(freedom: np.ndarray) -> np.ndarray:
    from scipy.special import stdtrit

    return stdtrit(freedom, UPPER)
