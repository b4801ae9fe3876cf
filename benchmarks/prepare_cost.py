"""Preparing clips: the whole command against the bare flow, two workers against one, writing a store, flow methods.

All alternatives run in turns on the same synthetic clips, in the folder for temporary files (TMPDIR).
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from benchmarks.arguments import add_numbers
from benchmarks.machine import seconds_of
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.synthetic.face import HEIGHT, WIDTH
from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.flow.clip_flow import clip_flow, frames_to_take, known_apex, store_parameters, units
from mer_bench.preparation.flow.optical_flow import compute_flow
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.prepare import clip_sources
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.build import DoneClip, append_done, finish_build, start_build, write_clip
from mer_bench.preparation.store.fill import fill_store
from mer_bench.processes import in_parallel
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'two workers against one, writing the store, and the flow methods'
COMMAND = Path(__file__).parents[1] / 'tools/prepare.py'
SUBJECTS = WORKERS = 2
METHODS = ('tvl1', 'farneback', 'dis')
WHOLE = ('tvl1', 'dis')  # methods with which the command is timed
AGAINST = {
    **{
        name: f'the command, from raw folder to store, with {WORKERS} workers, over the flow alone ({method}) of the '
        f'same pairs, from memory in {WORKERS} processes'
        for method, name in zip(WHOLE, ('end_to_end', 'end_to_end_dis'), strict=True)
    },
    'workers': 'a whole store with one worker, over the same with two',
    **{f'writing_{method}': f'writing the clips as a store, over computing them with {method}' for method in METHODS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        clips=(164, 2, 'synthetic clips of the whole command, an even number for two workers; SMIC-HS has 164'),
        few=(4, 2, 'how many of these clips, an even number, the other alternatives take'),
        rounds=(3, 1, 'timed runs of each alternative; the command runs once'),
        clip_len=(16, 1, 'sampled frames of a clip'),
        size=(112, 28, 'stored height and width in pixels'),
    )


def measure(args: argparse.Namespace) -> dict:
    """Time the preparation of synthetic clips as a whole, with TV-L1, writing their store, and each flow method.

    Returns:
        settings: the frame [height, width]; seconds {alternative: median, of pair_<method> for one pair of frames};
        ratios {median, min, max over the rounds}: `end_to_end` and `end_to_end_dis` of the time of the command over
        that of the flow alone, `workers` of one worker's time over that of two for a whole store, and for each method
        `writing_<method>` of the time to write a store of the clips over that to compute them; work of `writing`: bytes
        of the clips, read and written (float16); against: what ratios compare.
    """
    few = min(args.few, args.clips)
    if args.clips % SUBJECTS or few % SUBJECTS:
        raise InputError(f'expected even numbers of clips for two workers, got {args.clips} and {few}; add one')
    cv2.setNumThreads(1)  # as in the workers
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # a progress bar would be printed each round
        table, sources = synthetic_clips(Path(folder), args.clips)
        whole = time_whole(Path(folder), sources, args)
        timed = alternatives(Path(folder), table[:few], sources[:few], args)
        seconds = whole | interleave(timed, args.rounds)
    ratios = {
        'end_to_end': pair_ratios(seconds['command_tvl1'], seconds['flow_tvl1']),
        'end_to_end_dis': pair_ratios(seconds['command_dis'], seconds['flow_dis']),
        'workers': pair_ratios(seconds['store_1_worker'], seconds['store_2_workers']),
    }
    for method in METHODS:
        ratios[f'writing_{method}'] = pair_ratios(seconds['writing'], seconds[f'clips_{method}'])
        seconds[f'pair_{method}'] = [value / few for value in seconds[f'pair_{method}']]
    return {
        'settings': {'frame': [HEIGHT, WIDTH], 'workers': WORKERS},
        'seconds': {name: median(runs) for name, runs in seconds.items()},
        'ratios': ratios,
        'work': {'writing': {'bytes': few * 3 * args.clip_len * args.size**2 * 2 * 2}},
        'against': AGAINST,
    }


def time_whole(folder: Path, sources: list[ClipSource], args: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of the flow alone and of the command by name, each in a list of one: a run takes a minute."""
    seconds = {}
    for method in WHOLE:
        settings = FlowSettings(method, args.clip_len, args.size)
        pairs = [(frames_in_pairs(source, settings), method) for source in sources]
        compute_pairs(pairs[:WORKERS])  # starts the processes of the flow alone
        runs = {'flow': lambda pairs=pairs: compute_pairs(pairs), 'command': lambda s=settings: command(folder, s)}
        for what, run in runs.items():
            seconds[f'{what}_{method}'] = [seconds_of(run, 'cpu')]
    return seconds


def frames_in_pairs(source: ClipSource, settings: FlowSettings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the pairs of frames between which the preparation computes the flow of a clip, each (H, W) uint8."""
    taken = dict.fromkeys(frames_to_take(source, known_apex(source, settings), settings))
    frames = read_frames({number: source.paths[number] for number in (source.onset, *taken)})
    return [(frames[source.onset], frames[number]) for number in taken if number != source.onset]


def compute_pairs(clips: list[tuple[list, str]]) -> None:
    """Compute the flow of the pairs of all clips in two processes, and drop it."""
    with in_parallel(flow_of_pairs, clips, WORKERS) as results:
        for _ in results:
            pass


def flow_of_pairs(pairs: list[tuple[np.ndarray, np.ndarray]], method: str) -> None:
    """Compute the flow of the pairs of a clip."""
    cv2.setNumThreads(1)
    for pair in pairs:
        compute_flow(*pair, method)


def command(folder: Path, settings: FlowSettings) -> None:
    """Run tools/prepare.py on the raw tree in `folder`."""
    with TemporaryDirectory(dir=folder) as out:
        options = {
            'raw': folder / 'raw',
            'out': out,
            'flow': settings.flow,
            'clip-len': settings.clip_len,
            'size': settings.size,
            'workers': WORKERS,
        }
        words = [str(word) for name, value in options.items() for word in (f'--{name}', value)]
        subprocess.run([sys.executable, COMMAND, 'smic', *words], check=True, capture_output=True)


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
