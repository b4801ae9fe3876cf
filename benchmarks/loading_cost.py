"""Loading and augmenting a batch of flow clips: resident and from the memory map, against MMAction2's own pipeline.

Everything runs in turns on one synthetic store, which lies where temporary files go (TMPDIR).
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import init_default_scope
from rich.table import Table

import mer_bench.registry  # noqa: F401
from benchmarks.bounds import refuse_below
from benchmarks.machine_peak import finish
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.loading.clip_table import open_store
from mer_bench.processes import keep_freed_memory
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = "loading and augmentation of a batch, against MMAction2's pipeline on the same flow"
STOCK_WORDS = "MMAction2's pipeline (NumPy, RandomResizedCrop, Resize, Flip, FormatShape) and its preprocessor"
AGAINST = {
    'resident': f'{STOCK_WORDS}, over ours from memory with flips and shifts',
    'memory_map': f'{STOCK_WORDS}, over ours from the memory map with flips and shifts',
    'every_augmentation': f'{STOCK_WORDS}, over ours from memory with flips, shifts, jitter and scaling',
    'resident_own_loader': f'{STOCK_WORDS} with LoadFlowClip for NumPy, over ours from memory with flips and shifts',
}
OURS = ('resident', 'memory_map', 'every_augmentation')
SMALLEST = {'clips': 2, 'batch': 1, 'rounds': 1, 'clip_len': 1, 'size': 28, 'threads': 1}
MEAN, STD = [0.0, 0.0, 0.1], [0.2, 0.2, 0.2]
PACK = dict(type='PackActionInputs', meta_keys=('sample_id',))
STOCK = [
    dict(type='RandomResizedCrop'),
    dict(type='Resize', keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    PACK,
]
USUAL = dict(flip_prob=0.5, max_shift=0.07)  # configs/mer_megc2019_flow.py


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        clips: Clips of the store.
        batch: Clips of a batch.
        rounds: Timed batches of each alternative, in turns.
        clip_len: Frames of a clip.
        size: Height and width in pixels.
        threads: CPU threads of torch.
        device: `cpu`, `cuda` or `cuda:N`: where the batch is wanted.
    """

    clips: int = 96
    batch: int = 16
    rounds: int = 20
    clip_len: int = 16
    size: int = 112
    threads: int = 1
    device: str = 'cpu'

    def __post_init__(self) -> None:
        refuse_below(self, SMALLEST)
        if self.batch > self.clips:
            raise InputError(f'expected a batch of at most {self.clips} clips, got {self.batch}; raise --clips')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--clips', type=int, default=96, help='clips of the store (default: %(default)s)')
    add('--batch', type=int, default=16, help='clips of a batch (default: %(default)s)')
    add('--rounds', type=int, default=20, help='timed batches of each part (default: %(default)s)')
    add('--clip-len', type=int, default=16, help='frames of a clip (default: %(default)s)')
    add('--size', type=int, default=112, help='height and width in pixels (default: %(default)s)')
    add('--threads', type=int, default=1, help='CPU threads of torch (default: %(default)s)')
    add('--device', default='cpu', help='cpu, cuda or cuda:N (default: %(default)s)')


def measure(args: argparse.Namespace) -> dict:
    """Time batches, see :func:`compare`."""
    names = ('clips', 'batch', 'rounds', 'clip_len', 'size', 'threads', 'device')
    return compare(Settings(**{name: getattr(args, name) for name in names}))


def compare(settings: Settings) -> dict:
    """Seconds of a training batch of 3 x clip_len x size x size, loaded, augmented and normalised.

    Returns:
        settings; seconds {alternative: median}; ratios {median, min, max over the rounds} of MMAction2's pipeline over
        each of ours; work {alternative: bytes}: stored values read once, and the batch written once; against: what
        each ratio compares.
    """
    keep_freed_memory()  # as in a training
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(settings.threads)
    with TemporaryDirectory() as folder:
        root = write_random_store(Path(folder, 'smic'), settings.clips, 2, settings.clip_len, settings.size)
        seconds = interleave(alternatives(root, settings), settings.rounds)
    values = settings.batch * 3 * settings.clip_len * settings.size**2
    work = {'bytes': values * (torch.float16.itemsize + torch.float32.itemsize)}
    return {
        'settings': asdict(settings),
        'seconds': {name: median(runs) for name, runs in seconds.items()},
        'ratios': {
            **{name: pair_ratios(seconds['mmaction2'], seconds[name]) for name in OURS},
            'resident_own_loader': pair_ratios(seconds['mmaction2_own_loader'], seconds['resident']),
        },
        'work': dict.fromkeys(OURS, work),
        'against': AGAINST,
    }


