"""Comparisons of methods on the same clips: paired intervals over subjects, McNemar's exact test, Holm's correction.

McNemar, Psychometrika 12, 1947, https://doi.org/10.1007/BF02295996; Holm, Scand. J. Stat. 6(2), 1979. The intervals
(evaluation/intervals.py) leave out the same subject of all methods, so what makes a subject easy or hard for all
methods cancels out.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.intervals import difference_interval, score_interval, subject_error
from mer_bench.evaluation.metrics import SubjectCounts

DETECTABLE = 2.8016  # standard errors: the 97.5 % and 80 % points of the normal distribution, 1.9600 + 0.8416
WIDER = 1.1**2 - 1  # of a variance: an interval that is 10 % wider
ZERO = 1e-12  # what rounding leaves of a standard error of zero


class Estimate(NamedTuple):
    """A number with its 95 % interval, which is None where there is only one subject."""

    value: float
    low: float | None
    high: float | None

    @property
    def interval(self) -> str:
        """The interval as text, as in [-0.0312, +0.1020]."""
        return 'one subject' if self.low is None else f'[{signed(self.low)}, {signed(self.high)}]'


def signed(number: float, digits: int = 4) -> str:
    """Return a number with its sign and four decimals, or others; no minus before a zero."""
    return f'{round(number, digits) + 0.0:+.{digits}f}'


def contrast(methods: Sequence[Sequence[SubjectCounts]], weights: Sequence[float], metric: str) -> Estimate:
    """Return the weighted sum of a metric of several methods on the same clips.

    The interval covers the choice of the subjects and, of each method with several seeds, that of the seeds.

    Args:
        methods: The counts of each method, one per seed; its score is the mean over them.
        weights: One per method: `[1]` for a mean over seeds, `[1, -1]` for a difference of two methods.
    """
    value = float(_weighted_sum([[counts.scores[metric] for counts in seeds] for seeds in methods], weights))
    if len(methods[0][0].matrices) < 2:
        return Estimate(value, None, None)
    error, freedom = _error_and_freedom(methods, weights, metric)
    if len(methods) == 1:
        ends = score_interval(value, error, freedom)
    else:
        bounds = (sum(limit(weight, 0) for weight in weights) for limit in (min, max))
        ends = difference_interval(value, error, freedom, *bounds)
    return Estimate(value, *map(float, ends))


def _error_and_freedom(
    methods: Sequence[Sequence[SubjectCounts]], weights: Sequence[float], metric: str
) -> tuple[float, float]:
    """Return the standard error of a contrast over subjects and seeds, and its degrees of freedom.

    The variances of independent sources add up, and their degrees of freedom combine (Satterthwaite, Biometrics
    Bulletin 2(6), 1946, https://doi.org/10.2307/3002019).
    """
    parts = [(_subject_error(methods, weights, metric) ** 2, methods[0][0].freedom)]
    for seeds, weight in zip(methods, weights, strict=True):
        if len(seeds) > 1:
            parts.append((weight**2 * seed_variance(seeds, metric) / len(seeds), len(seeds) - 1))
    variance = sum(part for part, _ in parts)
    if variance <= ZERO**2:
        return 0.0, parts[0][1]
    return math.sqrt(variance), variance**2 / sum(part**2 / freedom for part, freedom in parts)


def _subject_error(methods: Sequence[Sequence[SubjectCounts]], weights: Sequence[float], metric: str) -> float:
    """Return the standard error of a contrast over the subjects, the same ones for all methods and seeds."""
    left_out = [[counts.left_out[metric] for counts in seeds] for seeds in methods]
    return float(subject_error(_weighted_sum(left_out, weights)))


def seed_variance(seeds: Sequence[SubjectCounts], metric: str) -> float:
    """Return the variance of a score between seeds, of at least two."""
    return float(np.var([counts.scores[metric] for counts in seeds], ddof=1))


def _weighted_sum(methods: list[list[np.ndarray]], weights: Sequence[float]) -> np.ndarray:
    return sum(weight * np.mean(seeds, axis=0) for seeds, weight in zip(methods, weights, strict=True))


def seeds_needed(first: Sequence[SubjectCounts], second: Sequence[SubjectCounts], metric: str) -> int | None:
    """Return how many seeds of each method widen the interval of their difference by at most 10 %.

    With k seeds, the variance of the difference is V + (a + b) / k: V that over the subjects, a and b those between the
    seeds of the two methods. So k is (a + b) / (0.21 V), where 1.1^2 = 1.21. The variance of a method with one seed is
    not known; that of the other stands for it. More seeds hardly help: only more subjects do.

    Returns:
        None where no method has several seeds, or no subject differs.
    """
    known = [seed_variance(seeds, metric) for seeds in (first, second) if len(seeds) > 1]
    if not known or len(first[0].matrices) < 2 or (error := _subject_error([first, second], [1, -1], metric)) <= ZERO:
        return None
    return max(1, math.ceil(2 * float(np.mean(known)) / (WIDER * error**2)))


def detectable_difference(
    pairs: Iterable[tuple[Sequence[SubjectCounts], Sequence[SubjectCounts]]], metric: str
) -> float | None:
    """Return the smallest true difference between two methods that these subjects would show in 80 % of cases.

    A two-sided test at 5 % finds a difference of 1.96 + 0.84 = 2.80 standard errors with a probability of 80 % (normal
    approximation; Bloom, Evaluation Review 19(5), 1995, https://doi.org/10.1177/0193841X9501900504). The standard
    error of each difference is that of its interval; the median over the pairs is taken.

    Args:
        pairs: The counts of two methods on the same clips, each one per seed.

    Returns:
        None where there is one subject only, or no pair that ever differs.
    """
    pairs = [pair for pair in pairs if len(pair[0][0].matrices) > 1]
    errors = [_error_and_freedom(pair, [1, -1], metric)[0] for pair in pairs]
    differing = [error for error in errors if error > ZERO]
    return DETECTABLE * float(np.median(differing)) if differing else None


def mcnemar(frame: pd.DataFrame, other: pd.DataFrame) -> dict:
    """Compare two tables of predictions clip by clip, joined by sample_id.

    Returns:
        `only_first` and `only_second`, the clips that one of the two alone predicts correctly, and `p`, the two-sided
        exact binomial probability (1 where the two never differ). It takes the clips as independent.

    Raises:
        InputError: the tables differ in their clips, subjects or labels; the order of the clips is free.
    """
    tables = [table.set_index('sample_id')[['subject', 'y_true', 'y_pred']].sort_index() for table in (frame, other)]
    truths = [table[['subject', 'y_true']] for table in tables]
    if not truths[0].equals(truths[1]):
        raise InputError(
            'expected predictions of the same clips with the same subjects and labels, but they differ; '
            'compare methods that ran on the same data'
        )
    first, second = ((table['y_true'] == table['y_pred']).to_numpy() for table in tables)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    # as scipy.stats.binomtest, which takes half a second to import
    p = min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)
    return {'only_first': only_first, 'only_second': only_second, 'p': p}


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: the chance of any false finding among them stays below the level."""
    order = np.argsort(p_values, kind='stable')
    steps = np.asarray(p_values, dtype=float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted.tolist()
