"""What the parts of a method are worth: its ablations against the full model, and the main effects of a full grid.

All changes are of UF1, mean over the seeds, on the same clips; the intervals resample the same subjects for every
method.
"""

import math
from collections.abc import Callable, Iterable
from itertools import combinations

import numpy as np

from mer_bench.evaluation.paired_tests import holm, mcnemar
from mer_bench.results.families import Family, Parts
from mer_bench.results.rows import round_number, rounded, settings_of
from mer_bench.results.run import Run


def compare(family: Family) -> list[dict]:
    """Compare every ablation of a family with its full model.

    Returns:
        Per ablation: ablation, method, full, settings (see rows.settings_of), uf1, seeds, change, change_low,
        change_high, only_full and only_ablation (clips that one of the two alone answers rightly, of one seed),
        mcnemar_seed, mcnemar_p, and mcnemar_p_holm, corrected for the number of ablations.
    """
    full, *ablations = family.runs.items()
    rows = [_compare('+'.join(parts), runs, full[1]) for parts, runs in ablations]
    for row, p in zip(rows, holm([row['mcnemar_p'] for row in rows]), strict=True):
        row['mcnemar_p_holm'] = p
    return [rounded(row) for row in rows]


def mean_uf1(runs: list[Run]) -> float:
    """Return the mean UF1 over the seeds of a method."""
    return round_number(math.fsum(run.scores['full']['uf1'] for run in runs) / len(runs))


def _compare(name: str, ablation: list[Run], full: list[Run]) -> dict:
    change, low, high = _contrast([ablation, full], [1, -1])
    seed = _common_seed(ablation, full)
    row = {
        'ablation': name,
        'method': ablation[0].record['method'],
        'full': full[0].record['method'],
        'settings': settings_of(ablation[0]),
        'uf1': mean_uf1(ablation),
        'change': float(change),
        'change_low': low,
        'change_high': high,
        'seeds': len(ablation),
    }
    test = mcnemar(full[_place_of(full, seed)].predictions, ablation[_place_of(ablation, seed)].predictions)
    return row | {
        'only_full': test['only_first'],
        'only_ablation': test['only_second'],
        'mcnemar_seed': seed,
        'mcnemar_p': test['p'],
    }


def _place_of(runs: list[Run], seed: int | None) -> int:
    """The first where the two methods have no seed in common."""
    return 0 if seed is None else [run.record['seed'] for run in runs].index(seed)


def _common_seed(first: list[Run], second: list[Run]) -> int | None:
    common = {run.record['seed'] for run in first} & {run.record['seed'] for run in second}
    return min(common, default=None)


def _contrast(methods: list[list[Run]], weights: list[float]) -> tuple[float, float | None, float | None]:
    """Return the weighted sum of the UF1 of methods (each its seeds) on the same clips, with a paired 95 % interval.

    See `statistics.contrast_bootstrap`; here every run is resampled once, for all that is made of it.
    """
    pairs = list(zip(methods, weights, strict=True))
    change = sum(weight * mean_of(runs, lambda run: run.scores['full']['uf1']) for runs, weight in pairs)
    if len(methods[0][0].counts) < 2:
        return change, None, None
    drawn = sum(weight * mean_of(runs, lambda run: run.resampled['uf1']) for runs, weight in pairs)
    return change, *np.quantile(drawn, [0.025, 0.975]).tolist()


def mean_of(runs: list[Run], value: Callable[[Run], np.ndarray]) -> np.ndarray:
    """Return the mean of a value over the seeds of a method."""
    return np.mean([value(run) for run in runs], axis=0)


def find_grids(family: Family) -> list[tuple[str, ...]]:
    """Return the sets of two or more parts of which every combination has run, largest first, none within another."""
    known = family.by_set
    grids: list[tuple[str, ...]] = []
    for parts in sorted(family.runs, key=lambda parts: (-len(parts), parts)):
        complete = all(subset in known for subset in subsets_of(parts))
        if len(parts) > 1 and complete and not any(set(parts) <= set(grid) for grid in grids):
            grids.append(parts)
    return grids


def main_effects(family: Family, parts: tuple[str, ...]) -> list[dict]:
    """Return the main effect of each part of a full grid, and the interactions of two.

    The main effect of a part is the mean, over all combinations of the other parts, of the change that it makes. The
    interaction of two is the mean change of one where the other is ablated as well, less that where it is not.

    Returns:
        Per effect: effect (one or two parts), change, change_low, change_high.
    """
    subsets = list(subsets_of(parts))
    methods = [family.by_set[subset] for subset in subsets]
    rows = []
    for effect in [*combinations(parts, 1), *combinations(parts, 2)]:
        weights = [effect_weight(effect, subset, len(parts)) for subset in subsets]
        change, low, high = _contrast(methods, weights)
        row = {'effect': effect, 'change': float(change), 'change_low': low, 'change_high': high}
        rows.append(rounded(row))
    return rows


def effect_weight(effect: tuple[str, ...], subset: Parts, n_parts: int) -> float:
    """Return the weight of one method of a 2^n grid in an effect: -1 or 1 over the number of pairs compared."""
    present = sum(part in subset for part in effect)
    return (-1) ** (len(effect) - present) / 2 ** (n_parts - len(effect))


def subsets_of(parts: Iterable[str]) -> Iterable[Parts]:
    """Return every combination of `parts`, the empty one first."""
    parts = tuple(parts)
    return (frozenset(chosen) for size in range(len(parts) + 1) for chosen in combinations(parts, size))
