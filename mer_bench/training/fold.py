"""One fold from its config to its folder of results; runs in the main process or in a worker.

Methods of scikit-learn need no torch, so only what trains a network imports it. :func:`fold_config` is the one place
where something is fitted to data for a network, on the training subjects alone.
"""

import math
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mmengine.config import Config, ConfigDict

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import circumstances
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold_folder import (
    CHECKPOINT,
    POINTER,
    finish_fold,
    folder_in_work,
    note_batch,
    read_batch,
    report_epoch,
    run_title,
    write_curves,
)

if TYPE_CHECKING:
    from mer_bench.training.parts import BatchTooLarge

FUSED = ('Adam', 'AdamW', 'SGD')
CHECKPOINTS = 20  # of a training at most: 800 epochs of a small network take less time than 80 of them


def run_fold(
    experiment: Experiment, fold: Fold, seed: int, work_dir: Path, save_checkpoints: bool, audit: bool = False
) -> dict:
    """Train and test one fold; leave predictions.csv, config.py, train.log and fold.json in `folds/<name>`.

    With `audit` also audit.csv, see :mod:`mer_bench.training.audit`.

    Raises:
        InputError: Label scheme or data changed since the experiment was opened; nothing of the fold is kept.
    """
    folder = folder_in_work(work_dir, fold)
    with refusing_changes(experiment, [folder]):
        if experiment.method.is_estimator:
            from mer_bench.training.sklearn.estimator_fold import run_estimator

            outcome = run_estimator(experiment, fold, seed, work_dir, folder)
        else:
            outcome = run_network(experiment, fold, seed, folder, save_checkpoints, audit)
            outcome |= dict(stack=dict(way='off', folds=1))
    result = dict(fold=fold.name, **outcome, **experiment.choices.get(fold.name, {}), **circumstances(experiment))
    finish_fold(fold, work_dir, result)
    return result


@contextmanager
def refusing_changes(experiment: Experiment, folders: list[Path]) -> Iterator[None]:
    """Make the folders of folds; remove them if label scheme or data change inside the block, since they may mix both.

    Raises:
        InputError: They changed before or inside the block; this replaces an error that the change may have caused.
    """
    experiment.check_unchanged()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        try:
            experiment.check_unchanged()
        except InputError:
            for folder in folders:
                shutil.rmtree(folder)
            raise


def run_network(
    experiment: Experiment, fold: Fold, seed: int, folder: Path, save_checkpoints: bool, audit: bool = False
) -> dict:
    """Train a network through MMEngine's Runner, from its newest checkpoint where there is one, and test it.

    Returns:
        n_train, n_test, train_seconds (None if it was continued, because the time of the first part is unknown) and
        test_seconds.
    """
    from mer_bench.training.audit import finish_audit
    from mer_bench.training.device import activate
    from mer_bench.training.parts import BatchTooLarge, has_batch_norm
    from mer_bench.training.runner import curves_of, save_weights, train

    activate(experiment)
    while True:  # until a step fits on the GPU
        cfg = fold_config(experiment, fold, seed, folder)
        settle_batch(cfg, folder)
        start = time.perf_counter()
        try:
            runner = train(cfg, partial(report_epoch, folder), audit)
            break
        except BatchTooLarge as error:
            shrink_batch(fold, folder, error)
    trained = time.perf_counter()
    write_curves(curves_of(runner), folder)
    runner.test()
    tested = time.perf_counter()
    if audit:
        finish_audit(folder, runner.max_epochs, cfg.classes)
    if save_checkpoints:
        save_weights(runner.model.state_dict(), folder / CHECKPOINT)
    outcome = dict(
        n_train=len(runner.train_dataloader.dataset),
        n_test=len(runner.test_dataloader.dataset),
        train_seconds=None if cfg.resume else trained - start,
        test_seconds=tested - trained,
    )
    if clips := cfg.get('clips_at_a_time'):
        size, norm = cfg.train_dataloader.batch_size, has_batch_norm(runner.model)
        outcome |= dict(batch=dict(size=size, computed=[clips], batch_norm=norm))
    return outcome


