"""The compiled kernel of STSTNet: trains a fold on one CPU core with activations that never leave the cache.

It is optional, and built by the machine's own C++ compiler when it is first used. It computes what STSTNet with
FlatHead computes under torch.optim.Adam, from the same first weights, batches and dropout masks, up to the rounding
of float32::

    if (reason := unavailable() or unfit(model)) is None:
        state = FoldState.from_state_dict(model.state_dict())
        for epoch in range(0, max_epochs, 10):
            losses, right = train_fold(clips, labels, keys, orders[epoch : epoch + 10], state, first_epoch=epoch, ...)
        model.load_state_dict(state.state_dict())

During a call other threads of Python run, so folds may be trained side by side in threads or in processes.
"""

import ctypes
import functools
import hashlib
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.clip_random import FIRST_STREAM, least_kept, salt
from mer_bench.errors import InputError
from mer_bench.evaluation.curves import curves_table
from mer_bench.experiment.experiment import Experiment
from mer_bench.files import write_atomically
from mer_bench.models.baselines.ststnet import STSTNet
from mer_bench.models.heads import FlatHead
from mer_bench.training.stacking.data import FoldBatches, StackedFolds

SOURCE, HEADER = Path(__file__).with_suffix('.cpp'), Path(__file__).with_suffix('.h')
COMPILERS = ('c++', 'g++', 'clang++')
FLAGS = ('-std=c++17', '-O3', '-march=native', '-fno-math-errno', '-fno-trapping-math', '-shared', '-fPIC')
FILTERS, POOLED, MAX_CLASSES = 16, 100, 64
EPOCHS_AT_A_TIME = 10
SHAPE = (3, 1, 28, 28)
ADAM_OPTIONS = {'lr', 'betas', 'eps', 'weight_decay'}


def why_not(experiment: Experiment, model: nn.Module) -> str | None:
    """Return why the kernel cannot train a method that can be stacked, or None if it can."""
    wrapper = experiment.method.cfg.optim_wrapper
    if experiment.device != 'cpu':
        return 'the kernel is for a CPU'
    if tuple(experiment.data.shape) != SHAPE:
        return 'the kernel is for one picture of 3x28x28'
    if model.data_preprocessor.augmentation.moves:
        return 'the kernel does not augment'
    options = {*wrapper.optimizer} - {'type'}
    if wrapper.optimizer.type != 'Adam' or not options <= ADAM_OPTIONS or {*wrapper} - {'type', 'optimizer'}:
        return 'the kernel is for a plain Adam'
    if experiment.method.cfg.get('param_scheduler'):
        return 'the kernel is for a constant learning rate'
    return unfit(model) or unavailable()


def train(
    stack: StackedFolds, report: Callable[[int], None], audit: Callable[[int, list[dict]], None] | None = None
) -> tuple[list[dict], list[pd.DataFrame]]:
    """Train a single fold; as :func:`train_folds`."""
    cfg, runner, clips = stack.cfgs[0], stack.runner, stack.clips
    batches = FoldBatches(stack.train_rows, cfg.train_dataloader, runner.seed)
    state = FoldState.from_state_dict(runner.model.state_dict())
    mean, std = stack.moments[0].tolist()
    adam = dict(lr=1e-3) | {key: value for key, value in cfg.optim_wrapper.optimizer.items() if key in ADAM_OPTIONS}
    losses, right = [], []
    report(0)
    at_a_time = 1 if audit else EPOCHS_AT_A_TIME
    (last,) = stack.epochs
    for first in range(0, last, at_a_time):
        epochs = range(first, min(first + at_a_time, last))
        of_steps, right_of_steps = train_fold(
            clips.inputs,
            clips.labels,
            clips.keys,
            np.stack([batches.orders(epoch)[0] for epoch in epochs]),
            state,
            mean=mean,
            std=std,
            seed=runner.seed,
            first_epoch=first,
            batch_size=batches.batch_size,
            dropout_ratio=runner.model.backbone.streams[0][-1].p,
            class_weight=stack.class_weights[0].tolist(),
            **adam,
        )
        losses += torch.from_numpy(of_steps).mean(1).tolist()
        right += right_of_steps.sum(1).tolist()
        if audit:
            audit(first, [state.state_dict()])
        report(epochs.stop)
    return [state.state_dict()], [curves_table(losses, [adam['lr']] * last, np.divide(right, *stack.clips_per_epoch))]


