"""A prepared data set as training sees it: annotation table, store and the moments of each clip."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.loading.flow_store_dataset import clip_moments, open_store
from mer_bench.preparation.flow_store import FlowStore


@dataclass(frozen=True)
class PreparedData:
    """The tables and the store below one folder.

    Attributes:
        mean: Mean of each channel of each clip, (N, 3), in the order of the annotation table.
        square: Mean square, likewise.
    """

    root: Path
    annotations: pd.DataFrame
    store: FlowStore
    mean: np.ndarray
    square: np.ndarray

    @property
    def digests(self) -> dict:
        """What the numbers of a run depend on."""
        return dict(
            annotations_digest=digest_file(self.root / 'annotations.csv'),
            store_digest=self.store.info['data_digest'],
        )

    def normalisation(self, subjects: tuple[str, ...]) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of the channels over the clips of `subjects`."""
        chosen = self.annotations['subject'].isin(subjects).to_numpy()
        mean = self.mean[chosen].mean(0)
        std = np.sqrt(np.maximum(self.square[chosen].mean(0) - mean**2, 1e-12))
        return mean.tolist(), std.tolist()


def open_prepared_data(root: str | Path, owner: str, prepare: str) -> PreparedData:
    """Open `root`; `owner` and `prepare` tell a user without data whom to ask and what to run."""
    root = Path(root)
    if not (root / 'annotations.csv').is_file() or not (root / 'store' / 'store.json').is_file():
        raise InputError(
            f'no prepared data set in {root.resolve()} (annotations.csv and store/ were expected): ask {owner} for the '
            f'data, then run `{prepare} --out {root}`; `make demo` needs no data'
        )
    annotations = read_annotations(root / 'annotations.csv')
    store = open_store(str(root / 'store'))
    if digest_file(root / 'annotations.csv') != store.info['annotations_digest']:
        raise InputError(
            f'{root}/annotations.csv is not the table that {root}/store was made from; '
            f'run `{prepare} --out {root}` again'
        )
    mean, square = clip_moments(root / 'store')
    rows = [store.index[sample_id] for sample_id in annotations['sample_id']]
    return PreparedData(root, annotations, store, mean[rows], square[rows])
