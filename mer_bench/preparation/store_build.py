"""A flow store under construction: `OUT/.store-<digest>/` is filled clip by clip and named `OUT/store` when whole.

The folder is named after its parameters, so a stopped run is continued only with the same clips and settings.
`done.txt` has one line per finished clip, written after the clip itself; whatever was being written when the run died
is done again. Unfinished builds of other settings stay until a new store is whole.
"""

import json
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
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

SCHEMA_VERSION = 3
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
    'spotting_regions',
    'faces',
    'sampling',
    'opencv',
)
DIGESTS = {'flow.npy': 'data_digest', 'index.csv': 'index_digest'}  # in store.json


@dataclass(frozen=True)
class DoneClip:
    """A line of done.txt: the row, its apex ('' if unknown), the seconds one worker needed, a remark ('' for none)."""

    row: int
    apex: int | None
    seconds: float
    remark: str = ''

    def line(self) -> str:
        return f'{self.row},{"" if self.apex is None else self.apex},{self.seconds:.3f},{self.remark}\n'

    @classmethod
    def parse(cls, line: str) -> 'DoneClip':
        row, apex, seconds, remark = line.rstrip('\n').split(',', 3)
        return cls(int(row), int(apex) if apex else None, float(seconds), remark)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one preparation at a time."""
    if out.exists() and not out.is_dir():
        raise InputError(f'{out}: expected a folder to write to, it is a file; choose another --out')
    with files.locked(out, f'{out}: another preparation is at work in this folder; wait for it or choose --out'):
        clear_half_written(out)
        yield


def clear_half_written(out: Path) -> None:
    """Remove what killed runs were writing, see :func:`mer_bench.files.write_atomically`."""
    for path in out.glob('.*.tmp'):
        if re.fullmatch(r'\..+\.\d+\.tmp', path.name):
            path.unlink()


def read_json(path: Path) -> dict | None:
    """Return the content of a JSON file; None where there is none or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None
    except ValueError:  # no JSON, or no text
        return None
    return content if isinstance(content, dict) else None


def other_parameters(out: Path, parameters: dict) -> list[dict]:
    """Return what the finished store and unfinished builds in `out` were made with, where it is not `parameters`."""
    made = [read_json(out / 'store' / 'store.json')]
    made += [read_json(path) for path in sorted(out.glob('.store-*/parameters.json'))]
    return [old for old in made if old and old.get('parameters_digest', digest_of(old)) != digest_of(parameters)]


def is_complete(out: Path, parameters: dict) -> bool:
    """Say whether `out` holds the finished, undamaged store of these parameters."""
    return made_with(out, parameters) and damage(out, parameters) is None


def made_with(out: Path, parameters: dict) -> bool:
    """Say whether the finished store in `out` says that it was made with these parameters."""
    info = read_json(out / 'store' / 'store.json')
    return info is not None and info.get('parameters_digest') == digest_of(parameters)


def damage(out: Path, parameters: dict) -> str | None:
    """Say what of the store in `out` is damaged; None where nothing is, or where other parameters made it."""
    store = out / 'store'
    if not store.exists():
        return None
    info = read_json(store / 'store.json')
    if info is None:
        return 'store.json is missing or cannot be read'
    if not made_with(out, parameters):
        return None
    for part, name in DIGESTS.items():
        if not (store / part).is_file():
            return f'{part} is missing'
        if digest_file(store / part) != info.get(name):
            return f'{part} is not what was written'
    return None


def what_changed(old: dict, new: dict) -> str:
    """Name the parameters that differ, for the user; of a dict the keys that differ."""
    names = [name for name in NAMED_PARAMETERS if old.get(name) != new.get(name)]
    if 'flow' in names and 'flow_parameters' in names:
        names.remove('flow_parameters')  # they come with the method
    if 'apex' in names and 'spotting_regions' in names:
        names.remove('spotting_regions')  # likewise
    changes = [change for name in names for change in differences(name, old.get(name), new.get(name))]
    return ', '.join(changes) or 'the clips or their frames'


def differences(name: str, old: object, new: object) -> list[str]:
    """Return 'name old -> new', for dicts one text per key that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return [difference for key in keys for difference in differences(f'{name} {key}', old.get(key), new.get(key))]
    old, new = ('none' if value is None else value for value in (old, new))
    return [f'{name} {old} -> {new}']


def start_build(out: Path, parameters: dict, shape: tuple[int, ...]) -> Path:
    """Return the build folder of `parameters`, new or to be continued."""
    build = out / f'.store-{digest_of(parameters)[:12]}'
    if read_json(build / 'parameters.json') is None:  # written last: the array then has its full length
        needed, free = int(np.prod(shape)) * 2, shutil.disk_usage(out).free
        if free < needed:
            raise InputError(f'{out}: the store needs {needed / 1e6:.0f} MB, free are {free / 1e6:.0f} MB; make room')
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        np.lib.format.open_memmap(build / 'flow.npy', mode='w+', dtype=np.float16, shape=shape).flush()
        write_json(build / 'parameters.json', parameters)
    return build


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
        table: the annotation table in the order of the rows, its apex as the data set says it.
        parameters: what was built.
        units: one sentence for store.json.
    """
    done = read_done(build)
    write_annotations(table, out / 'annotations.csv')
    write_index(build / 'index.csv', table['sample_id'], [done[row] for row in range(len(table))])
    info = {
        'schema_version': SCHEMA_VERSION,
        'n_clips': len(table),
        **{name: parameters[name] for name in NAMED_PARAMETERS if name in parameters},
        'units': units,
        'parameters_digest': digest_of(parameters),
        **{name: digest_file(build / part) for part, name in DIGESTS.items()},
        'annotations_digest': digest_file(out / 'annotations.csv'),
        'seconds': round(sum(clip.seconds for clip in done.values()), 3),
        'versions': versions(),
    }
    write_json(build / 'store.json', info)
    put_in_place(build, out)


def write_index(path: Path, sample_ids: Sequence[str], done: Sequence[DoneClip]) -> None:
    """Write index.csv: row, sample_id, the apex that the flow was made with, and the remark on the clip."""
    apexes = pd.array([clip.apex for clip in done], dtype='Int64')
    remarks = [clip.remark for clip in done]
    table = pd.DataFrame({'row': range(len(done)), 'sample_id': sample_ids, 'apex': apexes, 'remark': remarks})
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')


def read_remarks(out: Path) -> dict[str, str]:
    """Return {sample_id: remark} of the finished store, clips without a remark left out."""
    index = pd.read_csv(out / 'store' / 'index.csv', dtype=str, keep_default_na=False)
    return {row.sample_id: row.remark for row in index.itertuples() if row.remark}


def put_in_place(build: Path, out: Path) -> None:
    """Rename the build to `store`; an older store is moved aside and removed only then."""
    store, old = out / 'store', out / '.store-old'
    if store.exists():
        shutil.rmtree(old, ignore_errors=True)
        store.rename(old)
    build.rename(store)
    for folder in out.glob('.store-*'):
        shutil.rmtree(folder)
    tidy_store(out)


def tidy_store(out: Path) -> None:
    """Remove what the finished store was built with, and the store that it replaced."""
    shutil.rmtree(out / '.store-old', ignore_errors=True)
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
