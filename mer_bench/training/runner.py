"""Trains one fold through MMEngine's Runner, in its precision and memory layout, and writes its predictions.

Precision and layout make a network faster, and change only the last digits.
"""

import gc
import logging
import time
from collections.abc import Callable, Collection, Sequence
from functools import cache, wraps
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from mmaction.registry import METRICS
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, Hook, RuntimeInfoHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS, OPTIM_WRAPPERS, DefaultScope
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed
from torch import nn

from mer_bench.clip_random import set_draws
from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import PREFIX
from mer_bench.evaluation.curves import curves_table
from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.models.backbones.pretrained import load_pretrained, take_pretrained
from mer_bench.training.audit import note_epoch
from mer_bench.training.cuda_graph import replay_graphs
from mer_bench.training.fold_folder import write_predictions
from mer_bench.training.fold_time import fold_time
from mer_bench.training.parts import ROOM, BatchTooLarge, compute_in_parts, is_out_of_memory

SECONDS_BETWEEN_CHECKPOINTS = 60
DTYPES = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


class FoldRunner(Runner):
    """MMEngine's Runner with a quiet console and fixed names: train.log and config.py in the fold's folder.

    It lays the network out for its device, and no step waits for the device to log its numbers.
    """

    accelerated = False

    def build_logger(self, log_level='INFO', log_file=None, **kwargs) -> MMLogger:
        """Log to train.log; the console belongs to the progress bar."""
        logger = super().build_logger(log_level, str(Path(self.work_dir, 'train.log')), **kwargs)
        logger.handlers[0].setLevel(logging.ERROR)
        return logger

    def _log_env(self, env_cfg: dict) -> None:
        """Begin the log with the run, not with hundreds of lines about compilers."""
        self.logger.info(self.cfg.get('log_title', ''))

    def dump_config(self) -> None:
        """Write config.py, without a time in its name, laid out for a reader."""
        Config(self.cfg.to_dict()).dump(Path(self.work_dir, 'config.py'))

    def _init_model_weights(self) -> None:
        """Draw the weights, then read the checkpoints of the config's `pretrained` with our own loader."""
        parts = take_pretrained(self.model)
        super()._init_model_weights()
        for part, path in parts:
            load_pretrained(part, path, self.logger)

    def load_or_resume(self) -> None:
        """Load what the config names; once the weights are drawn or loaded, lay the network out."""
        if self._load_from and not (self._resume or self._has_loaded):
            load_pretrained(self.model, self._load_from, self.logger)
            self._has_loaded = True
        super().load_or_resume()
        if not self.accelerated:
            self.accelerated = True
            precision, fp32_layers = self.cfg.get('precision', 'fp32'), self.cfg.get('fp32_layers', ())
            accelerate(self.model, precision, self.cfg.get('channels_last', False), fp32_layers)
            compute_in_parts(self.model, clips := self.cfg.get('clips_at_a_time'))
            replay_graphs(self.model, self.cfg, self.logger.info)
            note = f'the GPU lacks memory for a whole batch: {clips} clips are computed at a time'
            for line in filter(None, (self.cfg.get('precision_check'), clips and note)):
                self.logger.info(line)

    def resume(self, filename: str, **kwargs) -> None:
        """Continue from a checkpoint of this training."""
        try:
            super().resume(filename, **kwargs)
        except Exception as error:  # a file of another network or version can raise any exception
            raise InputError(
                f'{filename}: the training cannot be continued from here ({type(error).__name__}: {error}); remove '
                f'{self.work_dir} to train this fold from its beginning'
            ) from error

    def build_optim_wrapper(self, optim_wrapper: dict | OptimWrapper) -> OptimWrapper:
        """Build the wrapper of the config; replace MMEngine's plain one by one that does not wait for the device."""
        plain = isinstance(optim_wrapper, dict) and optim_wrapper.get('type', 'OptimWrapper') == 'OptimWrapper'
        if plain and 'optimizer' in optim_wrapper:  # not several of them
            optim_wrapper = dict(optim_wrapper, type='DeferredLogOptimWrapper')
        return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: dict | list) -> list | dict:
        """Build the schedules of the learning rate."""
        try:
            return super().build_param_scheduler(scheduler)
        except Exception as error:  # a part can raise any exception
            raise InputError(
                f'param_scheduler cannot be built: {type(error).__name__}: {error}; correct config or override'
            ) from error

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register the hooks of the config, and :class:`DeferredLogHook`."""
        interval = ((hooks or {}).get('logger') or {}).get('interval', 10)
        super().register_default_hooks(dict(hooks or {}, runtime_info=DeferredLogHook(interval)))


@OPTIM_WRAPPERS.register_module()
class DeferredLogOptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper, which keeps the norm of the gradients on the device for :class:`DeferredLogHook`."""

    grad_norm: torch.Tensor | None = None

    def _clip_grad(self) -> None:
        parameters = [p for group in self.param_groups for p in group['params'] if p.grad is not None]
        if parameters:
            self.grad_norm = self.clip_func(parameters, **self.clip_grad_kwargs)  # None where values are clipped