def alternatives(root: Path, settings: Settings) -> dict[str, Callable[[], dict]]:
    """Return what is timed, by name: each call makes the next of the same few batches."""
    stock = dict(type='ActionDataPreprocessor', mean=MEAN, std=STD, format_shape='NCTHW')
    ours = dict(type='FlowDataPreprocessor', mean=MEAN, std=STD, **USUAL)
    plain = [dict(type='LoadFlowClip'), PACK]
    size = dict(scale=(settings.size, settings.size))
    transforms = [dict(step, **size) if step['type'] == 'Resize' else step for step in STOCK]
    parts = {
        'mmaction2': ([load_plainly, *transforms], False, stock),
        'mmaction2_own_loader': ([dict(type='LoadFlowClip', as_images=True), *transforms], False, stock),
        'memory_map': (plain, False, ours),
        'resident': (plain, True, ours),
        'every_augmentation': (plain, True, dict(ours, max_jitter=2, max_scale=0.2)),
    }
    init_default_scope('mmaction')
    return {
        name: batches(build_dataset(root, pipeline, resident), build_preprocessor(config, settings.device), settings)
        for name, (pipeline, resident, config) in parts.items()
    }


def load_plainly(results: dict) -> dict:
    """Read a clip from the memory map as one does with NumPy, for transforms of MMAction2."""
    clip = np.asarray(open_store(results['store']).clips[results['row']], dtype=np.float32)
    images = [np.ascontiguousarray(image) for image in clip.transpose(1, 2, 3, 0)]
    shape = clip.shape[-2:]
    return results | dict(
        imgs=images, img_shape=shape, original_shape=shape, num_clips=1, clip_len=len(images), modality='RGB'
    )


def build_dataset(root: Path, pipeline: list, resident: bool) -> BaseDataset:
    """Return all clips of the store as an MMAction2 data set."""
    config = dict(type='FlowStoreDataset', ann_file='annotations.csv', data_root=str(root), label_scheme='smic_3class')
    return DATASETS.build(dict(config, pipeline=pipeline, resident=resident))


def build_preprocessor(config: dict, device: str) -> BaseDataPreprocessor:
    """Return a preprocessor on the device that is told its first epoch, as in a training."""
    preprocessor = MODELS.build(config).to(device)
    if hasattr(preprocessor, 'set_epoch'):
        preprocessor.set_epoch(seed=0, epoch=0)
    return preprocessor


def batches(dataset: BaseDataset, preprocessor: BaseDataPreprocessor, settings: Settings) -> Callable[[], dict]:
    """Return a function that makes the next batch."""
    order = torch.randperm(settings.clips, generator=torch.Generator().manual_seed(0)).split(settings.batch)
    rows = cycle([part.tolist() for part in order if len(part) == settings.batch])

    def next_batch() -> dict:
        made = preprocessor(pseudo_collate([dataset[row] for row in next(rows)]), training=True)
        finish(settings.device)
        return made

    for row in range(settings.clips):  # the first epoch reads the clips into memory
        dataset[row]
    return next_batch


def table(result: dict) -> Table:
    """The result of :func:`measure` for the screen."""
    settings, seconds, ratios = result['settings'], result['seconds'], result['ratios']
    title = 'batches of {batch} clips of 3x{clip_len}x{size}x{size}, {rounds} rounds in turns'.format(**settings)
    shown = Table('loading and augmentation', title=title)
    for column in ('median', 'times as fast'):
        shown.add_column(column, justify='right')
    words = {
        'mmaction2': "MMAction2's pipeline and preprocessor",
        'mmaction2_own_loader': 'the same behind LoadFlowClip',
        'memory_map': 'memory map, flips and shifts',
        'resident': 'resident, flips and shifts',
        'every_augmentation': 'resident, with jitter and scaling',
    }
    for name, text in words.items():
        ratio = '{median:.2f} ({min:.2f} to {max:.2f})'.format(**ratios[name]) if name in ratios else ''
        shown.add_row(text, f'{seconds[name] * 1e3:.1f} ms', ratio)
    return shown
