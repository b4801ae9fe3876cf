"""Checks that committed records and leaderboards agree with the predictions they were made from."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.escaping import without_paths
from mer_bench.files import digest_of
from mer_bench.results.ablations import Parts, group_methods, subsets_of
from mer_bench.results.collect import COMMITTED, sum_faults
from mer_bench.results.comparable import data_keys
from mer_bench.results.page import page_of, page_of_failure
from mer_bench.results.pages import Pages, beside, make_pages_of, render_pages
from mer_bench.results.record import FAILURE, RECORD, Failure
from mer_bench.results.run import Method, Run, find_runs, group_by, methods_of, read_runs
from mer_bench.results.sanity import ANY, Bound, read_bounds

Failed = set[tuple[str | None, str, int]]  # page, method and seed of the runs that failed
LARGEST = 10  # ablations of a grid: 1024 methods


def check_results(results: list[str | Path], folder: Path) -> list[str]:
    """Recompute every record from its predictions, and every page from the records.

    Returns:
        One sentence per fault. If files are faulty, only their faults: without them, neither tables nor seeds can be
        checked.

    Raises:
        InputError: A path is not there.
    """
    for path in (*results, folder):
        if not Path(path).exists():
            raise InputError(f'{path}: expected results and leaderboards to check, but it is not there; check the path')
    if faults := [fault for path in results for fault in sum_faults(Path(path), COMMITTED)]:
        return faults
    records, failures, runs = [], [], []
    with _noted(faults):
        records, failures = find_runs(results)
    for path in records:
        with _noted(faults):
            runs += read_runs([path])
    if faults := faults + file_faults(results, runs, failures):
        return faults
    faults = grid_faults(runs, failures)
    with _noted(faults):
        pages = make_pages_of(runs, failures, results)
        bounds = read_bounds(beside(results, 'sanity_bounds.csv'))
        faults += sanity_faults(pages) + bound_faults(pages, bounds) + page_faults(render_pages(pages), folder)
    return faults


@contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
    """Note an InputError of the block as a fault."""
    try:
        yield
    except InputError as error:
        faults.append(str(error))


def file_faults(results: list[str | Path], runs: list[Run], failures: list[Failure]) -> list[str]:
    """Name changed overrides, misplaced folders, paths in reasons, and predictions without a record."""
    ours = [run for run in runs if not run.rescored]
    faults = [
        f'{run.path}: expected the digest of the override {override["name"]} to be that of its text, but it is '
        'another; collect the run again'
        for run in ours
        for override in run.record['overrides']
        if digest_of(override['text']) != override['digest']
    ]
    for found in (*ours, *failures):
        try:
            place = found.place
        except InputError as error:
            faults.append(f'{found.path}: {error}')
        else:
            if found.path.resolve().parent.parts[-3:] != place.parts:
                faults.append(
                    f'{found.path}: expected the folder {place}, which its own names give; collect the run again'
                )
    faults += [
        f'{failure.path}: expected a reason without paths of a machine; collect the run again'
        for failure in failures
        if without_paths(failure.content['reason']) != failure.content['reason']
    ]
    stray = {
        path
        for folder in results
        for path in Path(folder).rglob('predictions.csv')
        if not any(path.with_name(name).is_file() for name in (RECORD, FAILURE))
    }
    return faults + [
        f'{path}: expected a record.json beside it, but there is none; add it or remove the file'
        for path in sorted(stray)
    ]


def grid_faults(runs: list[Run], failures: list[Failure]) -> list[str]:
    """Name every method without a seed or data set that others in its table have, and every missing combination.

    Failed runs do not count as missing.
    """
    failed = {(page_of_failure(f, runs), f.content['method'], f.content['seed']) for f in failures}
    faults = []
    ours = [run for run in runs if not run.rescored]
    keys = data_keys(ours)
    for group in group_by(ours, lambda run: keys[run.path]).values():
        faults += _seed_faults(group, failed)
        for methods in group_methods(methods_of(group)):
            faults += _combination_faults(methods, failed)
    return faults


def _seed_faults(group: list[Run], failed: Failed) -> list[str]:
    faults = []
    table, seeds = page_of(group[0]), {run.record['seed'] for run in group}
    datasets = {name for run in group for name in run.scores}
    for method in methods_of(group):
        name = method.name
        missing = sorted(seed for seed in seeds - method.seeds.keys() if (table, name, seed) not in failed)
        alone = {*method.seeds} == {min(seeds)}  # of one that draws nothing, or takes long
        if missing and not alone and not method.repeat:
            faults.append(
                f'{table}: expected {name} with the first seed of this table or with all of them, but seed '
                f'{", ".join(map(str, missing))} is missing; run it, or remove the other seeds of this method'
            )
        for run in method.runs:
            faults += [
                f'{run.path}: expected the data sets of the other methods, but {lacking} is missing; run it again'
                for lacking in sorted(datasets - run.scores.keys())
            ]
    return faults


def _combination_faults(methods: list[Method], failed: Failed) -> list[str]:
    """Name the combinations that a grid of ablations lacks: see :func:`missing_combinations`."""
    overrides = [frozenset(method.overrides) for method in methods]
    shared = frozenset.intersection(*overrides)
    table, first = page_of(methods[0].runs[0]), methods[0].name.split('+')
    words = [word for word in first if word not in overrides[0] - shared]
    known = {frozenset(name.split('+')) for page, name, _ in failed if page == table}
    return [
        f'{table}: expected every combination of the ablations that ran together, but '
        f'{"+".join([*words, *sorted(parts)])} is missing; run it, or remove the others'
        for parts in missing_combinations({names - shared for names in overrides})
        if frozenset([*words, *parts]) not in known
    ]


def missing_combinations(present: set[Parts]) -> list[Parts]:
    """Return the combinations that are missing among those of ablations that ran together.

    These are the subsets of every combination of two or more that is in no larger one; and, where all ablations
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


