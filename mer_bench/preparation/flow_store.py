"""Reading a finished flow store: `flow.npy` (N, 3, T, H, W) float16, `index.csv` and `store.json` in one folder."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError

PARTS = ('flow.npy', 'index.csv', 'store.json')


class FlowStore:
    """The prepared clips of one data set.

    Args:
        path: the folder `store` that tools/prepare.py wrote.

    Attributes:
        clips: (N, 3, T, H, W) float16, memory-mapped; horizontal flow, vertical flow, optical strain.
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
        self.info = json.loads((self.path / 'store.json').read_text(encoding='utf-8'))
        try:
            self.clips = np.load(self.path / 'flow.npy', mmap_mode='r')
        except ValueError as error:
            raise InputError(f'{self.path}/flow.npy is damaged ({error}); run tools/prepare.py again') from error
        index = pd.read_csv(self.path / 'index.csv', dtype={'row': int, 'sample_id': str}, keep_default_na=False)
        self.index = dict(zip(index['sample_id'], index['row'].tolist(), strict=True))
        if not len(self.clips) == len(self.index) == self.info['n_clips']:
            raise InputError(
                f'{self.path}: flow.npy has {len(self.clips)} clips, index.csv {len(self.index)}, store.json '
                f'{self.info["n_clips"]}; remove the folder and run tools/prepare.py'
            )

    def __reduce__(self) -> tuple:
        """A copy in another process maps the same file."""
        return FlowStore, (self.path,)
