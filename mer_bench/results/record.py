"""The record of a run: one record.json per method and seed, beside the pooled predictions.csv.

A record of source `rescored` is made from predictions that somebody published (results/rescored.py). How they came
about is not ours to say, so it has keys of its own.
"""

import json
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.files import write_json

SCHEMA_VERSION = 2
FAILURE = 'failure.json'  # see results/failures.py
SOURCE_FILE = {'name': str, 'text': str, 'digest': str}
# Key -> type, or tuple of types, or the keys of a nested table, or a list with the keys of each item.
SCHEMA = {
    'schema_version': int,
    'method': str,
    'config': SOURCE_FILE,
    'overrides': [SOURCE_FILE],
    'protocol': str,
    'label_scheme': {'name': str, 'digest': str},
    'dataset': str,
    'classes': list,
    'seed': int,
    'data': {'annotations_digest': str, 'store_digest': str, 'store': dict},
    'n_clips': int,
    'n_subjects': int,
    'clips_per_class': dict,
    'subjects_per_class': dict,
    'folds': {'total': int, 'done': int, 'missing': list},
    'complete': bool,
    'scores': (dict, type(None)),
    'parameters': (int, type(None)),
    'flops': (int, float, type(None)),
    'seconds': dict,
    'device': str,
    'versions': dict,
    'commit': (str, type(None)),
    'date': str,
    'source': str,
    'synthetic': bool,
    'epoch_rule': str,
}

RESCORED = 'rescored'
RESCORED_SCHEMA = {
    **{key: SCHEMA[key] for key in ('schema_version', 'method', 'protocol', 'dataset', 'classes', 'n_clips')},
    **{key: SCHEMA[key] for key in ('n_subjects', 'complete', 'scores', 'date', 'source', 'synthetic', 'epoch_rule')},
    'url': str,
    'log': {'name': str, 'digest': str},
}


def write_record(path: str | Path, record: dict) -> None:
    """Check a record and write it atomically."""
    _check(path, record, _schema_of(record), '')
    write_json(path, record)


def read_record(path: str | Path) -> dict:
    """Read a record.json and check that every key is there."""
    try:
        record = json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise InputError(f'{path}: expected a record.json, but got {error.strerror!r}; check the path') from None
    except ValueError as error:
        raise InputError(f'{path}: expected JSON, but {error}; give the record.json of a run') from None
    version = record.get('schema_version', SCHEMA_VERSION) if isinstance(record, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:  # first, since another version has other keys
        raise InputError(
            f'{path}: expected schema_version {SCHEMA_VERSION}, but got {version}; '
            'read it with the version of mer_bench that wrote it'
        )
    _check(path, record, _schema_of(record), '')
    return record


def find_records(paths: list[str | Path]) -> list[Path]:
    """Return the records named by `paths`: each a record.json, a run folder or a parent of run folders.

    A record that is reached twice is returned once.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        records = sorted(path.rglob('record.json')) if path.is_dir() else [path]
        if not path.exists() or not (records or any(path.rglob(FAILURE))):
            raise InputError(
                f'{path}: expected a record.json or a folder that holds one, but there is none; '
                'run tools/train.py first or check the path'
            )
        found |= {record.resolve(): record for record in records}
    return list(found.values())


def _schema_of(record: object) -> dict:
    rescored = isinstance(record, dict) and record.get('source') == RESCORED
    return RESCORED_SCHEMA if rescored else SCHEMA


def _check(path: str | Path, content: object, kind: object, key: str) -> None:
    """Compare `content` with the part `kind` of the schema; `key` is its dotted name."""
    if isinstance(kind, dict):
        _check(path, content, dict, key)
        for name, inner in kind.items():
            inner_key = f'{key}.{name}' if key else name
            if name not in content:
                raise InputError(f"{path}: expected the key '{inner_key}', but it is missing; write the record again")
            _check(path, content[name], inner, inner_key)
    elif isinstance(kind, list):
        _check(path, content, list, key)
        for i, item in enumerate(content):
            _check(path, item, kind[0], f'{key}.{i}')
    elif not isinstance(content, kind):
        raise InputError(
            f"{path}: expected another type for the key '{key or 'record'}', but got {type(content).__name__}; "
            'write the record again'
        )