class DeferredLogHook(RuntimeInfoHook):
    """MMEngine's RuntimeInfoHook, which reads the numbers of many steps at once, just before a line of the log.

    MMEngine reads every loss and the norm of the gradients in every step: it waits until the device has done the step,
    and the device then waits for the next one.

    Args:
        interval: Steps between lines of the log, as that of LoggerHook.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.steps = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Keep the numbers of this step; read all where LoggerHook writes a line."""
        numbers = dict(outputs or {})
        if (norm := getattr(runner.optim_wrapper, 'grad_norm', None)) is not None:
            numbers['grad_norm'] = norm
        self.steps.append({name: torch.as_tensor(value).detach() for name, value in numbers.items()})
        if self.every_n_inner_iters(batch_idx, self.interval) or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.read_numbers(runner)

    def read_numbers(self, runner: Runner) -> None:
        """Read all numbers from the device at once, and pass them to the log."""
        numbers = [(name, value.float()) for step in self.steps for name, value in step.items()]
        values = torch.stack([value for _, value in numbers]).tolist() if numbers else ()
        for (name, _), value in zip(numbers, values, strict=True):
            runner.message_hub.update_scalar(f'train/{name}', value)
        self.steps = []


@HOOKS.register_module()
class SpacedCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which saves nothing in the first minute of a training, nor in one after a checkpoint.

    On a GPU, the full model and the state of its optimiser, 0.6 GB, take longer to write than several of its epochs.
    """

    def before_train(self, runner: Runner) -> None:
        """Begin the first minute."""
        super().before_train(runner)
        self.saved = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        """Save where the config wants it, if the minute is over."""
        if time.monotonic() - self.saved >= SECONDS_BETWEEN_CHECKPOINTS:
            last = self.last_ckpt
            super().after_train_epoch(runner)
            if self.last_ckpt != last:
                self.saved = time.monotonic()


class EpochHook(Hook):
    """Seeds every epoch by its number, so that a continued training draws what an uninterrupted one would.

    A FlowDataPreprocessor draws for each clip from seed, epoch and clip; nothing of an earlier training is left.

    Args:
        seed: Of the run.
        report: Called after each epoch with the number of finished ones, including those of an interrupted run.
        last: The epoch, counted from 1, after which the training stops, whatever the length of its schedules; None:
            it takes its whole length.
    """

    def __init__(self, seed: int, report: Callable[[int], None], last: int | None = None) -> None:
        self.seed, self.report, self.last = seed, report, last

    def before_train(self, runner: Runner) -> None:
        """Train no more if an interrupted run had all epochs."""
        runner.train_loop.stop_training = runner.epoch == self.last

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed Python, NumPy and torch, and what belongs to a clip."""
        set_random_seed(int(np.random.SeedSequence([self.seed, runner.epoch]).generate_state(1)[0]))
        set_draws(None)
        if isinstance(runner.model.data_preprocessor, FlowDataPreprocessor):
            runner.model.data_preprocessor.set_epoch(self.seed, runner.epoch, runner.train_dataloader.dataset)

    def after_train_epoch(self, runner: Runner) -> None:
        """Forget the draws of the last batch, report one more epoch, and stop after the last."""
        set_draws(None)
        self.report(runner.epoch + 1)
        runner.train_loop.stop_training = runner.epoch + 1 == self.last


