"""One or several prepared data sets as one: the clips that a label scheme uses, and the joint store.json."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.loading.input_spec import InputSpec
from mer_bench.preparation.store.flow_store import CHANNELS, PARTS, FlowStore, Stamp, stamp_of
from mer_bench.protocols.clip_selection import check_clips_differ, select_clips
from mer_bench.protocols.label_schemes import EXCLUDED_CLIPS, LabelScheme, load_scheme

SAME = ('flow', 'flow_parameters', 'channels', 'reference', 'clip_len', 'size', 'sampling')
EITHER = ('apex', 'faces')  # these may differ: SMIC has no apex in its release, and some data sets have cropped faces


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


def open_scheme(name_or_path: str) -> LabelScheme:
    """Return a label scheme; it is read again only if its files changed."""
    files = Path(name_or_path), Path(name_or_path).parent / EXCLUDED_CLIPS
    return _opened_scheme(name_or_path, tuple(map(stamp_of, files)))


@lru_cache(maxsize=32)
def _opened_scheme(name_or_path: str, stamps: tuple[Stamp | None, ...]) -> LabelScheme:
    return load_scheme(name_or_path)


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


def difference_note(info: dict) -> str | None:
    """Return a sentence about an apex or faces that the data sets do not have from one source; None if they do."""
    texts = [_difference(name, info.get('stores', []), info.get(name)) for name in EITHER]
    differences = '; '.join(text for text in texts if text)
    return f'note: the data sets were prepared differently: {differences}' if differences else None


def _difference(name: str, stores: list[dict], joined: object) -> str | None:
    """'faces smic: none, casme2: dlib', or None if all are of one kind."""
    kinds = [_kind(store.get(name)) for store in stores]
    if len({*kinds}) < 2:
        return None
    return f'{name} {", ".join(f"{key}: {kind}" for key, kind in zip(joined, kinds, strict=True))}'


def _kind(value: object) -> str:
    """Detector, size of the crop and stabilisation, or the sources of an apex without their numbers of clips."""
    if isinstance(value, dict) and 'detector' in value:
        size = f' {value["size"]}' if 'size' in value else ''
        return f'{value["detector"]}{size}{" stabilised" if value.get("stabilise") else ""}'
    return ' and '.join(value) if isinstance(value, dict) else str(value or 'unknown')


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
