"""Preparing clips: two workers against one, writing the store against computing its flow, and the flow methods.

All alternatives run in turns on the same synthetic clips, in the folder for temporary files (TMPDIR).
"""

import argparse
import io
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from benchmarks.arguments import add_numbers
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.synthetic.face import HEIGHT, WIDTH
from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.flow.clip_flow import clip_flow, store_parameters, units
from mer_bench.preparation.flow.optical_flow import compute_flow
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.prepare import clip_sources
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.build import DoneClip, append_done, finish_build, start_build, write_clip
from mer_bench.preparation.store.fill import fill_store
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'two workers against one, writing the store, and the flow methods'
SUBJECTS = 2
METHODS = ('tvl1', 'farneback', 'dis')
AGAINST = {
    'workers': 'a whole store with one worker, over the same with two',
    **{f'writing_{method}': f'writing the clips as a store, over computing them with {method}' for method in METHODS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        clips=(12, 2, 'synthetic clips, an even number for two workers'),
        rounds=(5, 1, 'timed runs of each alternative'),
        clip_len=(16, 1, 'sampled frames of a clip'),
        size=(112, 28, 'stored height and width in pixels'),
    )


def measure(args: argparse.Namespace) -> dict:
    """Time the preparation of synthetic clips with TV-L1, writing their store, and each flow method.

    Returns:
        settings: the frame [height, width]; seconds {alternative: median, of pair_<method> for one pair of frames};
        ratios {median, min, max over the rounds}: `workers` of one worker's time over that of two for a whole store,
        and for each method `writing_<method>` of the time to write a store of the clips over that to compute them;
        work of `writing`: bytes of the clips, read and written (float16); against: what ratios compare.
    """
    if args.clips % SUBJECTS:
        raise InputError(f'expected an even number of clips for two workers, got {args.clips}; add one')
    cv2.setNumThreads(1)  # as in the workers
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # a progress bar would be printed each round
        table, sources = synthetic_clips(Path(folder), args.clips)
        seconds = interleave(alternatives(Path(folder), table, sources, args), args.rounds)
    ratios = {'workers': pair_ratios(seconds['store_1_worker'], seconds['store_2_workers'])}
    for method in METHODS:
        ratios[f'writing_{method}'] = pair_ratios(seconds['writing'], seconds[f'clips_{method}'])
        seconds[f'pair_{method}'] = [value / args.clips for value in seconds[f'pair_{method}']]
    return {
        'settings': {'frame': [HEIGHT, WIDTH]},
        'seconds': {name: median(runs) for name, runs in seconds.items()},
        'ratios': ratios,
        'work': {'writing': {'bytes': args.clips * 3 * args.clip_len * args.size**2 * 2 * 2}},
        'against': AGAINST,
    }


def synthetic_clips(folder: Path, clips: int) -> tuple[pd.DataFrame, list[ClipSource]]:
    """Write a tree like SMIC-HS and return its table and frames."""
    write_synthetic_tree(folder / 'raw', 'smic', subjects=SUBJECTS, clips_per_subject=clips // SUBJECTS)
    reading = read_dataset(DATASETS['smic'], Places(folder / 'raw'))
    return reading.table, clip_sources(reading)


def alternatives(
    folder: Path, table: pd.DataFrame, sources: list[ClipSource], args: argparse.Namespace
) -> dict[str, Callable[[], None]]:
    """Return what is timed, by name."""
    methods = {method: FlowSettings(method, args.clip_len, args.size) for method in METHODS}
    timed = {
        'store_1_worker': lambda: build_store(folder, table, sources, methods['tvl1'], 1),
        'store_2_workers': lambda: build_store(folder, table, sources, methods['tvl1'], 2),
        'writing': writing(folder, table, [clip_flow(source, methods['dis'])[:2] for source in sources]),
    }
    pairs = [tuple(read_frames({n: source.paths[n] for n in middle(source)}).values()) for source in sources]
    for method, flow in methods.items():
        timed[f'clips_{method}'] = lambda flow=flow: [clip_flow(source, flow) for source in sources]
        timed[f'pair_{method}'] = lambda method=method: [compute_flow(*pair, method) for pair in pairs]
    return timed


def middle(source: ClipSource) -> tuple[int, int]:
    """Return the onset and the frame in the middle of a clip."""
    return source.onset, source.numbers[len(source.numbers) // 2]


def build_store(folder: Path, table: pd.DataFrame, sources: list[ClipSource], flow: FlowSettings, workers: int) -> None:
    """Prepare the clips as tools/prepare.py does once the table is read."""
    with TemporaryDirectory(dir=folder) as out:
        parameters = store_parameters(table, sources, flow, FaceSettings())
        arguments = [(source, flow) for source in sources]
        fill_store(Path(out), table, parameters, clip_flow, arguments, units=units(flow), workers=workers)


def writing(folder: Path, table: pd.DataFrame, clips: list[tuple[np.ndarray, int]]) -> Callable[[], None]:
    """Return a function that writes computed clips to a store in `folder` as the workers do, and finishes it."""
    _, clip_len, *size = shape = clips[0][0].shape
    parameters = dict(dataset='smic', synthetic=True, clip_len=clip_len, size=size)

    def write() -> None:
        build = start_build(folder, parameters, (len(clips), *shape))
        for row, (clip, apex) in enumerate(clips):
            write_clip(build, row, clip)
            append_done(build, DoneClip(row, apex, 0.0))
        finish_build(build, folder, table, parameters, '')

    return write
