"""Tests of two methods on the same clips: McNemar's exact test, and Holm's correction for many of them.

McNemar, Psychometrika 12, 1947, https://doi.org/10.1007/BF02295996; Holm, Scand. J. Stat. 6(2), 1979.
"""

import pandas as pd

from mer_bench.evaluation.statistics import check_same_clips


def mcnemar(frame: pd.DataFrame, other: pd.DataFrame) -> dict:
    """Compare two tables of predictions clip by clip, joined by sample_id.

    Returns:
        `only_first` and `only_second`, the clips that one of the two alone answers rightly, and `p`, the two-sided
        exact binomial probability (1 where the two never differ). It takes the clips as independent.
    """
    from scipy.stats import binomtest  # takes a second to import

    check_same_clips([frame, other])
    first, second = (_right(table) for table in (frame, other))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    p = float(binomtest(only_first, differing).pvalue) if differing else 1.0
    return {'only_first': only_first, 'only_second': only_second, 'p': p}


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: the chance of any false finding among them stays below the level."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _right(table: pd.DataFrame) -> pd.Series:
    table = table.set_index('sample_id').sort_index()
    return table['y_true'] == table['y_pred']
