"""Cells of a table that are missing: seeds, data sets, and combinations of ablations."""

from mer_bench.results.ablations import subsets_of
from mer_bench.results.families import Parts, group_families, names_of
from mer_bench.results.names import page_of, page_of_failure
from mer_bench.results.record import Failure
from mer_bench.results.run import Run
from mer_bench.results.sections import data_key, group_by, methods_of

Failed = set[tuple[str | None, str, int]]  # page, method and seed of the runs that failed
LARGEST = 10  # ablations of a grid: 1024 methods


def grid_faults(runs: list[Run], failures: list[Failure]) -> list[str]:
    """Name every method that lacks a seed or a data set of the others in its table, and every combination that lacks.

    What failed lacks nothing.
    """
    failed = {(page_of_failure(f, runs), f.content['method'], f.content['seed']) for f in failures}
    faults = []
    for group in group_by([run for run in runs if not run.rescored], data_key).values():
        faults += _seed_faults(group, failed)
        for methods in group_families(methods_of(group)):
            faults += _combination_faults(methods, failed)
    return faults


def _seed_faults(group: list[Run], failed: Failed) -> list[str]:
    faults = []
    table, seeds = page_of(group[0]), {run.record['seed'] for run in group}
    datasets = {name for run in group for name in run.scores}
    for method in methods_of(group):
        name = method[0].record['method']
        there = {run.record['seed'] for run in method}
        missing = sorted(seed for seed in seeds - there if (table, name, seed) not in failed)
        if missing:
            faults.append(
                f'{table}: expected {name} with the seeds of the other methods, but seed '
                f'{", ".join(map(str, missing))} is missing; run it, or take the seed from the others'
            )
        for run in method:
            faults += [
                f'{run.path}: expected the data sets of the other methods, but {lacking} is missing; run it again'
                for lacking in sorted(datasets - run.scores.keys())
            ]
    return faults


def _combination_faults(methods: list[list[Run]], failed: Failed) -> list[str]:
    """Name the combinations that a grid of ablations lacks: see :func:`missing_combinations`."""
    overrides = [frozenset(names_of(runs)) for runs in methods]
    shared = frozenset.intersection(*overrides)
    table, first = page_of(methods[0][0]), methods[0][0].record['method'].split('+')
    words = [word for word in first if word not in overrides[0] - shared]
    known = {frozenset(name.split('+')) for page, name, _ in failed if page == table}
    return [
        f'{table}: expected every combination of the ablations that ran together, but '
        f'{"+".join([*words, *sorted(parts)])} is missing; run it, or take the others away'
        for parts in missing_combinations({names - shared for names in overrides})
        if frozenset([*words, *parts]) not in known
    ]


def missing_combinations(present: set[Parts]) -> list[Parts]:
    """Return the combinations that are missing among those of ablations that ran together.

    These are the subsets of every combination of two or more that stands in no larger one; and, where all ablations
    that ran together have every combination but one, that one.
    """
    together = [parts for parts in present if 1 < len(parts) <= LARGEST]
    largest = [parts for parts in together if not any(parts < other for other in together)]
    missing = {subset for parts in largest for subset in subsets_of(sorted(parts)) if subset not in present}
    everything = frozenset().union(*together)
    if 2 <= len(everything) <= LARGEST:
        lacking = [subset for subset in subsets_of(sorted(everything)) if subset not in present]
        missing |= set(lacking) if len(lacking) == 1 else set()
    return sorted(missing, key=lambda parts: (len(parts), sorted(parts)))
