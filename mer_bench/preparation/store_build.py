"""A flow store under construction: `OUT/.store-<digest>/` is filled clip by clip and named `OUT/store` when whole.

The folder is named after its parameters, so a stopped run is continued only with the same clips and settings.
`done.txt` has one line per finished clip, written after the clip itself; whatever was being written when the run died
is done again.
"""

import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer_bench import __version__, files
from mer_bench.datasets.table import write_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file, digest_of, write_atomically, write_json
from mer_bench.preparation.flow_store import PARTS

SCHEMA_VERSION = 2
NAMED_PARAMETERS = (
    'dataset',
    'synthetic',
    'flow',
    'flow_parameters',
    'reference',
    'channels',
    'clip_len',
    'size',
    'apex',
    'faces',
    'sampling',
    'opencv',
)


@dataclass(frozen=True)
class DoneClip:
    """A line of done.txt: the row, its apex ('' if unknown) and the seconds one worker needed."""

    row: int
    apex: int | None
    seconds: float

    def line(self) -> str:
        return f'{self.row},{"" if self.apex is None else self.apex},{self.seconds:.3f}\n'

    @classmethod
    def parse(cls, line: str) -> 'DoneClip':
        row, apex, seconds = line.strip().split(',')
        return cls(int(row), int(apex) if apex else None, float(seconds))


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one preparation at a time."""
    if out.exists() and not out.is_dir():
        raise InputError(f'{out}: expected a folder to write to, it is a file; choose another --out')
    with files.locked(out, f'{out}: another preparation is at work in this folder; wait for it or choose --out'):
        yield


def read_json(path: Path) -> dict | None:
    """Return the content of a JSON file; None where there is none."""
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None


def other_parameters(out: Path, parameters: dict) -> list[dict]:
    """Return what the finished store and unfinished builds in `out` were made with, where it is not `parameters`."""
    made = [read_json(out / 'store' / 'store.json')]
    made += [read_json(path) for path in sorted(out.glob('.store-*/parameters.json'))]
    return [old for old in made if old and old.get('parameters_digest', digest_of(old)) != digest_of(parameters)]


def is_complete(out: Path, parameters: dict) -> bool:
    """Say whether `out` holds the finished, undamaged store of these parameters and its own annotations.csv."""
    store, annotations = out / 'store', out / 'annotations.csv'
    info = read_json(store / 'store.json')
    return (
        info is not None
        and info['parameters_digest'] == digest_of(parameters)
        and all((store / part).is_file() for part in PARTS)
        and digest_file(store / 'flow.npy') == info['data_digest']
        and annotations.is_file()
        and digest_file(annotations) == info['annotations_digest']
    )


def what_changed(old: dict, new: dict) -> str:
    """Name the parameters that differ, for the user."""
    names = [name for name in NAMED_PARAMETERS if old.get(name) != new.get(name)]
    if 'flow' in names and 'flow_parameters' in names:
        names.remove('flow_parameters')  # they come with the method
    return (
        ', '.join(f'{name} {old.get(name)} -> {new.get(name)}' for name in names)
        or 'the clips, their frames or their table'
    )


def start_build(out: Path, parameters: dict, shape: tuple[int, ...]) -> Path:
    """Return the build folder of `parameters`, new or to be continued; build folders of others are removed."""
    build = out / f'.store-{digest_of(parameters)[:12]}'
    remove_builds(out, keep=build)
    if not (build / 'parameters.json').exists():  # written last: the array then has its full length
        needed, free = int(np.prod(shape)) * 2, shutil.disk_usage(out).free
        if free < needed:
            raise InputError(f'{out}: the store needs {needed / 1e6:.0f} MB, free are {free / 1e6:.0f} MB; make room')
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        np.lib.format.open_memmap(build / 'flow.npy', mode='w+', dtype=np.float16, shape=shape).flush()
        write_json(build / 'parameters.json', parameters)
    return build


def remove_builds(out: Path, keep: Path | None = None) -> None:
    """Remove unfinished and replaced stores."""
    for folder in out.glob('.store-*'):
        if folder != keep:
            shutil.rmtree(folder)


def write_clip(build: Path, row: int, clip: np.ndarray) -> None:
    """Write one clip into its row of flow.npy."""
    array = np.lib.format.open_memmap(build / 'flow.npy', mode='r+')
    array[row] = clip
    array.flush()


def read_done(build: Path) -> dict[int, DoneClip]:
    """Return the finished clips by row; a half-written last line is dropped, also from the file."""
    path = build / 'done.txt'
    text = path.read_text(encoding='utf-8') if path.exists() else ''
    whole = text[: text.rfind('\n') + 1]
    with write_atomically(path) as temporary:
        temporary.write_text(whole, encoding='utf-8')
    return {clip.row: clip for clip in map(DoneClip.parse, whole.splitlines())}


def append_done(build: Path, clip: DoneClip) -> None:
    """Note a clip as finished."""
    with open(build / 'done.txt', 'a', encoding='utf-8') as file:
        file.write(clip.line())


def finish_build(build: Path, out: Path, table: pd.DataFrame, parameters: dict, units: str) -> None:
    """Write annotations.csv, index.csv and store.json, then give the build its name `store`.

    Args:
        build: a build folder with every clip done.
        out: the prepared data set's folder.
        table: the annotation table in the order of the rows, apex still as given.
        parameters: what was built.
        units: one sentence for store.json.
    """
    done = read_done(build)
    apexes = pd.array([done[row].apex for row in range(len(table))], dtype='Int64')
    write_annotations(table.assign(apex=apexes), out / 'annotations.csv')
    with write_atomically(build / 'index.csv') as temporary:
        pd.DataFrame({'row': range(len(table)), 'sample_id': table['sample_id']}).to_csv(temporary, index=False)
    info = {
        'schema_version': SCHEMA_VERSION,
        'n_clips': len(table),
        **{name: parameters[name] for name in NAMED_PARAMETERS},
        'units': units,
        'parameters_digest': digest_of(parameters),
        'data_digest': digest_file(build / 'flow.npy'),
        'annotations_digest': digest_file(out / 'annotations.csv'),
        'seconds': round(sum(clip.seconds for clip in done.values()), 3),
        'versions': versions(),
    }
    write_json(build / 'store.json', info)
    put_in_place(build, out)


def put_in_place(build: Path, out: Path) -> None:
    """Rename the build to `store`; an older store is moved aside and removed only then."""
    store, old = out / 'store', out / '.store-old'
    if store.exists():
        store.rename(old)
    build.rename(store)
    tidy_store(out)


def tidy_store(out: Path) -> None:
    """Leave the finished store alone, without what it was built with."""
    remove_builds(out)
    for path in (out / 'store').iterdir():
        if path.name not in PARTS:
            path.unlink()


def versions() -> dict:
    """Return the versions that may change a number in the store."""
    return {
        'python': platform.python_version(),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'mer_bench': __version__,
    }
