"""From a raw folder to a prepared data set: annotations.csv and the store, with a summary for the user."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track as rich_track

from mer_bench.datasets.flow_images import OFFICIAL_COUNTS, count_classes, official_note, read_flow_images, read_picture
from mer_bench.datasets.smic import find_tree, list_frames, read_smic
from mer_bench.datasets.synthetic import write_smic_tree
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.preparation.clip_flow import STILL_UNITS, UNITS, clip_flow
from mer_bench.preparation.frames import SAMPLING
from mer_bench.preparation.optical_flow import FLOW_PARAMETERS, tvl1
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store_build import (
    finish_build,
    is_complete,
    locked,
    other_parameters,
    start_build,
    tidy_store,
    what_changed,
)
from mer_bench.preparation.workers import ClipFunction, compute_clips, progress_bar

PICTURE_SAMPLING = 'one picture per clip, onset to apex, as published'
PICTURE_UNITS = (
    'u (red) and v (green) as x / 127.5 - 1, optical strain (blue) as x / 255 of the published 8-bit pictures; their '
    'scale in pixels is not published'
)


def prepare_smic(raw: str | Path, out: str | Path, settings: FlowSettings, workers: int | None) -> None:
    """Read SMIC-HS in or below `raw`, compute the flow of every clip, fill `out`."""
    if settings.flow == 'tvl1':
        tvl1()  # where TV-L1 is missing, say so before the work starts
    table = read_smic(raw)
    tree = find_tree(Path(raw))
    frames = [list_frames(tree / folder) for folder in table['frames_dir']]
    parameters = {
        'dataset': 'smic',
        'flow': settings.flow,
        'flow_parameters': FLOW_PARAMETERS[settings.flow],
        'clip_len': settings.clip_len,
        'size': [settings.size, settings.size],
        'apex': settings.apex,
        'sampling': SAMPLING,
        'files': [[digest_file(path) for path in clip.values()] for clip in track(frames, 'reading frames')],
    }
    arguments = [(clip, min(clip), None, max(clip), settings) for clip in frames]  # SMIC has no apex label
    units = STILL_UNITS if settings.flow == 'still' else UNITS
    fill_store(Path(out), table, parameters, clip_flow, arguments, units=units, workers=workers or joblib.cpu_count())
    print_summary(table, Path(out), 'configs/mer_smic.py', ['smic'])


def prepare_flow_images(folder: str | Path, out: str | Path, labels: str | Path | None = None) -> None:
    """Read published flow pictures (either layout), fill `out` with a store of one map per clip."""
    folder = Path(folder)
    table = read_flow_images(folder, labels)
    paths = [folder / name for name in table['frames_dir']]
    parameters = {
        'dataset': 'megc2019_flow',
        'flow': 'published_pictures',
        'flow_parameters': {},
        'clip_len': 1,
        'size': common_size(paths),
        'apex': 'given',
        'sampling': PICTURE_SAMPLING,
        'files': [digest_file(path) for path in paths],
    }
    apexes = [None if apex is pd.NA else int(apex) for apex in table['apex']]
    arguments = list(zip(paths, apexes, strict=True))
    fill_store(Path(out), table, parameters, flow_picture, arguments, units=PICTURE_UNITS, workers=1)
    print_summary(table, Path(out), 'configs/mer_megc2019_flow.py', list(OFFICIAL_COUNTS))


def track(items: Sequence, description: str) -> Iterable:
    """Show how many of `items` are done, on stderr."""
    return rich_track(items, description, console=Console(stderr=True), transient=True)


def common_size(paths: Sequence[Path]) -> list[int]:
    """Return height and width of all pictures."""
    sizes = {path: list(read_picture(path).shape[:2]) for path in paths}
    first = sizes[paths[0]]
    for path, size in sizes.items():
        if size != first:
            raise InputError(
                f'{path}: expected {first[1]}x{first[0]} pixels as in {paths[0].name}, found {size[1]}x{size[0]}; '
                'all flow pictures need one size'
            )
    return first


def flow_picture(path: Path, apex: int | None) -> tuple[np.ndarray, int | None]:
    """Return a picture as `PICTURE_UNITS` says, (3, 1, H, W) float16, and the apex as given.

    A mirrored clip needs the opposite u: 255 - x. That holds for a scale that is even about 127.5, and as well where
    each picture runs from its least to its largest value: then -u does so with its ends exchanged.
    """
    levels = read_picture(path).transpose(2, 0, 1)[:, None].astype(np.float32)
    clip = levels / 255
    clip[:2] = (2 * levels[:2] - 255) / 255
    return clip.astype(np.float16), apex


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
        out: the prepared data set's folder.
        table: the annotation table; its order is the order of the rows.
        parameters: what decides the content, beside the table.
        function: returns a clip's array and apex.
        arguments: for each row, the arguments of `function`.
        units: one sentence for store.json.
        workers: number of processes.
    """
    clips = json.loads(table.to_json(orient='records'))
    parameters = parameters | {'synthetic': bool(table['synthetic'].any()), 'opencv': cv2.__version__, 'clips': clips}
    shape = (len(table), 3, parameters['clip_len'], *parameters['size'])
    with locked(out):
        if is_complete(out, parameters):
            print(f'{out / "store"} is already complete for these clips and settings: nothing to do')
            tidy_store(out)
            return
        for other in other_parameters(out, parameters):
            print(f'all clips are computed anew, earlier ones do not fit: {what_changed(other, parameters)}')
        build = start_build(out, parameters, shape)
        compute_clips(build, function, arguments, workers)
        finish_build(build, out, table, parameters, units)


def write_synthetic(out: str | Path, *, subjects: int, clips: int, seed: int, cropped: bool) -> None:
    """Write a raw tree of procedural faces in the layout of SMIC-HS."""
    with progress_bar() as bar:
        shown = bar.add_task('clips', total=subjects * clips)
        write_smic_tree(
            Path(out),
            subjects=subjects,
            clips_per_subject=clips,
            seed=seed,
            cropped=cropped,
            progress=lambda done, _: bar.update(shown, completed=done),
        )
    print(f'{subjects * clips} synthetic clips of {subjects} subjects in {out}')
    print(f'next: python tools/prepare.py smic --raw {out} --out {out}_prepared')


def print_summary(table: pd.DataFrame, out: Path, config: str, parts: list[str]) -> None:
    """Tell what was prepared, where it lies and what to run next; `parts` should have the official counts."""
    subjects = table['subject'].nunique()
    print(f'{len(table)} clips of {subjects} subjects{" (synthetic)" if table["synthetic"].any() else ""}')
    print(count_classes(table).to_string())
    if not table['synthetic'].any() and (note := official_note(table, parts)):
        print(note)
    print(f'in {out}: annotations.csv and store/')
    print(f'next: python tools/train.py {config} --data-root {out}')
