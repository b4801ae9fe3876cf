"""One or several prepared data sets as training sees them: clips with their classes, stores, moments of each clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.files import digest_file, digest_of
from mer_bench.loading.clip_table import open_store, read_clips
from mer_bench.loading.store_info import common_info
from mer_bench.protocols.label_schemes import LabelScheme


@dataclass(frozen=True)
class PreparedData:
    """The clips of a run.

    Attributes:
        roots: Folders of the prepared data sets.
        annotations: Annotations of the clips in use, with label, store and row (see :func:`read_clips`).
        dropped: sample_id and reason of the clips that the label scheme does not use.
        shape: (C, T, H, W) of a clip.
        info: What the stores say of themselves, see :func:`common_info`.
        mean: Mean of each channel of each clip, (N, C), in the order of the annotations.
        square: Mean square, likewise.
    """

    roots: tuple[str, ...]
    annotations: pd.DataFrame
    dropped: pd.DataFrame
    shape: tuple[int, ...]
    info: dict
    mean: np.ndarray
    square: np.ndarray

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of a clip."""
        return tuple(self.info['channels'])

    @property
    def digests(self) -> dict:
        """What the numbers of a run depend on; of several data sets the digest of their sorted digests."""
        tables = [digest_file(Path(root, 'annotations.csv')) for root in self.roots]
        stores = [open_store(str(Path(root, 'store'))).info['data_digest'] for root in self.roots]
        return dict(annotations_digest=_joint(tables), store_digest=_joint(stores))

    def normalisation(self, subjects: tuple[str, ...]) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of the channels over the clips of `subjects`."""
        chosen = self.annotations['subject'].isin(subjects).to_numpy()
        mean = self.mean[chosen].mean(0)
        std = np.sqrt(np.maximum(self.square[chosen].mean(0) - mean**2, 1e-12))
        return mean.tolist(), std.tolist()


def open_prepared_data(roots: Sequence[str | Path], scheme: LabelScheme, sources: Sequence[dict]) -> PreparedData:
    """Open `roots` and choose the clips of `scheme`.

    Args:
        roots: One folder a data set.
        scheme: Which clips are used, and their classes.
        sources: For each root dataset, owner and prepare: what a user without it has to ask for, whom, and what to run.
    """
    for root, source in zip(roots, sources, strict=True):
        _check_root(Path(root), **source)
    stores = {str(root): open_store(str(Path(root, 'store'))) for root in roots}
    if len(stores) < len(roots):
        raise InputError(f'the data roots {", ".join(map(str, roots))} name one folder twice; give each data set once')
    info = common_info({root: store.info for root, store in stores.items()})
    annotations, dropped = read_clips(roots, scheme)
    mean, square = clip_moments(annotations)
    shape = next(iter(stores.values())).clips.shape[1:]
    return PreparedData(tuple(stores), annotations, dropped, shape, info, mean, square)


def _check_root(root: Path, dataset: str, owner: str, prepare: str) -> None:
    """Refuse a folder without prepared data, or whose annotation table is not the one of its store."""
    if not (root / 'annotations.csv').is_file() or not (root / 'store' / 'store.json').is_file():
        raise InputError(
            f'no prepared data set {dataset} in {root.resolve()} (annotations.csv and store/ were expected): ask '
            f'{owner} for the data, then run `{prepare} --out {root}`; `make demo` needs no data'
        )
    if digest_file(root / 'annotations.csv') != open_store(str(root / 'store')).info['annotations_digest']:
        raise InputError(
            f'{root}/annotations.csv is not the table that {root}/store was made from; '
            f'run `{prepare} --out {root}` again'
        )


def _joint(digests: list[str]) -> str:
    return digests[0] if len(digests) == 1 else digest_of(sorted(digests))


def clip_moments(clips: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and mean square of each channel of each clip, both (N, C) float64."""
    moments = []
    for store, row in zip(clips['store'], clips['row'], strict=True):
        values = open_store(store).clips[row].astype(np.float64)
        moments.append((values.mean((1, 2, 3)), (values**2).mean((1, 2, 3))))
    mean, square = map(np.array, zip(*moments, strict=True))
    return mean, square