def unavailable() -> str | None:
    """Return why this machine cannot build or load the kernel, or None. The first call builds it (about 2 seconds)."""
    library = _library()
    return library if isinstance(library, str) else None


def unfit(model: nn.Module) -> str | None:
    """Return why the kernel does not fit a recogniser, or None if it does, for pictures of 3x28x28."""
    backbone, head = model.backbone, model.cls_head
    if type(backbone) is not STSTNet or type(head) is not FlatHead:
        return f'{type(backbone).__name__} with {type(head).__name__}: only STSTNet with FlatHead is compiled'
    if sum(stream[0].out_channels for stream in backbone.streams) != FILTERS:
        return f'the compiled STSTNet has {FILTERS} filters in all'
    if head.dropout.p or head.in_channels != FILTERS * 25 or not 2 <= head.num_classes <= MAX_CLASSES:
        return 'the compiled FlatHead has 400 inputs, no dropout, and 2 to 64 classes'
    loss = head.loss_cls
    if (
        type(loss) is not MODELS.get('CrossEntropyLoss')
        or loss.loss_weight != 1
        or head.label_smooth_eps
        or head.multi_class
    ):
        return 'the compiled loss is the plain cross-entropy'
    return None


@dataclass
class FoldState:
    """A training in progress.

    Attributes:
        widths: Filters of each stream.
        weights: (P,) float32, all parameters in the order of the kernel.
        exp_avg: (P,) float32, first moments of Adam.
        exp_avg_sq: (P,) float32, second moments of Adam.
        running: (2, 16) float32, running mean and variance of each filter.
        steps: Batches seen.
    """

    widths: tuple[int, ...]
    weights: np.ndarray
    exp_avg: np.ndarray
    exp_avg_sq: np.ndarray
    running: np.ndarray
    steps: int = 0

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, torch.Tensor]) -> 'FoldState':
        """Start from the weights of a fresh Recognizer3D; moments start at 0."""
        streams = sum(name.startswith('backbone.streams') and name.endswith('.0.bias') for name in state_dict)
        norms = [
            [state_dict[f'backbone.streams.{i}.2.running_{key}'] for i in range(streams)] for key in ('mean', 'var')
        ]
        weights = _pack(state_dict, streams)
        running = torch.stack([torch.cat(norm) for norm in norms]).float().numpy()
        widths = tuple(len(mean) for mean in norms[0])
        return cls(widths, weights, np.zeros_like(weights), np.zeros_like(weights), running)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return (len(self.weights) - 30 * FILTERS) // (25 * FILTERS + 1)

    def named(self, vector: np.ndarray) -> dict[str, torch.Tensor]:
        """Return `weights`, or moments in the same order, by the name of the parameter."""
        return _unpack(torch.from_numpy(vector.copy()), self.widths, self.num_classes)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the weights and running statistics as the recogniser names them."""
        state = self.named(self.weights)
        for key, values in zip(('mean', 'var'), torch.from_numpy(self.running.copy()), strict=True):
            for i, part in enumerate(values.split(self.widths)):
                state[f'backbone.streams.{i}.2.running_{key}'] = part.clone()
                state[f'backbone.streams.{i}.2.num_batches_tracked'] = torch.tensor(self.steps)
        return state


def train_fold(
    clips: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    keys: np.ndarray | torch.Tensor,
    orders: np.ndarray,
    state: FoldState,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
    first_epoch: int,
    batch_size: int,
    lr: float,
    dropout_ratio: float = 0.5,
    class_weight: Sequence[float] | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Train one fold for some epochs on the calling thread, and change `state`.

    Preparing the clips costs about 5 % of an epoch, so a call should be for several epochs.

    Args:
        clips: (N, 3, 28, 28) float32 on the CPU, those of all folds, not normalised; shared, never changed.
        labels: (N,) class of each clip.
        keys: (N,) int32, see :func:`mer_bench.clip_random.clip_keys`.
        orders: (E, L) rows of `clips`, one order of the training clips for each epoch. The last batch of an epoch
            may be shorter; to drop it leave its rows out.
        state: The training so far.
        mean: Mean of each of the 3 channels, over the training clips.
        std: Their standard deviation.
        seed: Of the run; with epoch and key it decides the dropout masks.
        first_epoch: Number of the first epoch of `orders`, counted from 0.
        batch_size: Clips a step.
        lr: Learning rate.
        dropout_ratio: That of each stream.
        class_weight: (C,) weights of the cross-entropy; None: all 1.
        betas: Those of Adam.
        eps: That of Adam.
        weight_decay: That of Adam (added to the gradient).

    Returns:
        (E, S) float32, mean loss of each step, and (E, S) int32, how many of its clips were right.

    Raises:
        InputError: The kernel is not available.
        ValueError: An argument does not fit the others.
    """
    library = _library()
    if isinstance(library, str):
        raise InputError(f'{library}; train without the compiled kernel')
    clips = np.ascontiguousarray(clips, np.float32).reshape(-1, 3, 28, 28)
    labels, keys = (np.ascontiguousarray(numbers, np.int32) for numbers in (labels, keys))
    orders = np.ascontiguousarray(orders, np.int32)
    class_weight = np.ones(state.num_classes, np.float32) if class_weight is None else np.float32(class_weight)
    normalisation = np.float32([mean, std])
    _check(clips, labels, keys, orders, class_weight, normalisation, state, batch_size, dropout_ratio)
    epochs, length = orders.shape
    size = min(batch_size, length)
    steps = math.ceil(length / size)
    losses, right = np.empty((epochs, steps), np.float32), np.empty((epochs, steps), np.int32)
    failed = library.ststnet_train(
        clips, labels, keys, len(clips), normalisation, orders, epochs, length, size,
        state.num_classes, class_weight, _salts(seed, range(first_epoch, first_epoch + epochs), state.widths),
        np.concatenate([np.arange(width, dtype=np.int32) * POOLED for width in state.widths]),
        least_kept(dropout_ratio), 1 / np.float32(1 - dropout_ratio),
        state.weights, state.exp_avg, state.exp_avg_sq, state.running, state.steps,
        lr, *betas, eps, weight_decay, losses, right,
    )  # fmt: skip
    if failed:
        raise MemoryError(f'{len(clips)} clips of 11 KB')
    state.steps += epochs * steps
    return losses, right


