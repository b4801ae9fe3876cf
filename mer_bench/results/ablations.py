"""What the parts of a method are worth: its ablations against the full model, and the main effects of a full grid.

All changes are of UF1, mean over the seeds, on the same clips; the intervals resample the same subjects for every
method.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from mer_bench.evaluation.paired_tests import holm, mcnemar
from mer_bench.evaluation.statistics import contrast_bootstrap, paired_bootstrap
from mer_bench.results.rows import settings_of
from mer_bench.results.run import Run

Parts = frozenset[str]


@dataclass(frozen=True)
class Family:
    """The runs of a full model and of its ablations, by the overrides that an ablation has beyond the full model.

    Attributes:
        full: name of the full model.
        runs: parts -> runs (one per seed); the full model is the empty set. Parts in the order of their merging.
    """

    full: str
    runs: dict[tuple[str, ...], list[Run]]

    @property
    def by_set(self) -> dict[Parts, list[Run]]:
        return {frozenset(parts): runs for parts, runs in self.runs.items()}


def find_families(methods: list[list[Run]]) -> list[Family]:
    """Find the full models that have ablations among `methods` (each the seeds of one method, on the same data).

    Methods of one config, base name and epoch rule belong together. The full model is the one whose overrides all the
    others have too; where there are two, or one ablation goes by two settings, nothing can be compared.
    """
    groups: dict[tuple, list[list[Run]]] = {}
    for runs in methods:
        record = runs[0].record
        key = record['config']['name'], record['method'].split('+')[0], record['epoch_rule']
        groups.setdefault(key, []).append(runs)
    return [family for group in groups.values() if (family := _family(group))]


def _family(methods: list[list[Run]]) -> Family | None:
    overrides = [_overrides(runs) for runs in methods]
    fewest = min(len(names) for names in overrides)
    smallest = [i for i, names in enumerate(overrides) if len(names) == fewest]
    if len(smallest) > 1:
        return None
    full = overrides[smallest[0]]
    ablations = [
        (tuple(name for name in names if name not in full), runs)
        for names, runs in zip(overrides, methods, strict=True)
        if set(full) <= set(names)
    ]
    families = dict(ablations)
    if len(families) < 2 or len({frozenset(parts) for parts in families}) < len(ablations):
        return None
    order = sorted(families, key=lambda parts: (len(parts), parts))
    return Family(methods[smallest[0]][0].record['method'], {parts: families[parts] for parts in order})


def _overrides(runs: list[Run]) -> list[str]:
    return [override['name'] for override in runs[0].record['overrides']]


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
    return rows


def _compare(name: str, ablation: list[Run], full: list[Run]) -> dict:
    classes = full[0].record['classes']
    frames, others = _frames(ablation), _frames(full)
    result = paired_bootstrap(frames, others, classes)['uf1']
    low, high = result['interval'] or (None, None)
    seed = _common_seed(ablation, full)
    row = {
        'ablation': name,
        'method': ablation[0].record['method'],
        'full': full[0].record['method'],
        'settings': settings_of(ablation[0]),
        'uf1': sum(run.scores['full']['uf1'] for run in ablation) / len(ablation),
        'change': result['change'],
        'change_low': low,
        'change_high': high,
        'seeds': len(ablation),
    }
    test = mcnemar(others[_place_of(full, seed)], frames[_place_of(ablation, seed)])
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


def _frames(runs: list[Run]) -> list:
    return [run.predictions for run in runs]


def find_grids(family: Family) -> list[tuple[str, ...]]:
    """Return the sets of two or more parts of which every combination has run, largest first, none within another."""
    known = family.by_set
    grids: list[tuple[str, ...]] = []
    for parts in sorted(family.runs, key=lambda parts: (-len(parts), parts)):
        complete = all(subset in known for subset in _subsets(parts))
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
    subsets = list(_subsets(parts))
    methods = [_frames(family.by_set[subset]) for subset in subsets]
    classes = next(iter(family.runs.values()))[0].record['classes']
    rows = []
    for effect in [*combinations(parts, 1), *combinations(parts, 2)]:
        weights = [effect_weight(effect, subset, len(parts)) for subset in subsets]
        result = contrast_bootstrap(methods, weights, classes)['uf1']
        low, high = result['interval'] or (None, None)
        rows.append({'effect': effect, 'change': result['change'], 'change_low': low, 'change_high': high})
    return rows


def effect_weight(effect: tuple[str, ...], subset: Parts, n_parts: int) -> float:
    """Return the weight of one method of a 2^n grid in an effect: -1 or 1 over the number of pairs compared."""
    present = sum(part in subset for part in effect)
    return (-1) ** (len(effect) - present) / 2 ** (n_parts - len(effect))


def _subsets(parts: tuple[str, ...]) -> Iterable[Parts]:
    return (frozenset(chosen) for size in range(len(parts) + 1) for chosen in combinations(parts, size))
