"""A flow store under construction: `OUT/.store-<digest>/` is filled clip by clip and named `OUT/store` when whole.

The folder is named after its parameters, so a stopped run is continued only with the same clips and settings.
`done.txt` has one line per finished clip, written after the clip itself is on the disk; a clip that was being written
when the run died is recomputed. The disk space for all clips is reserved before the first one, and no file is written
through a map: a full disk ends a run with a sentence, and the same command continues it. Unfinished builds of other
settings stay until a new store is whole.
"""

import errno
import math
import os
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
from mer_bench.errors import SPACE, InputError, cause_of
from mer_bench.files import digest_file, digest_of, named, read_own_json, sync_folder, write_atomically, write_json
from mer_bench.preparation.store.flow_store import PARTS, DamagedStore, check_array, read_header, seal

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
    'levels',
    'opencv',
)
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
    def parse(cls, line: str) -> 'DoneClip | None':
        """Return the clip of a line; None where it is damaged."""
        if not (
            match := re.fullmatch(r'([0-9]{1,9}),(-?[0-9]{1,18})?,([0-9]{1,12}(?:\.[0-9]{1,9})?),([^\ufffd]*)', line)
        ):
            return None
        row, apex, seconds, remark = match.groups()
        return cls(int(row), int(apex) if apex else None, float(seconds), remark)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one preparation at a time."""
    if out.exists() and not out.is_dir():
        raise InputError(f'{out}: expected a folder to write to, it is a file; choose another --out')
    with files.locked(out, f'{out}: another preparation is using this folder; wait for it or choose another --out'):
        for path in out.glob('.*.tmp'):  # left by killed runs, see mer_bench.files.write_atomically
            if re.fullmatch(r'\..+\.\d+\.tmp', path.name):
                path.unlink()
        yield


def start_build(out: Path, parameters: dict, shape: tuple[int, ...]) -> Path:
    """Return the build folder of `parameters`, new or to be continued.

    Raises:
        InputError: There is no room for flow.npy, an array of `shape`; nothing of the build is left.
    """
    build = out / f'.store-{digest_of(parameters)[:12]}'
    if not can_be_continued(build, parameters, shape):
        needed, free = math.prod(shape) * 2, shutil.disk_usage(out).free
        need = f'{out}: the store needs {needed / 1e6:.2f} MB, free are {free / 1e6:.2f} MB'
        if free < needed:
            raise InputError(f'{need}; {SPACE}')
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        try:
            reserve(build / 'flow.npy', shape)
        except OSError as error:
            shutil.rmtree(build, ignore_errors=True)
            if error.errno not in NO_ROOM:
                raise
            raise InputError(f'{need} ({cause_of(error)}); {SPACE}') from error
        write_json(build / 'parameters.json', parameters)  # last: the array then has its full length
    return build


def can_be_continued(build: Path, parameters: dict, shape: tuple[int, ...]) -> bool:
    """Return whether a build folder has the parameters and the array that a run began with."""
    begun_with = read_own_json(build / 'parameters.json')
    if begun_with is None or digest_of(begun_with) != digest_of(parameters):
        return False
    flow, done = build / 'flow.npy', build / 'done.txt'
    if not flow.is_file() or (done.exists() and not done.is_file()):
        return False
    try:
        check_array(flow, shape)
    except DamagedStore:
        return False
    return True


def reserve(path: Path, shape: tuple[int, ...]) -> None:
    """Write an array of zeros and reserve its disk space, where the file system can."""
    with open(path, 'wb') as file:
        header = dict(descr='<f2', fortran_order=False, shape=shape)
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(length := file.tell() + math.prod(shape) * 2)
        file.flush()
        try:
            if hasattr(os, 'posix_fallocate'):  # macOS has none
                os.posix_fallocate(file.fileno(), 0, length)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise


def write_clip(build: Path, row: int, clip: np.ndarray) -> None:
    """Write one clip (C, T, H, W) into its row of flow.npy, and wait until it is on the disk."""
    path = build / 'flow.npy'
    with named(path), open(path, 'r+b') as file:
        shape, dtype = read_header(file)
        values = np.broadcast_to(np.asarray(clip, dtype), shape[1:])
        file.seek(row * values.size * dtype.itemsize, os.SEEK_CUR)
        file.write(values.tobytes())
        file.flush()
        os.fsync(file.fileno())


def read_done(build: Path) -> dict[int, DoneClip]:
    """Return the finished clips by row; lines that are not whole are dropped, also from the file."""
    path = build / 'done.txt'
    text = path.read_text(encoding='utf-8', errors='replace') if path.exists() else ''
    clips = [clip for line in text.split('\n')[:-1] if (clip := DoneClip.parse(line))]
    with write_atomically(path) as temporary:
        temporary.write_text(''.join(clip.line() for clip in clips), encoding='utf-8')
    return {clip.row: clip for clip in clips}


def append_done(build: Path, clip: DoneClip) -> None:
    """Note a clip as finished."""
    path = build / 'done.txt'
    with named(path), open(path, 'a', encoding='utf-8') as file:
        file.write(clip.line())


def finish_build(build: Path, out: Path, table: pd.DataFrame, parameters: dict, units: str) -> None:
    """Write annotations.csv, index.csv and store.json, then give the build its name `store`.

    Args:
        build: a build folder with every clip done.
        out: the prepared data set's folder.
        table: the annotation table in the order of the rows, its apex that of the data set.
        parameters: what was built.
        units: one sentence for store.json.
    """
    done = read_done(build)
    write_annotations(table, out / 'annotations.csv')
    write_index(build / 'index.csv', table['sample_id'], [done[row] for row in range(len(table))])
    info = {
        'n_clips': len(table),
        **{name: parameters[name] for name in NAMED_PARAMETERS if name in parameters},
        'units': units,
        'parameters_digest': digest_of(parameters),
        **frames_digest(parameters),
        'data_digest': digest_file(build / 'flow.npy'),
        'index_digest': digest_file(build / 'index.csv'),
        'annotations_digest': digest_file(out / 'annotations.csv'),
        'seconds': round(sum(clip.seconds for clip in done.values()), 3),
        'versions': versions(),
    }
    write_json(build / 'store.json', seal(info))
    put_in_place(build, out)


def frames_digest(parameters: dict) -> dict[str, str]:
    """Return the digest of the pictures that a store is made from, for store.json: the same on every machine."""
    return {'frames_digest': digest_of(parameters['files'])} if 'files' in parameters else {}


def write_index(path: Path, sample_ids: Sequence[str], done: Sequence[DoneClip]) -> None:
    """Write index.csv: row, sample_id, the apex that the flow was made with, and the remark on the clip."""
    apexes = pd.array([clip.apex for clip in done], dtype='Int64')
    remarks = [clip.remark for clip in done]
    table = pd.DataFrame({'row': range(len(done)), 'sample_id': sample_ids, 'apex': apexes, 'remark': remarks})
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')


def read_remarks(out: Path) -> dict[str, str]:
    """Return {sample_id: remark} of the finished store, clips without a remark left out."""
    path = out / 'store' / 'index.csv'
    try:
        index = pd.read_csv(path, dtype=str, usecols=['sample_id', 'remark'], keep_default_na=False)
    except (ValueError, OverflowError) as error:
        raise DamagedStore(path, 'it is no table with the columns sample_id and remark') from error
    return {row.sample_id: row.remark for row in index.itertuples() if row.remark}


def put_in_place(build: Path, out: Path) -> None:
    """Rename the build to `store`; an older store is moved aside and removed only then."""
    store, old = out / 'store', out / '.store-old'
    if store.exists():
        shutil.rmtree(old, ignore_errors=True)
        store.rename(old)
    build.rename(store)
    sync_folder(out)
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
    python = platform.python_version()
    return dict(python=python, numpy=np.__version__, opencv=cv2.__version__, mer_bench=__version__)
