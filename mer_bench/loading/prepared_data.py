"""One or several prepared data sets as a run uses them: clips with their classes, stores, digests, moments."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.table import digest_clips, read_annotations
from mer_bench.errors import InputError
from mer_bench.files import Stamp, digest_file, digest_of, stamp_of
from mer_bench.loading.input_spec import InputSpec, make_spec
from mer_bench.preparation.store.flow_store import CHANNELS, CHECKED, EITHER, PARTS, SAME, SCHEMA_VERSION, FlowStore
from mer_bench.protocols.label_schemes import LabelScheme, check_clips_differ, select_clips


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
    def clips_digest(self) -> str:
        """The digest of all clips of the tables, in use or not, wherever their frames lie."""
        return _joint([digest_clips(read_annotations(Path(root, 'annotations.csv'))) for root in self.roots])

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
    stored = next(iter(stores.values())).clips.shape[1:]
    view = make_spec(options, info, stored)
    infos = [store.info for store in stores.values()]  # both digests were compared with the files above
    tables, flow = ([info[name] for info in infos] for name in ('annotations_digest', 'data_digest'))
    digests = dict(annotations_digest=_joint(tables), store_digest=_joint(flow))
    return PreparedData(tuple(stores), annotations, dropped, view, view.shape_of(stored), info, digests, checked)


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


def open_store(path: str) -> FlowStore:
    """Return the store in a folder; it is opened again only if one of its files changed."""
    return _opened(path, tuple(stamp_of(Path(path, part)) for part in PARTS))


@lru_cache(maxsize=32)
def _opened(path: str, stamps: tuple[Stamp | None, ...]) -> FlowStore:
    return FlowStore(path)


def read_clip(store: str, row: int, view: InputSpec) -> np.ndarray:
    """Return a clip of a store as a method sees it, (C, T, H, W): float16 as stored, or float32 if computed."""
    clip = np.array(open_store(store).clips[row])
    return view(clip if view.keeps_values else clip.astype(np.float32))


def read_clips(
    roots: Sequence[str | Path], scheme: LabelScheme | None, ann_file: str = 'annotations.csv', store: str = 'store'
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the annotation tables of `roots`, which must share no clip, and apply a scheme to each.

    Args:
        roots: Folders of prepared data.
        scheme: Which clips are used, and their classes; None: every clip, without a class.
        ann_file: annotations.csv, relative to each root.
        store: The flow store, likewise.

    Returns:
        kept: annotations of the clips in use, by sample_id, with the columns label, store (a folder) and row (in it).
        dropped: sample_id and reason of the other clips.
    """
    stamps = tuple(stamp_of(Path(root, ann_file)) for root in roots)
    kept, dropped = _selected(tuple(map(str, roots)), scheme, ann_file, stamps)
    kept = kept.assign(store=[str(Path(root, store)) for root in kept['place']]).drop(columns='place')
    return kept.assign(row=_rows(kept)), dropped.copy()


@lru_cache(maxsize=8)
def _selected(
    roots: tuple[str, ...], scheme: LabelScheme | None, ann_file: str, stamps: tuple[Stamp | None, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the tables once for all folds of a run, as long as no file changes."""
    tables = [(root, read_annotations(Path(root, ann_file))) for root in roots]
    if scheme is not None:
        return select_clips(tables, scheme)
    check_clips_differ(tables)
    kept = pd.concat([table.assign(label='', place=root) for root, table in tables])
    return kept.sort_values('sample_id', ignore_index=True), pd.DataFrame(columns=['sample_id', 'reason'], dtype=str)


def clip_places(clips: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    """Return store and row of each clip of a table of :func:`read_clips`."""
    return tuple(zip(clips['store'], clips['row'].tolist(), strict=True))


def _rows(clips: pd.DataFrame) -> list[int]:
    """Return the row of each clip in its store, whose flow is compared with its digest."""
    stores = {path: open_store(path) for path in clips['store'].unique()}
    for store in stores.values():
        store.check_clips()
    for path, sample_id in zip(clips['store'], clips['sample_id'], strict=True):
        if sample_id not in stores[path].index:
            raise InputError(f'{path} holds no flow of {sample_id}; run mer-bench prepare again')
    return [stores[path].index[name] for path, name in zip(clips['store'], clips['sample_id'], strict=True)]


def common_info(infos: dict[str, dict]) -> dict:
    """Join the store.json of each folder in `infos`; a single one is returned as it is.

    Returns:
        What all stores have in common; sums of n_clips and seconds; synthetic if one is; apex and faces as a dict
        {data set: value} if they differ; all of them under `stores`.

    Raises:
        InputError: The stores were prepared differently.
    """
    infos = {root: {'channels': list(CHANNELS), **info} for root, info in infos.items()}
    first, *others = infos
    for root in others:
        for name in SAME:
            if infos[root].get(name) != infos[first].get(name):
                raise InputError(
                    f'{root}/store: expected {name} {infos[first].get(name)} as in {first}/store, found '
                    f'{infos[root].get(name)}; prepare both with the same options'
                )
    return _joined(infos) if others else infos[first]


def _joined(infos: dict[str, dict]) -> dict:
    first, *_ = stores = [*infos.values()]
    common = {key: value for key, value in first.items() if all(info.get(key) == value for info in stores)}
    datasets = [info['dataset'] for info in stores]
    keys = [info['dataset'] if datasets.count(info['dataset']) == 1 else root for root, info in infos.items()]
    either = {name: dict(zip(keys, (info.get(name) for info in stores), strict=True)) for name in EITHER}
    return {**either, **common} | dict(
        n_clips=sum(info['n_clips'] for info in stores),
        seconds=sum(info['seconds'] for info in stores),
        synthetic=any(info['synthetic'] for info in stores),
        stores=stores,
    )
