"""Whether the committed records and leaderboards agree with the predictions that they were made from."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mer_bench.errors import InputError
from mer_bench.escaping import without_paths
from mer_bench.files import digest_of
from mer_bench.results.grid_faults import grid_faults
from mer_bench.results.page import Page
from mer_bench.results.pages import Pages, beside, make_pages_of, render_pages
from mer_bench.results.record import FAILURE, RECORD, Failure, place_of
from mer_bench.results.run import Run, find_runs, read_runs
from mer_bench.results.sanity import ANY, Bound, read_bounds

T = TypeVar('T')


def check_results(results: list[str | Path], folder: Path) -> list[str]:
    """Compute every record anew from its predictions, and every page anew from the records.

    Returns:
        One sentence per fault, in the order of the files; none where all is well. Records that cannot be read come
        first: without them neither tables nor seeds can be as they were.

    Raises:
        InputError: A path is not there.
    """
    for path in (*results, folder):
        if not Path(path).exists():
            raise InputError(f'{path}: expected results and leaderboards to check, but it is not there; check the path')
    faults: list[str] = []
    found = _or_fault(lambda: find_runs(results), faults)
    if found is None:
        return faults
    records, failures = found
    read = [_or_fault(lambda path=path: read_runs([path]), faults) for path in records]
    runs = [run for single in read if single for run in single]
    faults += file_faults(results, runs, failures)
    if faults:
        return faults
    faults += grid_faults(runs, failures)
    pages = _or_fault(lambda: make_pages_of(runs, failures, results), faults)
    if pages is None:
        return faults
    faults += sanity_faults(pages) + bound_faults(pages, read_bounds(beside(results, 'sanity_bounds.csv')))
    return faults + page_faults(render_pages(pages), folder)


def _or_fault(make: Callable[[], T], faults: list[str]) -> T | None:
    """Return what `make` gives; an InputError becomes a fault."""
    try:
        return make()
    except InputError as error:
        faults.append(str(error))
        return None


def file_faults(results: list[str | Path], runs: list[Run], failures: list[Failure]) -> list[str]:
    """Name changed overrides, folders in a wrong place, paths in reasons, and predictions without a record."""
    faults = [fault for run in runs for fault in _run_faults(run)]
    for failure in failures:
        content = failure.content
        faults += _place_faults(failure.path, content['config'], content['method'], content['seed'])
        if without_paths(content['reason']) != content['reason']:
            faults.append(f'{failure.path}: expected a reason without paths of a machine; collect the run again')
    return faults + _stray_predictions(results)


def _run_faults(run: Run) -> list[str]:
    if run.rescored:
        return []
    record = run.record
    return [
        f'{run.path}: expected the digest of the override {override["name"]} to be that of its text, but it is '
        'another; collect the run again'
        for override in record['overrides']
        if digest_of(override['text']) != override['digest']
    ] + _place_faults(run.path, record['config']['name'], record['method'], record['seed'])


def _place_faults(path: Path, config: str, method: str, seed: int) -> list[str]:
    try:
        place = place_of(config, method, seed)
    except InputError as error:
        return [f'{path}: {error}']
    if path.resolve().parent.parts[-3:] == place.parts:
        return []
    return [f'{path}: expected the folder {place}, as it says itself; collect the run again']


def _stray_predictions(results: list[str | Path]) -> list[str]:
    stray = {
        path
        for folder in results
        for path in Path(folder).rglob('predictions.csv')
        if not any(path.with_name(name).is_file() for name in (RECORD, FAILURE))
    }
    return [
        f'{path}: expected a record.json beside it, but there is none; add it or remove the file'
        for path in sorted(stray)
    ]


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


def bound_faults(pages: Pages, bounds: dict[tuple[str, str], Bound]) -> list[str]:
    """Name every bound of a method that is not on its page, where there is such a page."""
    return [
        f'sanity_bounds.csv: expected a method of the page {table}, found {method}; correct or remove the row'
        for table, method in bounds
        if table in pages.pages and method != ANY and method not in _methods(pages.pages[table])
    ]


def _methods(page: Page) -> set[str]:
    reproduced = {run.record['method'] for section in page.sections for run in section.runs}
    return reproduced | {failure.content['method'] for failure in page.failures}


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
