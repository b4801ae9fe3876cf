"""Comparisons of methods on the same clips: paired intervals over subjects, McNemar's exact test, Holm's correction.

McNemar, Psychometrika 12, 1947, https://doi.org/10.1007/BF02295996; Holm, Scand. J. Stat. 6(2), 1979. The intervals
resample the same subjects for all methods (evaluation/metrics.py), so what makes a subject easy or hard for all of them
drops out of the differences.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import METRICS, QUANTILES, SubjectCounts


class Estimate(NamedTuple):
    """A number with its 95 % percentile interval, which is None where there is only one subject."""

    value: float
    low: float | None
    high: float | None


def contrast(methods: Sequence[Sequence[SubjectCounts]], weights: Sequence[float], metric: str) -> Estimate:
    """Return the weighted sum of a metric of several methods on the same clips.

    Args:
        methods: The counts of each method, one per seed; its score is the mean over them.
        weights: One per method: `[1]` for a mean over seeds, `[1, -1]` for a difference of two methods.
    """
    value = float(_weighted_sum([[counts.scores[metric] for counts in seeds] for seeds in methods], weights))
    if len(methods[0][0].matrices) < 2:
        return Estimate(value, None, None)
    drawn = _weighted_sum([[counts.resampled[metric] for counts in seeds] for seeds in methods], weights)
    return Estimate(value, *np.quantile(drawn, QUANTILES).tolist())


def _weighted_sum(methods: list[list[np.ndarray]], weights: Sequence[float]) -> np.ndarray:
    return sum(weight * np.mean(seeds, axis=0) for seeds, weight in zip(methods, weights, strict=True))


def paired_bootstrap(frames: list[pd.DataFrame], others: list[pd.DataFrame], classes: list) -> dict[str, Estimate]:
    """Return the change of each score from `others` to `frames`: two methods, one table of predictions per seed."""
    check_same_clips([*frames, *others])
    methods = [[SubjectCounts.of(frame, classes) for frame in seeds] for seeds in (frames, others)]
    return {metric.name: contrast(methods, [1, -1], metric.name) for metric in METRICS}


def check_same_clips(frames: list[pd.DataFrame]) -> None:
    """Refuse tables that do not hold the same clips, subjects and labels; the order of the clips is free."""
    truths = [frame.set_index('sample_id')[['subject', 'y_true']].sort_index() for frame in frames]
    if not all(truth.equals(truths[0]) for truth in truths):
        raise InputError(
            'expected predictions of the same clips with the same subjects and labels, but they differ; '
            'compare methods that ran on the same data'
        )


def mcnemar(frame: pd.DataFrame, other: pd.DataFrame) -> dict:
    """Compare two tables of predictions clip by clip, joined by sample_id.

    Returns:
        `only_first` and `only_second`, the clips that one of the two alone predicts correctly, and `p`, the two-sided
        exact binomial probability (1 where the two never differ). It takes the clips as independent.
    """
    check_same_clips([frame, other])
    first, second = (_correct(table) for table in (frame, other))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    # as scipy.stats.binomtest, which takes half a second to import
    p = min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)
    return {'only_first': only_first, 'only_second': only_second, 'p': p}


def _correct(table: pd.DataFrame) -> pd.Series:
    table = table.set_index('sample_id').sort_index()
    return table['y_true'] == table['y_pred']


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: the chance of any false finding among them stays below the level."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
