"""Loading and augmenting a batch of flow clips: resident and from the memory map, against MMAction2's own pipeline.

All alternatives run in turns on one synthetic store in the folder for temporary files (TMPDIR).
"""

import argparse
from collections.abc import Callable
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

import mer_bench.registry  # noqa: F401
from benchmarks.arguments import add_device, add_numbers
from benchmarks.machine import finish
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.loading.prepared_data import open_store
from mer_bench.processes import keep_freed_memory
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = "loading and augmenting a batch, against MMAction2's pipeline on the same flow"
STOCK_WORDS = "MMAction2's pipeline (NumPy, RandomResizedCrop, Resize, Flip, FormatShape) and its preprocessor"
AGAINST = {
    'resident': f'{STOCK_WORDS}, over ours from memory with flips and shifts',
    'memory_map': f'{STOCK_WORDS}, over ours from the memory map with flips and shifts',
    'every_augmentation': f'{STOCK_WORDS}, over ours from memory with flips, shifts, jitter and scaling',
    'resident_own_loader': f'{STOCK_WORDS} with LoadFlowClip for NumPy, over ours from memory with flips and shifts',
}
OURS = ('resident', 'memory_map', 'every_augmentation')
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        clips=(96, 2, 'clips of the store'),
        batch=(16, 1, 'clips of a batch'),
        rounds=(20, 1, 'timed batches of each alternative'),
        clip_len=(16, 1, 'frames of a clip'),
        size=(112, 28, 'height and width in pixels'),
        threads=(1, 1, 'CPU threads of torch'),
    )
    add_device(parser)


def measure(args: argparse.Namespace) -> dict:
    """Time a training batch of 3 x clip_len x size x size, loaded, augmented and normalised.

    Returns:
        seconds {alternative: median}; ratios {median, min, max over the rounds} of MMAction2's pipeline over
        each of ours; work {alternative: bytes}: stored values read once, and the batch written once; against: what
        each ratio compares.
    """
    if args.batch > args.clips:
        raise InputError(f'expected a batch of at most {args.clips} clips, got {args.batch}; raise --clips')
    keep_freed_memory()  # as in a training
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    with TemporaryDirectory() as folder:
        root = write_random_store(Path(folder, 'smic'), args.clips, 2, args.clip_len, args.size)
        seconds = interleave(alternatives(root, args), args.rounds)
    values = args.batch * 3 * args.clip_len * args.size**2
    work = {'bytes': values * (torch.float16.itemsize + torch.float32.itemsize)}
    return {
        'seconds': {name: median(runs) for name, runs in seconds.items()},
        'ratios': {
            **{name: pair_ratios(seconds['mmaction2'], seconds[name]) for name in OURS},
            'resident_own_loader': pair_ratios(seconds['mmaction2_own_loader'], seconds['resident']),
        },
        'work': dict.fromkeys(OURS, work),
        'against': AGAINST,
    }


def alternatives(root: Path, args: argparse.Namespace) -> dict[str, Callable[[], dict]]:
    """Return what is timed, by name; each call makes the next of the same few batches."""
    stock = dict(type='ActionDataPreprocessor', mean=MEAN, std=STD, format_shape='NCTHW')
    ours = dict(type='FlowDataPreprocessor', mean=MEAN, std=STD, **USUAL)
    plain = [dict(type='LoadFlowClip'), PACK]
    size = dict(scale=(args.size, args.size))
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
        name: batches(build_dataset(root, pipeline, resident), build_preprocessor(config, args.device), args)
        for name, (pipeline, resident, config) in parts.items()
    }


def load_plainly(results: dict) -> dict:
    """Read a clip from the memory map with plain NumPy, for the transforms of MMAction2."""
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
    """Return a preprocessor on the device, in its first epoch as in a training."""
    preprocessor = MODELS.build(config).to(device)
    if hasattr(preprocessor, 'set_epoch'):
        preprocessor.set_epoch(seed=0, epoch=0)
    return preprocessor


def batches(dataset: BaseDataset, preprocessor: BaseDataPreprocessor, args: argparse.Namespace) -> Callable[[], dict]:
    """Return a function that makes the next batch."""
    order = torch.randperm(args.clips, generator=torch.Generator().manual_seed(0)).split(args.batch)
    rows = cycle([part.tolist() for part in order if len(part) == args.batch])

    def next_batch() -> dict:
        made = preprocessor(pseudo_collate([dataset[row] for row in next(rows)]), training=True)
        finish(args.device)
        return made

    for row in range(args.clips):  # the first epoch reads the clips into memory
        dataset[row]
    return next_batch
