"""Runs that did not finish: a failure.json in the folder of a run, with the reason."""

import json
from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.results.record import FAILURE, find_records, read_record
from mer_bench.results.run import is_complete

SCHEMA_VERSION = 1
# Key -> the types it may have. A sweep may fail before the protocol, or whether data are synthetic, is known.
SCHEMA = {
    'schema_version': int,
    'method': str,
    'config': str,
    'dataset': str,
    'protocol': (str, type(None)),
    'seed': int,
    'synthetic': (bool, type(None)),
    'reason': str,
    'date': str,
}


@dataclass(frozen=True)
class Failure:
    """One method with one seed that did not finish."""

    path: Path
    content: dict


def find_runs(paths: list[str | Path]) -> tuple[list[Path], list[Failure]]:
    """Return the record.json files at `paths`, and the runs that did not finish.

    A folder with a failure.json did not finish unless its record is complete: then the failure was an earlier try. A
    folder that holds published.csv needs no runs.
    """
    paths = [path for path in paths if not _only_published(Path(path))]
    failed = {failure.path.parent: failure for failure in map(read_failure, _failure_files(paths))}
    records = [
        path for path in find_records(paths) if path.parent.resolve() not in failed or is_complete(read_record(path))
    ]
    finished = {path.parent.resolve() for path in records}
    return records, [failure for folder, failure in failed.items() if folder not in finished]


def _only_published(path: Path) -> bool:
    runs = (name for pattern in ('record.json', FAILURE) for name in path.rglob(pattern))
    return Path(path, 'published.csv').is_file() and next(runs, None) is None


def _failure_files(paths: list[str | Path]) -> list[Path]:
    folders = [Path(path) if Path(path).is_dir() else Path(path).parent for path in paths]
    return sorted({file.resolve() for folder in folders for file in folder.rglob(FAILURE)})


def read_failure(path: Path) -> Failure:
    """Read a failure.json and check that every key is there."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: expected JSON that can be read, but {error}; run the sweep again') from None
    if not isinstance(content, dict) or content.get('schema_version') != SCHEMA_VERSION:
        raise InputError(f'{path}: expected a failure of schema_version {SCHEMA_VERSION}; run the sweep again')
    wrong = [key for key, kind in SCHEMA.items() if key not in content or not isinstance(content[key], kind)]
    if wrong:
        raise InputError(
            f'{path}: expected the key {wrong[0]!r} with its type, but it is not there; run the sweep again'
        )
    return Failure(path, content)
