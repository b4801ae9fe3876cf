"""Kept results of benchmarks, of which docs/performance.md is made: `FOLDER/<machine>/<benchmark>[-<label>].json`."""

import json
from pathlib import Path

from benchmarks.machine import slug
from mer_bench.errors import InputError
from mer_bench.files import write_json

PARTS = ('benchmark', 'command', 'settings', 'seconds', 'ratios', 'machine', 'peak', 'shares')


def keep(result: dict, folder: Path, label: str = '') -> Path:
    """Write a result whole or not at all, in the place of an older one of the same benchmark, label and machine.

    Args:
        label: Tells results of one benchmark with different settings apart.

    Returns:
        The file.
    """
    name = '-'.join(filter(None, (result['benchmark'], slug(label))))
    path = folder / slug(result['machine']['name']) / f'{name}.json'
    write_json(path, result)
    return path


def read_kept(folder: Path) -> dict[Path, dict]:
    """Return the kept results by their path relative to `folder`, in the order of machines and benchmarks."""
    if not folder.is_dir():
        raise InputError(
            f'{folder}: expected a folder of kept results, found none; run a benchmark with --save {folder}'
        )
    return {path.relative_to(folder): read(path) for path in sorted(folder.glob('*/*.json'))}


def read(path: Path) -> dict:
    """Return one kept result."""
    try:
        result = json.loads(path.read_text(encoding='utf-8'))
        missing = [part for part in PARTS if part not in result]
    except (ValueError, TypeError) as error:
        raise InputError(f'{path}: expected a result of tools/benchmark.py, found no JSON; remove it') from error
    if missing:
        raise InputError(f'{path}: expected a result of tools/benchmark.py, found no {missing[0]!r}; remove it')
    return result