def _check(clips, labels, keys, orders, class_weight, normalisation, state, batch_size, dropout_ratio) -> None:
    """Check everything that the kernel indexes, since it reads memory without checks."""
    if not len(clips) == len(labels) == len(keys):
        raise ValueError(f'{len(clips)} clips, {len(labels)} labels and {len(keys)} keys: as many were expected')
    if orders.ndim != 2 or not orders.size or orders.min() < 0 or orders.max() >= len(clips):
        raise ValueError(f'orders: (E, L) rows below {len(clips)} were expected, got shape {orders.shape}')
    if labels.min() < 0 or labels.max() >= state.num_classes or class_weight.shape != (state.num_classes,):
        raise ValueError(f'labels below {state.num_classes} and a weight of each class were expected')
    if normalisation.shape != (2, 3) or batch_size < 1 or not 0 <= dropout_ratio < 1:
        raise ValueError('mean and std of 3 channels, a batch of at least 1 and a dropout below 1 were expected')


def _salts(seed: int, epochs: Sequence[int], widths: Sequence[int]) -> np.ndarray:
    """Return (E, 16) int32, the salts of the draws of each stream, as ClipDropout counts them."""
    streams = [[salt(seed, epoch, FIRST_STREAM + i) for i in range(len(widths))] for epoch in epochs]
    return np.repeat(np.array(streams, np.int32), widths, axis=1)


