"""Preparing clips: two workers against one, writing the store against computing its flow, and the flow methods.

Everything runs in turns on the same synthetic clips. Files go where temporary files go (TMPDIR).
"""

import argparse
import io
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.bounds import refuse_below
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.synthetic.face import HEIGHT, WIDTH
from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.errors import InputError
from mer_bench.preparation.clip_flow import clip_flow, units
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.settings import FaceSettings
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.optical_flow import compute_flow
from mer_bench.preparation.prepare import clip_sources
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.build import DoneClip, append_done, finish_build, start_build, write_clip
from mer_bench.preparation.store.fill import fill_store
from mer_bench.preparation.store.parameters import store_parameters
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'two workers against one, the store, and the flow methods'
SUBJECTS = 2
METHODS = ('tvl1', 'farneback', 'dis')
AGAINST = {
    'workers': 'a whole store with one worker, over the same with two',
    **{f'writing_{method}': f'writing the clips as a store, over computing them with {method}' for method in METHODS},
}
SMALLEST = {'clips': 1, 'rounds': 1, 'clip_len': 1, 'size': 28}


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        clips: Synthetic clips, an even number for two workers.
        rounds: Timed runs of each alternative, in turns.
        clip_len: Sampled frames per clip.
        size: Height and width of the stored maps in pixels.
    """

    clips: int
    rounds: int
    clip_len: int = 16
    size: int = 112

    def __post_init__(self) -> None:
        refuse_below(self, SMALLEST)
        if self.clips % SUBJECTS:
            raise InputError(f'expected an even number of clips for two workers, got {self.clips}; add one')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--clips', type=int, default=12, help='synthetic clips (default: %(default)s)')
    add('--rounds', type=int, default=5, help='timed runs of each part (default: %(default)s)')
    add('--clip-len', type=int, default=16, help='sampled frames of a clip (default: %(default)s)')
    add('--size', type=int, default=112, help='stored height and width (default: %(default)s)')


def measure(args: argparse.Namespace) -> dict:
    """Time the preparation, see :func:`compare`."""
    return compare(Settings(args.clips, args.rounds, args.clip_len, args.size))


def compare(settings: Settings) -> dict:
    """Cost of preparing synthetic clips with TV-L1, of storing them, and of each flow method.

    Returns:
        settings; frame [height, width]; seconds {alternative: median}; ratios {median, min, max over the rounds}:
        `workers` of one worker's time over that of two for a whole store, and for each method `writing_<method>` of
        the time to write a store of the clips over that to compute them; ms_per_pair {method: median}; work of
        `writing`: bytes of the clips, read and written (float16); against: what ratios compare.
    """
    cv2.setNumThreads(1)  # as in the workers
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # a progress bar would be printed each round
        table, sources = synthetic_clips(Path(folder), settings.clips)
        seconds = interleave(alternatives(Path(folder), table, sources, settings), settings.rounds)
    ratios = {'workers': pair_ratios(seconds['store_1_worker'], seconds['store_2_workers'])}
    for method in METHODS:
        ratios[f'writing_{method}'] = pair_ratios(seconds['writing'], seconds[f'clips_{method}'])
    return {
        'settings': asdict(settings),
        'frame': [HEIGHT, WIDTH],
        'seconds': {name: median(runs) for name, runs in seconds.items()},
        'ratios': ratios,
        'ms_per_pair': {method: median(seconds[f'pairs_{method}']) / settings.clips * 1e3 for method in METHODS},
        'work': {'writing': {'bytes': settings.clips * 3 * settings.clip_len * settings.size**2 * 2 * 2}},
        'against': AGAINST,
    }


def synthetic_clips(folder: Path, clips: int) -> tuple[pd.DataFrame, list[ClipSource]]:
    """Write a tree like SMIC-HS and return its table and frames."""
    write_synthetic_tree(folder / 'raw', 'smic', subjects=SUBJECTS, clips_per_subject=clips // SUBJECTS)
    reading = read_dataset(DATASETS['smic'], Places(folder / 'raw'))
    return reading.table, clip_sources(reading)


def alternatives(
    folder: Path, table: pd.DataFrame, sources: list[ClipSource], settings: Settings
) -> dict[str, Callable[[], None]]:
    """Return what is timed, by name."""
    methods = {method: FlowSettings(method, settings.clip_len, settings.size) for method in METHODS}
    timed = {
        'store_1_worker': lambda: build_store(folder, table, sources, methods['tvl1'], 1),
        'store_2_workers': lambda: build_store(folder, table, sources, methods['tvl1'], 2),
        'writing': writing(folder, table, [clip_flow(source, methods['dis'])[:2] for source in sources]),
    }
    pairs = [tuple(read_frames({n: source.paths[n] for n in middle(source)}).values()) for source in sources]
    for method, flow in methods.items():
        timed[f'clips_{method}'] = lambda flow=flow: [clip_flow(source, flow) for source in sources]
        timed[f'pairs_{method}'] = lambda method=method: [compute_flow(*pair, method) for pair in pairs]
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
    """Return a function that writes computed clips as the workers do, and finishes their store in `folder`."""
    _, clip_len, *size = shape = clips[0][0].shape
    parameters = dict(dataset='smic', synthetic=True, clip_len=clip_len, size=size)

    def write() -> None:
        build = start_build(folder, parameters, (len(clips), *shape))
        for row, (clip, apex) in enumerate(clips):
            write_clip(build, row, clip)
            append_done(build, DoneClip(row, apex, 0.0))
        finish_build(build, folder, table, parameters, '')

    return write


def table(result: dict) -> Table:
    """The result of :func:`compare` for the screen."""
    settings, seconds, ratios = result['settings'], result['seconds'], result['ratios']
    height, width = result['frame']
    title = '{clips} clips of {clip_len} frames, {rounds} rounds in turns'.format(**settings)
    shown = Table('preparing', title=f'{title}; frames of {height}x{width}')
    for column in ('median', 'ratio'):
        shown.add_column(column, justify='right')
    text = '{median:.2f} ({min:.2f} to {max:.2f})'
    shown.add_row('whole store with tvl1, 1 worker', f'{seconds["store_1_worker"]:.2f} s')
    shown.add_row('the same, 2 workers', f'{seconds["store_2_workers"]:.2f} s', text.format(**ratios['workers']) + 'x')
    shown.add_row('writing them as a store', f'{seconds["writing"] * 1e3:.1f} ms')
    for method in METHODS:
        share = {name: value * 100 for name, value in ratios[f'writing_{method}'].items()}
        computing = f'{seconds[f"clips_{method}"]:.2f} s'
        shown.add_row(f'computing them with {method}; writing share', computing, text.format(**share) + '%')
    for method, milliseconds in result['ms_per_pair'].items():
        shown.add_row(f'a pair of frames with {method}', f'{milliseconds:.1f} ms')
    return shown
