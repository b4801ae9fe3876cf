"""One or several prepared data sets as a run uses them: clips with their classes, stores, digests, moments."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.files import digest_file, digest_of
from mer_bench.loading.clip_table import clip_places, common_info, open_store, read_clip, read_clips
from mer_bench.loading.input_spec import InputSpec, make_spec
from mer_bench.preparation.store.flow_store import CHECKED, SCHEMA_VERSION, Stamp
from mer_bench.protocols.label_schemes import LabelScheme


@dataclass(frozen=True)
class PreparedData:
    """The clips of a run.

    Attributes:
        roots: Folders of the prepared data sets.
        annotations: Annotations of the clips in use, with label, store and row (see :func:`read_clips`).
        dropped: sample_id and reason of the clips that the label scheme does not use.
        view: What the network sees of a clip.
        shape: (C, T, H, W) of a clip as the network sees it.
        info: Their joint store.json, see :func:`common_info`.
        digests: What the numbers of a run depend on, see :func:`read_digests`.
        checked: Size and times of each flow.npy whose content was compared with its digest, with that digest.
    """

    roots: tuple[str, ...]
    annotations: pd.DataFrame
    dropped: pd.DataFrame
    view: InputSpec
    shape: tuple[int, ...]
    info: dict
    digests: dict
    checked: dict[Stamp, str]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that the network sees."""
        return self.view.channels

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Store and row of each clip, in the order of the annotations: what :func:`resident_clips` takes."""
        return clip_places(self.annotations)

    @cached_property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and mean square of each channel of each clip, both (N, C) float64, in the order of the annotations."""
        return clip_moments(self.places, self.view, self.digests['store_digest'])

    def normalisation(self, subjects: tuple[str, ...]) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of the channels over the clips of `subjects`."""
        chosen = self.annotations['subject'].isin(subjects).to_numpy()
        mean, square = (part[chosen].mean(0) for part in self.moments)
        std = np.sqrt(np.maximum(square - mean**2, 1e-12))
        return mean.tolist(), std.tolist()


def open_prepared_data(
    roots: Sequence[str | Path],
    scheme: LabelScheme,
    sources: Sequence[dict],
    options: dict | None = None,
    named: bool = False,
) -> PreparedData:
    """Open `roots` and choose the clips of `scheme`.

    Args:
        roots: One folder a data set.
        scheme: Which clips are used, and their classes.
        sources: For each root dataset, owner and prepare: what is missing, whom to ask for it, and what to run.
        options: The key `input` of the config, see :func:`make_spec`.
        named: Whether the user named the roots, perhaps wrongly.
    """
    checked = check_roots([Path(root) for root in roots], sources, named)
    stores = {str(root): open_store(str(Path(root, 'store'))) for root in roots}
    if len(stores) < len(roots):
        raise InputError(f'the data roots {", ".join(map(str, roots))} name one folder twice; give each data set once')
    info = common_info({root: store.info for root, store in stores.items()})
    annotations, dropped = read_clips(roots, scheme)
    view = make_spec(options, info, next(iter(stores.values())).clips.shape[1:])
    infos = [store.info for store in stores.values()]  # both digests were compared with the files above
    tables, flow = ([info[name] for info in infos] for name in ('annotations_digest', 'data_digest'))
    digests = dict(annotations_digest=_joint(tables), store_digest=_joint(flow))
    shape = read_clip(*clip_places(annotations)[0], view).shape
    return PreparedData(tuple(stores), annotations, dropped, view, shape, info, digests, checked)


def read_digests(roots: Sequence[str | Path], checked: dict[Stamp, str] | None = None) -> dict:
    """Read from disk which annotations and flow `roots` hold; of several the digest of their sorted digests.

    Args:
        roots: One folder a data set.
        checked: What this process need not read again, see :class:`PreparedData`.
    """
    CHECKED.update(checked or {})
    tables = [digest_file(Path(root, 'annotations.csv')) for root in roots]
    stores = [open_store(str(Path(root, 'store'))) for root in roots]
    for store in stores:
        store.check_clips()
    return dict(annotations_digest=_joint(tables), store_digest=_joint([store.info['data_digest'] for store in stores]))


def check_roots(roots: Sequence[Path], sources: Sequence[dict], named: bool) -> dict[Stamp, str]:
    """Refuse folders without prepared data, all in one message, and data that are not what was prepared.

    Returns:
        `checked` of :class:`PreparedData`.
    """
    pairs = list(zip(roots, sources, strict=True))
    missing = [fault for root, source in pairs if (fault := find_missing(root, **source))]
    if missing:
        absent = not all((root / 'annotations.csv').is_file() for root in roots)
        first = 'check the path first; ' if named and absent else ''
        raise InputError(f'{first}{"; ".join(missing)}{"; `mer-bench demo` needs no data" if absent else ""}')
    checked = {}
    for root, source in pairs:
        again = f'`{source["prepare"]} --out {root}`'
        try:
            store = open_store(str(root / 'store'))
            checked |= store.check_clips()
        except InputError as error:
            raise InputError(f'{error}: {again}') from error
        if digest_file(root / 'annotations.csv') != store.info['annotations_digest']:
            raise InputError(
                f'{root}/annotations.csv is not the table that {root}/store was made from; put back what was there, or '
                f'delete it and run {again} again'
            )
        if store.info['schema_version'] < SCHEMA_VERSION:
            note_on_version(root, again)
    return checked


@lru_cache
def note_on_version(root: Path, again: str) -> None:
    """Print once that damage to store.json would not be noticed; damage to the other files is."""
    print(
        f'note: {root}/store/store.json is of an earlier version and has no digest of itself; {again} adds it and '
        'computes nothing anew',
        file=sys.stderr,
    )


def find_missing(root: Path, dataset: str, owner: str, prepare: str) -> str | None:
    """Return what is missing of a prepared data set and what to do, or None."""
    if (root / 'store' / 'store.json').is_file() and (root / 'annotations.csv').is_file():
        return None
    if (root / 'annotations.csv').is_file() and not (root / 'store').exists():
        return (
            f'no flow of {dataset} in {root.resolve()}: only the table was prepared; '
            'run the command without --annotations-only'
        )
    return (
        f'no prepared data set {dataset} in {root.resolve()} (annotations.csv and store/ were expected): ask {owner} '
        f'for the data, then run `{prepare} --out {root}`'
    )


def _joint(digests: list[str]) -> str:
    return digests[0] if len(digests) == 1 else digest_of(sorted(digests))


@lru_cache(maxsize=64)  # a sweep opens many methods on the same clips
def clip_moments(places: tuple[tuple[str, int], ...], view: InputSpec, digest: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and mean square of each channel of each clip, both (N, C) float64.

    Args:
        places: Store and row of each clip.
        view: What is taken of it.
        digest: Of the stores, so that nothing is remembered of others.
    """
    import torch  # not needed by methods of scikit-learn

    moments = []
    for clip in viewed_clips(places, view):
        values = torch.from_numpy(clip).double().flatten(1)
        moments.append((values.mean(1), values.square().mean(1)))
    mean, square = (torch.stack(part).numpy() for part in zip(*moments, strict=True))
    return mean, square


def viewed_clips(places: Iterable[tuple[str, int]], view: InputSpec) -> Iterator[np.ndarray]:
    """Yield each clip as the network sees it, (C, T, H, W) float32, in the order of `places` (store, row)."""
    for store, row in places:
        yield read_clip(store, row, view).astype(np.float32, copy=False)
