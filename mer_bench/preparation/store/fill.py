"""Fills the store of a prepared data set and writes its annotations.csv.

A finished store is left alone, a stopped one continued. annotations.csv is rewritten where the sheet changed, but
never over changes made by hand.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.table import write_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file, read_own_json, write_json
from mer_bench.preparation.store.build import (
    DoneClip,
    append_done,
    finish_build,
    read_done,
    read_remarks,
    start_build,
    tidy_store,
    write_clip,
)
from mer_bench.preparation.store.flow_store import seal
from mer_bench.preparation.store.state import damage, is_complete, other_parameters, what_changed
from mer_bench.preparation.summary import progress_bar
from mer_bench.processes import in_parallel

TABLE_ALONE = '.annotations.json'  # digest of a table that was written without a store

ClipFunction = Callable[..., tuple[np.ndarray, int | None, str]]


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
            f'{"only annotations.csv is rewritten" if anew else "nothing to do"}'
        )
        tidy_store(out)
        return read_remarks(out)
    if fault := damage(out, parameters):
        print(f'{out / "store"} is damaged ({fault}): all clips are recomputed')
    for other in other_parameters(out, parameters):
        print(f'all clips are recomputed, as the settings changed: {what_changed(other, parameters)}')
    build = start_build(out, parameters, shape)
    compute_clips(build, function, arguments, workers)
    finish_build(build, out, table, parameters, units)
    return read_remarks(out)


def refuse_other_dataset(out: Path, dataset: str) -> None:
    """A mistyped --out must not cost the store of another data set."""
    info = read_own_json(out / 'store' / 'store.json')
    if info and info.get('dataset') != dataset:
        raise InputError(
            f'{out}: expected an empty folder or one of {dataset}, it holds {info.get("dataset")}; give another --out '
            'or remove it'
        )


def span(clip: NamedTuple) -> list[int | None]:
    """Return onset, apex and offset of a row of the table: what of it the flow depends on."""
    return [None if number is pd.NA else int(number) for number in (clip.onset, clip.apex, clip.offset)]


def compute_clips(build: Path, function: ClipFunction, arguments: Sequence[tuple], workers: int) -> None:
    """Fill every row of the build that is not done yet, with a progress bar; a stop leaves what can be continued.

    Args:
        build: folder made by :func:`mer_bench.preparation.store.build.start_build`.
        function: see :func:`fill_store`.
        arguments: for each row, the arguments of `function`.
        workers: number of processes; OpenCV's own threads scale worse and are switched off.
    """
    done = read_done(build)
    todo = [row for row in range(len(arguments)) if row not in done]
    tasks = [(build, row, function, arguments[row]) for row in todo]
    with in_parallel(compute_row, tasks, workers) as results, progress_bar() as bar:
        shown = bar.add_task('clips', total=len(arguments), completed=len(done))
        for clip in results:
            append_done(build, clip)
            bar.advance(shown)


def compute_row(build: Path, row: int, function: ClipFunction, arguments: tuple) -> DoneClip:
    """Compute one clip and write it into its row; runs in a worker."""
    cv2.setNumThreads(1)
    start = time.perf_counter()
    clip, apex, remark = function(*arguments)
    write_clip(build, row, clip)
    return DoneClip(row, apex, time.perf_counter() - start, remark)


def refuse_changes_by_hand(out: Path, table: pd.DataFrame) -> None:
    """Refuse to write over an annotations.csv that is neither as it was written nor as `table` has it."""
    path = out / 'annotations.csv'
    if not path.is_file():
        return
    infos = [read_own_json(out / name) or {} for name in ('store/store.json', TABLE_ALONE)]
    written = [info.get('annotations_digest') for info in infos]
    if digest_file(path) not in (*written, digest_of_table(table)):
        raise InputError(
            f'{path}: expected the table as mer-bench prepare wrote it, found one that was changed since; undo the '
            'change, or make it a data set of its own with `mer-bench prepare csv --sheet`; to have it written '
            'again, delete it'
        )


def write_table_alone(out: Path, table: pd.DataFrame) -> None:
    """Write annotations.csv where there is no store."""
    refuse_changes_by_hand(out, table)
    write_annotations(table, out / 'annotations.csv')
    write_json(out / TABLE_ALONE, {'annotations_digest': digest_file(out / 'annotations.csv')})


def renew(out: Path, table: pd.DataFrame) -> bool:
    """Rewrite the table beside the finished store if it is missing or another; return whether it was.

    The store.json of an earlier version gets its digest of itself.
    """
    path, store_json = out / 'annotations.csv', out / 'store' / 'store.json'
    info, digest = read_own_json(store_json), digest_of_table(table)
    anew = not path.is_file() or not digest_file(path) == digest == info['annotations_digest']
    if anew:
        write_annotations(table, path)
    if (sealed := seal(info | {'annotations_digest': digest})) != info:
        write_json(store_json, sealed)
    return anew


def digest_of_table(table: pd.DataFrame) -> str:
    """Return the digest of annotations.csv as it would be written."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'annotations.csv'
        write_annotations(table, path)
        return digest_file(path)
