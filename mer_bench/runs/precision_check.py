"""Decides the precision of a run before its first fold, by comparing its gradients with those in fp32."""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel

from mer_bench.errors import in_one_line
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.provenance import with_decision
from mer_bench.processes import in_workers
from mer_bench.runs.model import build_model, fit_pretrained
from mer_bench.training.device import activate
from mer_bench.training.fold import finished_folders
from mer_bench.training.gradient_check import compare_gradients

CLIPS = 4  # of the batch, at most


def settle_precision(experiment: Experiment, model: BaseModel, work_dir: Path, apart: bool) -> Experiment:
    """Return an experiment with the precision of the folds that are to be trained.

    Args:
        experiment: As it was opened.
        model: Its network, built; left as it was.
        work_dir: The run folder; an earlier decision there is kept if it is still enough.
        apart: Compare in a process of its own, which saves memory here, and whose crash does not end this process.
    """
    if experiment.precision == 'fp32':
        return experiment
    try:
        task = partial(check_at_place, experiment)
        (found,) = in_workers([task], 1, experiment.threads) if apart else [check(experiment, model)]
    except TerminatedWorkerError:
        found = fall_back(experiment, 'the process that compared its gradients ended')
    return with_decision(experiment, work_dir, found)


def needs_check(experiment: Experiment, work_dir: Path) -> bool:
    """Whether folds are to be trained in mixed precision."""
    missing = len(finished_folders(work_dir, experiment.chosen)) < len(experiment.chosen)
    return missing and experiment.precision != 'fp32'


def fall_back(experiment: Experiment, why: str) -> PrecisionCheck:
    """Return the decision for fp32."""
    return PrecisionCheck(experiment.precision, 'fp32', why=why)


def check_at_place(experiment: Experiment, place: int) -> PrecisionCheck:
    """Build the model in a worker, with the same weights, and compare there.

    Args:
        experiment: As it was opened.
        place: Number of the worker.
    """
    activate(experiment)
    model = build_model(experiment.method.cfg)
    fit_pretrained(model, experiment.method.cfg)
    return check(experiment, model)


def check(experiment: Experiment, model: BaseModel) -> PrecisionCheck:
    """Compare gradients in the precision of an experiment with fp32, and decide.

    The clips are random numbers in the shape of the data, so nothing is learnt about any subject.
    """
    cfg, precision, start = experiment.method.cfg, experiment.precision, time.perf_counter()
    size = max(2, min(CLIPS, cfg.train_dataloader.batch_size))  # batch norm needs two
    try:
        with as_in_training(experiment.device):
            model = copy.deepcopy(model).to(experiment.device)
            batch = random_batch(model, experiment.data.shape, size, len(cfg.classes), len(cfg.action_units or ()))
            found = compare_gradients(model, *batch, precision, cfg.get('channels_last', False))
    except Exception as error:  # parts of any kind raise anything; a broken network fails again when it is trained
        return fall_back(experiment, f'its gradients cannot be compared: {type(error).__name__}: {in_one_line(error)}')
    if not found.mended:
        place, value = found.between
        return fall_back(experiment, f'its gradients disagree with fp32 (to {value:.4f} at {place})')
    smallest = min(found.layers, found.between[1])
    return PrecisionCheck(precision, precision, found.fp32_layers, smallest, time.perf_counter() - start)


@contextmanager
def as_in_training(device: str) -> Iterator[None]:
    """Let torch choose its kernels as in a training, and leave its random numbers as they were."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[] if device == 'cpu' else [device]):
        torch.manual_seed(0)
        torch.use_deterministic_algorithms(device == 'cpu')  # see fold_config
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            if device != 'cpu':
                torch.cuda.empty_cache()


def random_batch(
    model: BaseModel, shape: tuple[int, ...], size: int, n_classes: int, n_units: int = 0
) -> tuple[torch.Tensor, list[ActionDataSample]]:
    """Return clips of random numbers in the shape and on the device that a network expects, and their labels.

    Args:
        model: A recogniser.
        shape: (C, T, H, W) of a clip.
        size: Number of clips.
        n_classes: Number of classes.
        n_units: Number of action units.
    """
    clips = torch.randn(size, 1, *shape, device=next(model.parameters()).device)
    if hasattr(model.data_preprocessor, 'arrange'):
        clips = model.data_preprocessor.arrange(clips)
    samples = [ActionDataSample().set_gt_label(i % n_classes) for i in range(size)]
    for i, sample in enumerate(samples):
        sample.action_unit_targets = [i % 2] * n_units
    return clips, samples
