"""Whether the committed records and leaderboards agree with the predictions that they were made from."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mer_bench.errors import InputError
from mer_bench.results.failures import Failure, find_runs
from mer_bench.results.names import page_of, page_of_failure
from mer_bench.results.pages import Pages, make_pages_of, render_pages
from mer_bench.results.run import Run, read_runs
from mer_bench.results.sections import data_key, group_by, methods_of

T = TypeVar('T')


def check_results(results: list[str | Path], folder: Path) -> list[str]:
    """Compute every record anew from its predictions, and every page anew from the records.

    Returns:
        One sentence per fault, in the order of the files; none where all is well. Records that cannot be read come
        first: without them neither tables nor seeds can be as they were.
    """
    faults: list[str] = []
    found = _or_fault(lambda: find_runs(results), faults)
    if found is None:
        return faults
    records, failures = found
    read = [_or_fault(lambda path=path: read_runs([path]), faults) for path in records]
    runs = [run for single in read if single for run in single]
    if faults:
        return faults
    faults += grid_faults(runs, failures)
    pages = _or_fault(lambda: make_pages_of(runs, failures, results), faults)
    if pages is None:
        return faults
    return faults + sanity_faults(pages) + page_faults(render_pages(pages), folder)


def _or_fault(make: Callable[[], T], faults: list[str]) -> T | None:
    """Return what `make` gives; an InputError becomes a fault."""
    try:
        return make()
    except InputError as error:
        faults.append(str(error))
        return None


def grid_faults(runs: list[Run], failures: list[Failure]) -> list[str]:
    """Name every method that lacks a seed or a data set of the others in its table; one that failed lacks nothing."""
    failed = {(page_of_failure(f, runs), f.content['method'], f.content['seed']) for f in failures}
    faults = []
    for group in group_by([run for run in runs if not run.rescored], data_key).values():
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


def sanity_faults(pages: Pages) -> list[str]:
    """Name every method below its sanity bound for which no reason is written."""
    return [
        f'{name}: expected {row["method"]} to reach its sanity bound UF1 {row["sanity_uf1"]:.4f}, but it has '
        f'{row["uf1"]:.4f}; find the fault, or write the reason into sanity_bounds.csv'
        for name, page in pages.pages.items()
        for section in page.sections
        for row in section.rows
        if not row.get('sanity_reached', True) and not row['sanity_reason']
    ]


def page_faults(expected: dict[str, str], folder: Path) -> list[str]:
    """Compare the files of a folder byte for byte with what they should be."""
    present = {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    faults = []
    for name, text in sorted(expected.items()):
        if name not in present:
            faults.append(f'{folder / name}: expected this file, but it is missing; run tools/leaderboard.py')
        elif present[name].is_dir() or present[name].read_bytes() != text.encode():
            faults.append(
                f'{folder / name}: expected what the records give, but it differs{_where(present[name], text)}; '
                'run tools/leaderboard.py'
            )
    return faults + [
        f'{path}: expected only what the records give, but no record gives this file; remove it'
        for name, path in present.items()
        if name not in expected
    ]


def _where(path: Path, text: str) -> str:
    """Return the first line that differs, as ' in line 3'."""
    if path.is_dir():
        return ''
    found, expected = path.read_bytes().split(b'\n'), text.encode().split(b'\n')
    same = [a == b for a, b in zip(found, expected, strict=False)]
    return f' in line {(same.index(False) if False in same else len(same)) + 1}'
