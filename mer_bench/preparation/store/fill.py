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
from mer_bench.files import digest_file, digest_of, read_own_json, write_json
from mer_bench.preparation.store.build import (
    NAMED_PARAMETERS,
    DoneClip,
    append_done,
    finish_build,
    frames_digest,
    read_done,
    read_remarks,
    start_build,
    tidy_store,
    write_clip,
)
from mer_bench.preparation.store.flow_store import PARTS, DamagedStore, FlowStore, seal
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
        anew = renew(out, table, frames_digest(parameters))
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
    """Refuse to replace the store of another data set: --out may be mistyped."""
    info = read_own_json(out / 'store' / 'store.json')
    if info and info.get('dataset') != dataset:
        raise InputError(
            f'{out}: expected an empty folder or one of {dataset}, it holds {info.get("dataset")}; give another --out '
            'or remove it'
        )


def span(clip: NamedTuple) -> list[int | None]:
    """Return onset, apex and offset of a row of the table, on which the flow depends."""
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
            'change, prepare it as a separate data set with `mer-bench prepare csv --sheet`, or delete it to have it '
            'written again'
        )


def write_table_alone(out: Path, table: pd.DataFrame) -> None:
    """Write annotations.csv where there is no store."""
    refuse_changes_by_hand(out, table)
    write_annotations(table, out / 'annotations.csv')
    write_json(out / TABLE_ALONE, {'annotations_digest': digest_file(out / 'annotations.csv')})


def renew(out: Path, table: pd.DataFrame, added: dict[str, str] | None = None) -> bool:
    """Rewrite the table beside the finished store if it is missing or differs; return whether it was rewritten.

    The store.json of an earlier version gets its digest of itself, and `added`.
    """
    path, store_json = out / 'annotations.csv', out / 'store' / 'store.json'
    info, digest = read_own_json(store_json), digest_of_table(table)
    anew = not path.is_file() or not digest_file(path) == digest == info['annotations_digest']
    if anew:
        write_annotations(table, path)
    if (sealed := seal(info | {'annotations_digest': digest} | (added or {}))) != info:
        write_json(store_json, sealed)
    return anew


def digest_of_table(table: pd.DataFrame) -> str:
    """Return the digest of annotations.csv as it would be written."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'annotations.csv'
        write_annotations(table, path)
        return digest_file(path)


def other_parameters(out: Path, parameters: dict) -> list[dict]:
    """Return what the finished store and unfinished builds in `out` were made with, if not with `parameters`."""
    made = [read_own_json(out / 'store' / 'store.json')]
    made += [read_own_json(path) for path in sorted(out.glob('.store-*/parameters.json'))]
    return [old for old in made if old and old.get('parameters_digest', digest_of(old)) != digest_of(parameters)]


def is_complete(out: Path, parameters: dict) -> bool:
    """Return whether `out` holds the finished, undamaged store of these parameters."""
    info = read_own_json(out / 'store' / 'store.json')
    made_with = info and info.get('parameters_digest')
    return made_with == digest_of(parameters) and damage(out, parameters) is None


def damage(out: Path, parameters: dict) -> str | None:
    """Return what is damaged in the store in `out`; None if nothing is, or if it was made with other parameters."""
    store = out / 'store'
    if not store.exists():
        return None
    info = read_own_json(store / 'store.json')
    if info is None:
        return 'store.json is missing or cannot be read'
    if info.get('parameters_digest') != digest_of(parameters):
        return None
    if missing := [part for part in PARTS if not (store / part).is_file()]:
        return f'{missing[0]} is missing'
    try:
        FlowStore(store).check_clips()
    except DamagedStore as error:
        return f'{error.path.name}: {error.fault}'
    return None


def what_changed(old: dict, new: dict) -> str:
    """Name the parameters that differ, for the user; of a dict the keys that differ."""
    names = [name for name in NAMED_PARAMETERS if old.get(name) != new.get(name)]
    if 'flow' in names and 'flow_parameters' in names:
        names.remove('flow_parameters')  # they come with the method
    if 'apex' in names and 'spotting_regions' in names:
        names.remove('spotting_regions')  # they come with the apex
    changes = [change for name in names for change in differences(name, old.get(name), new.get(name))]
    return ', '.join(changes) or 'the clips or their frames'


def differences(name: str, old: object, new: object) -> list[str]:
    """Return 'name old -> new', for dicts one text per key that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return [difference for key in keys for difference in differences(f'{name} {key}', old.get(key), new.get(key))]
    old, new = ('none' if value is None else value for value in (old, new))
    return [f'{name} {old} -> {new}']
