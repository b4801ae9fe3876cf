"""Faults of the files of committed results that no number shows."""

from pathlib import Path

from mer_bench.files import digest_of
from mer_bench.results.collect import place_of
from mer_bench.results.failures import Failure
from mer_bench.results.paths import without_paths
from mer_bench.results.record import FAILURE
from mer_bench.results.run import Run


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
    place = place_of(config, method, seed)
    if path.resolve().parent.parts[-3:] == place.parts:
        return []
    return [f'{path}: expected the folder {place}, as it says itself; collect the run again']


def _stray_predictions(results: list[str | Path]) -> list[str]:
    stray = {
        path
        for folder in results
        for path in Path(folder).rglob('predictions.csv')
        if not any(path.with_name(name).is_file() for name in ('record.json', FAILURE))
    }
    return [
        f'{path}: expected a record.json beside it, but there is none; add it or remove the file'
        for path in sorted(stray)
    ]