def sanity_faults(pages: Pages) -> list[str]:
    """Name every method below its sanity bound without a stated reason."""
    return [
        f'{name}: expected {row["method"]} to reach its sanity bound UF1 {row["sanity_uf1"]:.4f}, but it has '
        f'{row["uf1"]:.4f}; find the fault, or state the reason in sanity_bounds.csv'
        for name, page in pages.pages.items()
        for section in page.sections
        for row in section.rows
        if not row.get('sanity_reached', True) and not row['sanity_reason']
    ]


def bound_faults(pages: Pages, bounds: dict[tuple[str, str], Bound]) -> list[str]:
    """Name every bound of a method that is not on its page, where there is such a page."""
    return [
        f'sanity_bounds.csv: expected a method of the page {table}, found {method}; correct or remove the row'
        for table, method in bounds
        if table in pages.pages and method != ANY and method not in pages.pages[table].known_methods
    ]


def page_faults(expected: dict[str, str], folder: Path) -> list[str]:
    """Compare the files of a folder byte for byte with what they should be."""
    present = {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    faults = []
    for name, text in sorted(expected.items()):
        if name not in present:
            faults.append(f'{folder / name}: expected this file, but it is missing; run mer-bench leaderboard')
        elif present[name].is_dir():
            faults.append(f'{folder / name}: expected this file, but it is a folder; remove it')
        elif (found := present[name].read_bytes()) != text.encode():
            lines = zip_longest(found.split(b'\n'), text.encode().split(b'\n'))
            line = next(number for number, pair in enumerate(lines, 1) if pair[0] != pair[1])
            faults.append(
                f'{folder / name}: expected what the records give, but it differs in line {line}; '
                'run mer-bench leaderboard'
            )
    return faults + [
        f'{path}: expected only what the records give, but no record gives this file; remove it'
        for name, path in present.items()
        if name not in expected
    ]