class AuditHook(Hook):
    """Predicts the test clips after every epoch, see :mod:`mer_bench.training.audit`.

    It runs before CheckpointHook, so a training that continues from a checkpoint lacks no epoch. The next epoch is
    seeded by its number, so the training does not notice.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        """Predict and note."""
        (table,) = runner.test_loop.evaluator.metrics
        runner.model.eval()
        with torch.no_grad():
            for batch in runner.test_dataloader:
                table.process(batch, [sample.to_dict() for sample in runner.model.test_step(batch)])
        note_epoch(Path(runner.work_dir), runner.epoch, table.results, table.dataset_meta['classes'])
        table.results.clear()


@cache
def spare_imports() -> None:
    """Exclude what is imported by now from garbage collection, which the Runner calls several times a fold."""
    gc.collect()
    gc.freeze()


def build_runner(cfg: Config) -> FoldRunner:
    """Build a runner that shares no log and no message with an earlier one."""
    spare_imports()
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            handler.close()
    for manager in (MMLogger, MessageHub, DefaultScope, ActionVisualizer):
        manager._instance_dict.clear()
    gc.collect()
    try:
        return FoldRunner.from_cfg(cfg)
    except Exception as error:  # a part can raise any exception
        if is_out_of_memory(error):
            raise InputError(f'the network does not fit into the memory of the GPU; {ROOM}') from error
        raise InputError(
            f'the training of this config cannot be set up: {type(error).__name__}: {error}; correct config or override'
        ) from error


def train(cfg: Config, report: Callable[[int], None], audit: bool = False) -> FoldRunner:
    """Train one fold, from its newest checkpoint where an interrupted run left one.

    Args:
        cfg: Of the fold.
        report: Called with the number of finished epochs.
        audit: Whether to predict the test clips after every epoch, see :mod:`mer_bench.training.audit`.

    Raises:
        BatchTooLarge: A step did not fit into the memory of the GPU.
    """
    runner = build_runner(cfg)
    runner.register_hook(EpochHook(cfg.randomness.seed, report, cfg.get('scored_epoch')))
    if audit:
        runner.register_hook(AuditHook())
    try:
        runner.train()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        clips = min(cfg.get('clips_at_a_time') or cfg.train_dataloader.batch_size, len(runner.train_dataloader.dataset))
        fault = BatchTooLarge(clips, runner.model)
    else:
        if not runner.iter:
            raise InputError(f'{cfg.experiment_name}: the loader gave no batch to train on; correct train_dataloader')
        return runner
    del runner  # with what it holds on the GPU: the traceback would keep it
    raise fault


def curves_of(runner: Runner) -> pd.DataFrame:
    """Return the learning curves of a training, see :mod:`mer_bench.evaluation.curves`.

    MMEngine keeps the numbers of every step, the last million of them, also in its checkpoints: a continued training
    has each epoch once.
    """
    epochs, steps, loader = runner.epoch, len(runner.train_dataloader), runner.train_dataloader

    def history(name: str) -> np.ndarray:
        """(epochs, steps); NaN where it was not noted in every step."""
        found = runner.message_hub.log_scalars.get(f'train/{name}')
        values = found.data[0][-epochs * steps :] if found else ()
        return np.reshape(values if len(values) == epochs * steps else [np.nan] * epochs * steps, (epochs, steps))

    size, clips = loader.batch_size, None  # None of a batch sampler: all batches count alike
    if size:
        clips = np.minimum(len(loader.sampler) - size * np.arange(steps), size)
    accuracy = np.average(history('top1_acc'), axis=1, weights=clips)
    return curves_table(history('loss').mean(1), history('lr')[:, -1], accuracy)


def save_weights(state: dict[str, torch.Tensor], path: Path) -> None:
    """Save a state_dict alone, on the CPU: a file that loads without trusting it."""
    # a clone holds the weights of one fold, not the stack that they may be a view of
    torch.save(dict(state_dict={name: tensor.cpu().clone() for name, tensor in state.items()}), path)


def prefers_channels_last(model: nn.Module, device: str, precision: str) -> bool:
    """Return what `channels_last='auto'` means for a network: True for 3D convolutions without groups, if faster.

    On a CPU in fp32 it was 1.07 times faster for 3x16x112x112, but 0.8 times for 3x8x32x32. Convolutions in groups
    have no kernels of this layout and would be copied there and back.
    """
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv3d)]
    return bool(convolutions) and all(c.groups == 1 for c in convolutions) and (device != 'cpu' or precision != 'fp32')


def accelerate(model: nn.Module, precision: str, channels_last: str | bool, fp32_layers: Collection[str] = ()) -> None:
    """Let a recogniser compute in a precision and a memory layout, in training and in test; its state_dict is the same.

    Call it after the weights are drawn or loaded, since random numbers are drawn in the order of memory. On a CPU, in
    mixed precision, kernels longer than the clip are computed by :mod:`mer_bench.training.fold_time`.

    Args:
        model: On its device.
        precision: fp32, bf16 or fp16: of convolutions and matrix products; norms, losses and weights stay in fp32.
        channels_last: True, False or 'auto', see :func:`prefers_channels_last`.
        fp32_layers: Names of the modules that always compute in fp32.
    """
    device = next(model.parameters()).device.type
    if channels_last == 'auto':
        channels_last = prefers_channels_last(model, device, precision)
    if channels_last:
        lay_channels_last(model, fp32_layers if device == 'cpu' else ())
    if DTYPES[precision] is None:
        return
    if device == 'cpu':
        fold_time(model)
    # in training and in test alike, so that a network is tested as it was trained
    model.forward = torch.autocast(device, DTYPES[precision])(model.forward)
    model.cls_head.register_forward_hook(logits_in_fp32)
    for name in fp32_layers:
        layer = model.get_submodule(name)
        layer.forward = in_fp32(layer.forward, device)


def in_fp32(forward: Callable, device: str) -> Callable:
    """Return the forward pass of a layer that computes in fp32, also under autocast.

    On a CPU it computes in contiguous memory, which is faster there, see :func:`prefers_channels_last`.
    """

    def as_fp32(value: object) -> object:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value.float().contiguous() if device == 'cpu' else value.float()

    @wraps(forward)
    def computed(*args, **kwargs):
        args = [as_fp32(value) for value in args]
        kwargs = {name: as_fp32(value) for name, value in kwargs.items()}
        with torch.autocast(device, enabled=False):
            return forward(*args, **kwargs)

    return computed


def lay_channels_last(model: nn.Module, but: Collection[str] = ()) -> None:
    """Store the kernels of the 3D convolutions with channels last, except some; inputs and outputs follow them."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv3d) and name not in but:
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last_3d)


