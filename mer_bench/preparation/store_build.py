"""A flow store under construction: `OUT/.store-<digest>/` is filled clip by clip and named `OUT/store` when whole.

The folder is named after its parameters, so a stopped run is continued only with the same clips and settings.
`done.txt` has one line per finished clip, written after the clip itself; whatever was being written when the run died
is done again. Unfinished builds of other settings stay until a new store is whole.
"""

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
from mer_bench.preparation.store_state import DIGESTS, NAMED_PARAMETERS, read_json

SCHEMA_VERSION = 3
FEATURES = 'features'  # folder in the store where training keeps what descriptors make of these clips


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
        if path.name not in (*PARTS, FEATURES):
            path.unlink()


def versions() -> dict:
    """Return the versions that may change a number in the store."""
    return {
        'python': platform.python_version(),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'mer_bench': __version__,
    }