def _pack(tensors: Mapping[str, torch.Tensor], streams: int) -> np.ndarray:
    """Parameters by name -> the kernel's order, where the filters are the last axis."""

    def join(key: str) -> torch.Tensor:
        return torch.cat([tensors[f'backbone.streams.{i}.{key}'] for i in range(streams)])

    kernel = rearrange(join('0.weight'), 'filter channel y x -> y channel x filter')
    classifier = rearrange(
        tensors['cls_head.fc_cls.weight'], 'label (filter cell) -> label cell filter', filter=FILTERS
    )
    parts = [kernel, join('0.bias'), join('2.weight'), join('2.bias'), classifier, tensors['cls_head.fc_cls.bias']]
    return torch.cat([part.detach().cpu().float().flatten() for part in parts]).numpy()


def _unpack(vector: torch.Tensor, widths: Sequence[int], num_classes: int) -> dict[str, torch.Tensor]:
    """The way back from :func:`_pack`."""
    sizes = [27 * FILTERS, FILTERS, FILTERS, FILTERS, num_classes * 25 * FILTERS, num_classes]
    kernel, *filters, classifier, bias = vector.split(sizes)
    kernel = rearrange(kernel, '(y channel x filter) -> filter channel y x', y=3, channel=3, x=3)
    tensors = {}
    for key, values in zip(('0.weight', '0.bias', '2.weight', '2.bias'), (kernel, *filters), strict=True):
        tensors |= {f'backbone.streams.{i}.{key}': part.clone() for i, part in enumerate(values.split(widths))}
    tensors['cls_head.fc_cls.weight'] = rearrange(
        classifier, '(label cell filter) -> label (filter cell)', label=num_classes, filter=FILTERS
    ).clone()
    return tensors | {'cls_head.fc_cls.bias': bias.clone()}


@functools.cache
def _library() -> ctypes.CDLL | str:
    """Build and load the kernel once a process; return the reason where that fails."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return f'no C++ compiler is on the PATH ({", ".join(COMPILERS)})'
    try:
        library = ctypes.CDLL(str(build(compiler)))
    except subprocess.CalledProcessError as error:
        first = next((line for line in error.stderr.splitlines() if 'error' in line), f'exit code {error.returncode}')
        return f'{compiler} does not build {SOURCE.name}: {first}'
    except (OSError, RuntimeError, InputError) as error:  # RuntimeError: the user has no home
        return f'the compiled {SOURCE.name} cannot be kept or loaded: {error}'
    floats, integers = (np.ctypeslib.ndpointer(kind, flags='C_CONTIGUOUS') for kind in (np.float32, np.int32))
    number, wide, real = ctypes.c_int, ctypes.c_int64, ctypes.c_double
    library.ststnet_train.argtypes = [
        floats, integers, integers, wide, floats, integers, number, number, number,
        number, floats, integers, integers, number, ctypes.c_float,
        floats, floats, floats, floats, wide, real, real, real, real, real, floats, integers,
    ]  # fmt: skip
    return library


def build(compiler: str) -> Path:
    """Return the library of this source, compiler and CPU, from the user's cache folder or built into it.

    Raises:
        subprocess.CalledProcessError: The compiler failed.
        InputError: The cache folder cannot be written.
    """
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True, errors='replace')
    macros = run([compiler, *FLAGS, '-dM', '-E', '-x', 'c++', os.devnull]).stdout  # name the compiler and the CPU
    digest = hashlib.sha256(
        '\0'.join([SOURCE.read_text(encoding='utf-8'), HEADER.read_text(encoding='utf-8'), *FLAGS, macros]).encode()
    ).hexdigest()
    path = cache_folder() / f'{SOURCE.stem}-{digest[:16]}.so'
    if not path.exists():
        with write_atomically(path) as temporary:
            run([compiler, *FLAGS, str(SOURCE), '-o', str(temporary)])
    return path


def cache_folder() -> Path:
    """Return the folder of what can be built again: $XDG_CACHE_HOME/mer_bench, by default ~/.cache/mer_bench."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mer_bench'
