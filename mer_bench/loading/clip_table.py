"""The clips of one or several prepared data sets that a label scheme uses, each with its class and its flow."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.preparation.store.flow_store import PARTS, FlowStore, Stamp, stamp_of
from mer_bench.protocols.clip_selection import select_clips
from mer_bench.protocols.label_schemes import LabelScheme


def open_store(path: str) -> FlowStore:
    """Return the store in a folder, which is opened again only where one of its files changed."""
    return _opened(path, tuple(stamp_of(Path(path, part)) for part in PARTS))


@lru_cache(maxsize=32)
def _opened(path: str, stamps: tuple[Stamp | None, ...]) -> FlowStore:
    return FlowStore(path)


def read_clips(
    roots: Sequence[str | Path], scheme: LabelScheme, ann_file: str = 'annotations.csv', store: str = 'store'
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the annotation tables of `roots`, which must share no clip, and apply `scheme` to each.

    Returns:
        kept: annotations of the clips in use, by sample_id, with the columns label, store (a folder) and row (in it).
        dropped: sample_id and reason of the other clips.
    """
    tables = [(root, read_annotations(Path(root, ann_file))) for root in roots]
    kept, dropped = select_clips(tables, scheme)
    kept['store'] = [str(Path(root, store)) for root in kept.pop('place')]
    return kept.assign(row=_rows(kept)), dropped


def clip_places(clips: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    """Return store and row of each clip of a table of :func:`read_clips`."""
    return tuple(zip(clips['store'], clips['row'].tolist(), strict=True))


def _rows(clips: pd.DataFrame) -> list[int]:
    """Return the place of each clip in its store, whose flow must be what was written."""
    stores = {path: open_store(path) for path in clips['store'].unique()}
    for store in stores.values():
        store.check_clips()
    for path, sample_id in zip(clips['store'], clips['sample_id'], strict=True):
        if sample_id not in stores[path].index:
            raise InputError(f'{path} holds no flow of {sample_id}; run tools/prepare.py again')
    return [stores[path].index[name] for path, name in zip(clips['store'], clips['sample_id'], strict=True)]