def settle_batch(cfg: Config, folder: Path) -> None:
    """Let a fold compute as many clips at a time as it began with, or a new one as many as the run does by now."""
    if clips := read_batch(folder if cfg.resume else folder.parents[1]):
        note_batch(folder, clips)
        cfg.clips_at_a_time = clips


def shrink_batch(fold: Fold, folder: Path, fault: 'BatchTooLarge') -> None:
    """Let a fold begin again with fewer clips at a time, so that it has one number throughout, as all folds after it.

    Raises:
        InputError: The network cannot be trained on fewer.
    """
    from mer_bench.training.parts import ROOM, tell

    step = f'{fold.name}: a training step of {fault.clips} clip{"s" * (fault.clips > 1)}'
    if fault.fewer is None:
        least = ', and batch norm needs two' if fault.batch_norm else ''
        raise InputError(f'{step} does not fit into the memory of the GPU{least}; {ROOM}')
    fewer = min(fault.fewer, read_batch(folder.parents[1]) or fault.fewer)
    norm = f'; batch norm sees {fewer} clips' if fault.batch_norm else ''
    tell(
        f'{step} does not fit into the memory of the GPU; this fold begins again and computes {fewer} at a time, with '
        f'the same steps of the optimiser{norm}'
    )
    shutil.rmtree(folder)
    folder.mkdir()
    note_batch(folder.parents[1], fewer)


