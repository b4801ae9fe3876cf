"""Reading a finished flow store: `flow.npy` (N, C, T, H, W) float16, `index.csv` and `store.json` in one folder.

Nothing of a damaged store is read. store.json holds the SHA-256 of the other two files and of itself. It, index.csv,
and header and size of flow.npy are compared whenever a store is opened; the content of flow.npy is compared by
:meth:`FlowStore.check_clips`, once in a process and its workers as long as the file has the same size and times.
"""

import hashlib
import math
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mer_bench.errors import InputError
from mer_bench.files import Stamp, digest_file, digest_of, read_own_json, stamp_of

PARTS = ('flow.npy', 'index.csv', 'store.json')
SCHEMA_VERSION = 4
BEFORE_SEALS = 3  # the version whose store.json has no digest of itself
CHANNELS = ['u', 'v', 'strain']  # of a store that does not name them
SAME = ('flow', 'flow_parameters', 'channels', 'reference', 'clip_len', 'size', 'sampling')  # of all stores of a run
EITHER = ('apex', 'faces')  # these may differ: SMIC has no apex in its release, and some data sets have cropped faces

Count = Annotated[int, Field(gt=0, lt=2**31)]

CHECKED: dict[Stamp, str] = {}  # digests of files that were read from end to end


class StoreInfo(BaseModel):
    """The keys of store.json and what they may hold; others may be there too."""

    model_config = ConfigDict(strict=True, extra='allow')

    schema_version: int
    n_clips: Count
    clip_len: Count
    size: Annotated[list[Count], Field(min_length=2, max_length=2)]
    dataset: str
    synthetic: bool
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    parameters_digest: str
    data_digest: str
    index_digest: str
    annotations_digest: str
    channels: Annotated[list[str], Field(min_length=1)] = CHANNELS
    apex: str | dict = ''
    faces: str | dict | None = None
    flow: str = ''
    reference: str = ''
    sampling: str = ''
    opencv: str = ''
    units: str = ''
    flow_parameters: dict = {}
    spotting_regions: dict = {}
    versions: dict = {}

    @field_validator('channels')
    @classmethod
    def check_channels(cls, names: list[str]) -> list[str]:
        if len({*names}) < len(names):
            raise ValueError('a channel occurs twice')
        return names


class DamagedStore(InputError):
    """A part of a store, `path`, is not what was written; `fault` is what is wrong with it."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f'{path} is damaged ({fault}); run mer-bench prepare again with the same options')
        self.path, self.fault = path, fault

    def __reduce__(self) -> tuple:
        return DamagedStore, (self.path, self.fault)


class FlowStore:
    """The prepared clips of one data set.

    Args:
        path: the folder `store` that tools/prepare.py wrote.

    Attributes:
        clips: (N, C, T, H, W) float16, memory-mapped; the channels are named in `info`.
        index: {sample_id: row of `clips`}.
        info: what store.json holds.

    Raises:
        DamagedStore: The parts do not fit store.json, or it does not fit itself.
        InputError: A part is missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        missing = [part for part in PARTS if not (self.path / part).is_file()]
        if missing:
            raise InputError(
                f'{self.path}: expected a prepared flow store, missing {", ".join(missing)}; run mer-bench prepare'
            )
        self.info = check_info(self.path / 'store.json', read_own_json(self.path / 'store.json'))
        self.index = read_index(self.path / 'index.csv', self.info)
        self.clips = map_clips(self.path / 'flow.npy', self.info)

    def check_clips(self) -> dict[Stamp, str]:
        """Compare the content of flow.npy with its digest, and return what is then known of it.

        Raises:
            DamagedStore: It is not what was written.
        """
        path, digest = self.path / 'flow.npy', self.info['data_digest']
        stamp = stamp_of(path)
        if CHECKED.get(stamp) != digest:
            if digest_file(path) != digest:
                raise DamagedStore(path, 'its content is not what was written')
            CHECKED[stamp] = digest
        return {stamp: digest}

    def __reduce__(self) -> tuple:
        """A copy in another process maps the same file."""
        return FlowStore, (self.path,)


def seal(info: dict) -> dict:
    """Return the content of store.json with its digest of itself."""
    info = {key: value for key, value in info.items() if key != 'digest'} | {'schema_version': SCHEMA_VERSION}
    return info | {'digest': digest_of(info)}


def check_info(path: Path, info: dict | None) -> dict:
    """Return the content of store.json without its digest of itself; a :class:`DamagedStore` if it does not fit."""
    if info is None or 'schema_version' not in info:
        raise DamagedStore(path, 'it does not describe a store')
    version = info['schema_version']
    if version == SCHEMA_VERSION and info != seal(info):
        raise DamagedStore(path, 'it is not what was written')
    if version not in (BEFORE_SEALS, SCHEMA_VERSION):
        raise DamagedStore(path, f'its schema_version is not {SCHEMA_VERSION}')
    info.pop('digest', None)
    try:
        StoreInfo.model_validate(info)
    except ValidationError as error:
        key = error.errors()[0]['loc'][0]
        raise DamagedStore(path, f'{key} is missing or has an invalid value') from None
    return {**info, 'channels': info.get('channels', CHANNELS)}


def read_index(path: Path, info: dict) -> dict[str, int]:
    """Return {sample_id: row}, each row once; other columns are for people."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != info['index_digest']:
        raise DamagedStore(path, 'it is not what was written')
    columns = {'row': 'int64', 'sample_id': str}
    try:
        index = pd.read_csv(BytesIO(content), dtype=columns, usecols=list(columns), keep_default_na=False)
    except (ValueError, OverflowError) as error:
        raise DamagedStore(path, 'it is no table with the columns row and sample_id') from error
    rows = index['row'].tolist()
    if sorted(rows) != list(range(info['n_clips'])) or not index['sample_id'].is_unique:
        raise DamagedStore(path, f'expected one row for each of {info["n_clips"]} clips')
    return dict(zip(index['sample_id'], rows, strict=True))


def map_clips(path: Path, info: dict) -> np.memmap:
    """Map flow.npy, whose header and size must be those in store.json."""
    shape = (info['n_clips'], len(info['channels']), info['clip_len'], *info['size'])
    return np.memmap(path, np.float16, 'r', check_array(path, shape), shape)


def check_array(path: Path, shape: tuple[int, ...]) -> int:
    """Return where the numbers of an .npy file begin; a :class:`DamagedStore` where it has no float16 of this shape."""
    with open(path, 'rb') as file:
        try:
            found = read_header(file)
        except Exception as error:  # it is text that NumPy evaluates
            raise DamagedStore(path, 'its header cannot be read') from error
        start = file.tell()
    if found != (shape, np.float16):
        raise DamagedStore(path, 'its header gives another shape or type than was prepared')
    size, expected = path.stat().st_size, start + math.prod(shape) * np.dtype(np.float16).itemsize
    if size != expected:
        raise DamagedStore(path, f'expected {expected} bytes, found {size}')
    return start


def read_header(file) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of the array in an open .npy file, which is left at its first number."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError('another version of the format')
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran_order:
        raise ValueError('another order of the axes')
    return shape, dtype
