"""Reading a finished flow store: `flow.npy` (N, C, T, H, W) float16, `index.csv` and `store.json` in one folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_bench.errors import InputError

PARTS = ('flow.npy', 'index.csv', 'store.json')


class FlowStore:
    """The prepared clips of one data set.

    Args:
        path: the folder `store` that tools/prepare.py wrote.

    Attributes:
        clips: (N, C, T, H, W) float16, memory-mapped; the channels are named in `info`.
        index: {sample_id: row of `clips`}.
        info: what store.json holds.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        missing = [part for part in PARTS if not (self.path / part).is_file()]
        if missing:
            raise InputError(
                f'{self.path}: expected a prepared flow store, missing {", ".join(missing)}; run tools/prepare.py'
            )
        self.info = self.read('store.json', read_info)
        self.clips = self.read('flow.npy', lambda path: np.load(path, mmap_mode='r'))
        self.index = self.read('index.csv', read_index)
        if not len(self.clips) == len(self.index) == self.info['n_clips']:
            raise InputError(
                f'{self.path}: flow.npy has {len(self.clips)} clips, index.csv {len(self.index)}, store.json '
                f'{self.info["n_clips"]}; remove the folder and run tools/prepare.py'
            )

    def read(self, part: str, function: Callable[[Path], Any]) -> Any:
        """Return what a function makes of one of `PARTS`."""
        try:
            return function(self.path / part)
        except ValueError as error:
            raise InputError(f'{self.path / part} is damaged ({error}); run tools/prepare.py again') from error

    def __reduce__(self) -> tuple:
        """A copy in another process maps the same file."""
        return FlowStore, (self.path,)


def read_info(path: Path) -> dict:
    """Return what store.json holds."""
    info = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(info, dict) or 'n_clips' not in info:
        raise ValueError('it does not describe a store')
    return info


def read_index(path: Path) -> dict[str, int]:
    """Return {sample_id: row}; other columns are for people."""
    columns = {'row': int, 'sample_id': str}
    index = pd.read_csv(path, dtype=columns, usecols=list(columns), keep_default_na=False)
    return dict(zip(index['sample_id'], index['row'].tolist(), strict=True))
