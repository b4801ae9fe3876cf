"""Fills the store of a prepared data set: a finished one is left alone, a stopped one continued."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import pandas as pd
from rich.console import Console
from rich.progress import track as rich_track

from mer_bench.errors import InputError
from mer_bench.preparation.store.annotations_file import refuse_changes_by_hand, renew
from mer_bench.preparation.store.build import finish_build, read_remarks, start_build, tidy_store
from mer_bench.preparation.store.state import damage, is_complete, other_parameters, read_json, what_changed
from mer_bench.preparation.workers import ClipFunction, compute_clips


def fill_store(
    out: Path,
    table: pd.DataFrame,
    parameters: dict,
    function: ClipFunction,
    arguments: Sequence[tuple],
    *,
    units: str,
    workers: int,
) -> dict[str, str]:
    """Make `out` hold the store of these parameters and its annotations.csv, continuing what a stopped run left.

    Args:
        out: the prepared data set's folder, locked by the caller.
        table: the annotation table; its order is the order of the rows.
        parameters: what decides the content, beside the table.
        function: returns a clip's array, its apex and a remark 'kind: detail', '' for none.
        arguments: for each row, the arguments of `function`.
        units: one sentence for store.json.
        workers: number of processes.

    Returns:
        {sample_id: remark} of the clips that have one.
    """
    refuse_other_dataset(out, parameters['dataset'])
    refuse_changes_by_hand(out, table)
    clips = [[clip.sample_id, *span(clip)] for clip in table.itertuples()]
    parameters = parameters | {'synthetic': bool(table['synthetic'].any()), 'opencv': cv2.__version__, 'clips': clips}
    shape = (len(table), len(parameters['channels']), parameters['clip_len'], *parameters['size'])
    if is_complete(out, parameters):
        anew = renew(out, table)
        print(
            f'{out / "store"} is already complete for these clips and settings: '
            f'{"annotations.csv alone is written anew" if anew else "nothing to do"}'
        )
        tidy_store(out)
        return read_remarks(out)
    if fault := damage(out, parameters):
        print(f'{out / "store"} is damaged ({fault}): all clips are computed anew')
    for other in other_parameters(out, parameters):
        print(f'all clips are computed anew, earlier ones do not fit: {what_changed(other, parameters)}')
    build = start_build(out, parameters, shape)
    compute_clips(build, function, arguments, workers)
    finish_build(build, out, table, parameters, units)
    return read_remarks(out)


def refuse_other_dataset(out: Path, dataset: str) -> None:
    """A mistyped --out must not cost the store of another data set."""
    info = read_json(out / 'store' / 'store.json')
    if info and info.get('dataset') != dataset:
        raise InputError(
            f'{out}: expected an empty folder or one of {dataset}, it holds {info.get("dataset")}; give another --out '
            'or remove it'
        )


def span(clip: NamedTuple) -> list[int | None]:
    """Return onset, apex and offset of a row of the table: what of it the flow depends on."""
    return [None if number is pd.NA else int(number) for number in (clip.onset, clip.apex, clip.offset)]


def track(items: Sequence, description: str) -> Iterable:
    """Show how many of `items` are done, on stderr."""
    return rich_track(items, description, console=Console(stderr=True), transient=True)
