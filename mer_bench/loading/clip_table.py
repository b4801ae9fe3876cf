"""The clips of one or several prepared data sets that a label scheme uses, each with its class and its flow."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.preparation.flow_store import FlowStore
from mer_bench.protocols.label_schemes import LabelScheme, apply_scheme

open_store = lru_cache(maxsize=32)(FlowStore)


def read_clips(
    roots: Sequence[str | Path], scheme: LabelScheme, ann_file: str = 'annotations.csv', store: str = 'store'
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the annotation tables of `roots`, which must share no clip, and apply `scheme` to each.

    Returns:
        kept: annotations of the clips in use, by sample_id, with the columns label, store (a folder) and row (in it).
        dropped: sample_id and reason of the other clips.
    """
    root_of: dict[str, Path] = {}
    kept, dropped = [], []
    for root in map(Path, roots):
        annotations = read_annotations(root / ann_file)
        _refuse_known_clips(root, annotations, root_of)
        used, unused = _apply(root, annotations, scheme)
        kept.append(used.assign(store=str(root / store), row=_rows(root / store, used)))
        dropped.append(unused)
    return tuple(pd.concat(tables).sort_values('sample_id', ignore_index=True) for tables in (kept, dropped))


def _refuse_known_clips(root: Path, annotations: pd.DataFrame, root_of: dict[str, Path]) -> None:
    """Note the root of each clip in `root_of`; a clip that stands there already would be trained on and tested."""
    for sample_id in annotations['sample_id']:
        if sample_id in root_of:
            raise InputError(f'{sample_id} is in {root_of[sample_id]} and in {root}; give folders that share no clip')
    root_of.update(dict.fromkeys(annotations['sample_id'], root))


def _apply(root: Path, annotations: pd.DataFrame, scheme: LabelScheme) -> tuple[pd.DataFrame, pd.DataFrame]:
    try:
        return apply_scheme(annotations, scheme)
    except InputError as error:
        raise InputError(f'{root}: {error}') from error


def _rows(store: Path, annotations: pd.DataFrame) -> list[int]:
    index = open_store(str(store)).index
    absent = [sample_id for sample_id in annotations['sample_id'] if sample_id not in index]
    if absent:
        raise InputError(f'{store} holds no flow of {absent[0]}; run tools/prepare.py again')
    return [index[sample_id] for sample_id in annotations['sample_id']]