def logits_in_fp32(head: nn.Module, inputs: tuple, logits: object) -> object:
    """A forward hook: MMAction2's heads compute their accuracy with NumPy, which has no bf16."""
    return logits.float() if isinstance(logits, torch.Tensor) else logits


@METRICS.register_module()
class PredictionTable(BaseMetric):
    """Writes one row for each clip: the main decision, its scores, those of each output, and those of action units.

    Where the second half of a batch are mirrored copies of the first, the scores of a clip are the means of both.

    Args:
        out_file: The csv file.
        fold: Name of the fold.
        seed: Seed of the training.
    """

    default_prefix = ''  # MMEngine warns of None

    def __init__(self, out_file: str, fold: str, seed: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_file = out_file
        self.fold = fold
        self.seed = seed

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Turn each data sample into a row."""
        classes = self.dataset_meta['classes']
        rows = [self._row(sample, classes) for sample in data_samples]
        half = len(rows) // 2
        if half and rows[0]['sample_id'] == rows[half]['sample_id']:
            rows = [averaged(*pair, classes) for pair in zip(rows[:half], rows[half:], strict=True)]
        self.results += rows

    def _row(self, sample: dict, classes: Sequence[str]) -> dict:
        row = dict(
            sample_id=sample['sample_id'],
            dataset=sample['sample_id'].split('/')[0],
            subject=sample['subject'],
            fold=self.fold,
            seed=self.seed,
            y_true=classes[int(sample['gt_label'])],
            y_pred=classes[int(sample['pred_label'])],
        )
        blocks = {
            '': sample['pred_score'],
            **{f'{k}_': v for k, v in sample.get('output_scores', {}).items()},
        }
        for block, scores in blocks.items():
            row.update({f'{block}score_{name}': score for name, score in zip(classes, scores.tolist(), strict=True)})
        if 'action_unit_scores' in sample:
            units = self.dataset_meta['action_units']
            scores = sample['action_unit_scores'].tolist()
            row['action_units'] = sample['action_units']
            row.update({f'{PREFIX}{unit}': score for unit, score in zip(units, scores, strict=True)})
        return row

    def compute_metrics(self, results: list[dict]) -> dict:
        """Write the table; scores are computed later, from the pooled tables of all folds."""
        table = pd.DataFrame(results)
        if not np.isfinite(table.filter(like='score_')).all(axis=None):
            raise InputError(
                f'the training of fold {self.fold} diverged: its scores are not numbers; '
                'lower optim_wrapper.optimizer.lr and give another --work-dir'
            )
        write_predictions(table, self.out_file)
        return dict(clips=len(results))


def averaged(row: dict, copy: dict, classes: Sequence[str]) -> dict:
    """Return the row of a clip with the mean of its scores and those of a copy; `y_pred` has the highest."""
    scores = {key: (row[key] + copy[key]) / 2 for key in row if 'score_' in key}
    return row | scores | dict(y_pred=max(classes, key=lambda name: scores[f'score_{name}']))