def fold_config(experiment: Experiment, fold: Fold, seed: int, work_dir: Path) -> Config:
    """Fill subjects, normalisation, class weights, seed and places into a copy of the method's config."""
    # its text goes into every checkpoint, and formatting it each time would be slow
    cfg, data = Config(experiment.method.cfg.to_dict(), format_python_code=False), experiment.data
    cfg.work_dir, cfg.experiment_name = str(work_dir), fold.folder
    training = data.annotations[data.annotations['subject'].isin(fold.train_subjects)]
    drop_a_lone_clip(cfg.train_dataloader, len(training))
    if cfg.get('class_weight'):
        balance(cfg, training)
    cfg.resume = _has_checkpoint(work_dir)
    if cfg.resume:
        cfg.load_from = None
    # on CUDA some 3D pooling and interpolation kernels have no deterministic form
    cfg.randomness = dict(seed=seed, deterministic=experiment.device == 'cpu')
    cfg.log_title = run_title(experiment, fold, seed)
    if cfg.model.data_preprocessor.type == 'FlowDataPreprocessor':  # the stock one does not mirror
        cfg.model.data_preprocessor.channels = list(data.channels)
        if data.view.mirror_test:
            cfg.model.data_preprocessor.mirror_test = True
    if data.view.normalise:
        mean, std = data.normalisation(fold.train_subjects)
        cfg.model.data_preprocessor.update(mean=mean, std=std)
    shared = dict(data_root=list(data.roots), label_scheme=cfg.label_scheme, action_units=cfg.action_units)
    for loader, subjects in (
        (cfg.train_dataloader, fold.train_subjects),
        (cfg.test_dataloader, fold.test_subjects),
    ):
        loader.dataset.update(shared, subjects=list(subjects))
        loader.dataset.pipeline[0].update(data.view.options)
    if checkpoint := cfg.default_hooks.get('checkpoint'):
        checkpoint.interval = max(checkpoint.interval, cfg.train_cfg.max_epochs // CHECKPOINTS)
    cfg.test_evaluator = dict(
        type='PredictionTable', out_file=str(work_dir / 'predictions.csv'), fold=fold.name, seed=seed
    )
    if epoch := experiment.scored_epoch(fold):
        cfg.scored_epoch = epoch
    cfg.precision = experiment.precision
    if check := experiment.check:
        cfg.fp32_layers, cfg.precision_check = list(check.fp32_layers), check.line
    if cfg.precision == 'fp32' and cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
        cfg.optim_wrapper = plain_wrapper(cfg.optim_wrapper)
    if experiment.device != 'cpu':
        tune_for_cuda(cfg)
    elif cfg.get('env_cfg'):
        cfg.env_cfg.cudnn_benchmark = False  # MMEngine warns of it where the randomness is deterministic
    return cfg


def plain_wrapper(wrapper: Config) -> dict:
    """Return MMEngine's AmpOptimWrapper as its OptimWrapper, which computes in fp32."""
    of_amp = ('type', 'dtype', 'loss_scale', 'use_fsdp')
    return {'type': 'OptimWrapper', **{key: value for key, value in wrapper.items() if key not in of_amp}}


def tune_for_cuda(cfg: Config) -> None:
    """Scale the loss of fp16, update all weights by one kernel where torch has it, and write few checkpoints."""
    wrapper = cfg.optim_wrapper
    if cfg.precision == 'fp16' and wrapper.get('type', 'OptimWrapper') == 'OptimWrapper':
        wrapper.type = 'AmpOptimWrapper'
    fuse_optimizer(wrapper.get('optimizer', {}), FUSED)
    checkpoint = cfg.default_hooks.get('checkpoint') or {}
    if checkpoint.get('type') == 'CheckpointHook':
        checkpoint.type = 'SpacedCheckpointHook'


def fuse_optimizer(optimizer: dict, types: Sequence[str]) -> None:
    """Let one kernel update all weights, reading and writing each once, if the config leaves that open.

    Args:
        optimizer: Its config; is changed.
        types: Of the optimisers to fuse.
    """
    if optimizer.get('type') in types and not {'fused', 'foreach'} & {*optimizer}:
        optimizer['fused'] = True


def drop_a_lone_clip(loader: ConfigDict, n_train: int) -> None:
    """Drop a last batch of a single clip, which batch norm of features cannot take; every epoch drops another clip."""
    if n_train > 1 and n_train % loader.batch_size == 1:
        loader.drop_last = True


def steps_per_epoch(n_train: int, loader: ConfigDict) -> int:
    """Return the number of batches that a loader makes of an epoch."""
    share = n_train / loader.batch_size
    return math.floor(share) if loader.get('drop_last') else math.ceil(share)


def balance(cfg: Config, training: pd.DataFrame) -> None:
    """Weigh classes and action units by their counts in the training clips."""
    head = cfg.model.cls_head
    labels = pd.Categorical(training['label'], categories=cfg.classes).codes
    loss = head.get('loss_cls', dict(type='CrossEntropyLoss'))
    power = 1.0 if cfg.class_weight == 'balanced' else cfg.class_weight
    head.loss_cls = dict(loss, class_weight=balanced_weights(labels, len(cfg.classes), power))
    if cfg.action_units:
        head.action_unit_weight = positive_weights(encode_action_units(training, cfg.action_units))


def _has_checkpoint(work_dir: Path) -> bool:
    """Whether MMEngine's pointer to the newest checkpoint leads to a file; see :func:`mend_folder`."""
    try:
        return Path((work_dir / POINTER).read_text()).is_file()
    except (OSError, ValueError):
        return False


def balanced_weights(labels: np.ndarray, num_classes: int, power: float = 1.0) -> list[float]:
    """Weights (n / (classes present * n_class))^power; 1 for a class without a training clip: no loss term uses it."""
    from sklearn.utils.class_weight import compute_class_weight  # a finished run does without

    weights = np.ones(num_classes)
    present = np.unique(labels)
    weights[present] = compute_class_weight('balanced', classes=present, y=labels) ** power
    return weights.tolist()


def positive_weights(targets: np.ndarray) -> list[float]:
    """Weight of a clip that shows a unit: the root of clips without it over clips with it; 1 if either is missing.

    With the full ratio, the one clip in hundreds that shows a rare unit would dominate the loss.

    Args:
        targets: (N, K): 1 yes, 0 no, -1 unknown.
    """
    present, absent = (targets == 1).sum(0), (targets == 0).sum(0)
    both = (present > 0) & (absent > 0)
    return np.where(both, np.sqrt(absent / np.maximum(present, 1)), 1.0).tolist()
