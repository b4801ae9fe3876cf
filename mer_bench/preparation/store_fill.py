"""Fills the store of a prepared data set: a finished one is left alone, a stopped one continued."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import pandas as pd
from rich.console import Console
from rich.progress import track as rich_track

from mer_bench.preparation.store_build import (
    finish_build,
    is_complete,
    other_parameters,
    start_build,
    tidy_store,
    what_changed,
)
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
) -> None:
    """Make `out` hold the store of these parameters, continuing what a stopped run left.

    Args:
        out: the prepared data set's folder, locked by the caller.
        table: the annotation table; its order is the order of the rows.
        parameters: what decides the content, beside the table.
        function: returns a clip's array and apex.
        arguments: for each row, the arguments of `function`.
        units: one sentence for store.json.
        workers: number of processes.
    """
    clips = json.loads(table.to_json(orient='records'))
    parameters = parameters | {'synthetic': bool(table['synthetic'].any()), 'opencv': cv2.__version__, 'clips': clips}
    shape = (len(table), len(parameters['channels']), parameters['clip_len'], *parameters['size'])
    if is_complete(out, parameters):
        print(f'{out / "store"} is already complete for these clips and settings: nothing to do')
        tidy_store(out)
        return
    for other in other_parameters(out, parameters):
        print(f'all clips are computed anew, earlier ones do not fit: {what_changed(other, parameters)}')
    build = start_build(out, parameters, shape)
    compute_clips(build, function, arguments, workers)
    finish_build(build, out, table, parameters, units)


def track(items: Sequence, description: str) -> Iterable:
    """Show how many of `items` are done, on stderr."""
    return rich_track(items, description, console=Console(stderr=True), transient=True)
