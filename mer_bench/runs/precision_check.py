"""Which precision a run computes in, once its gradients were compared with fp32: decided before its first fold."""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel

from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.same_settings import read_run
from mer_bench.runs.record import in_one_line
from mer_bench.runs.worker_pool import in_workers
from mer_bench.training.fold import finished_folder
from mer_bench.training.gradient_check import compare_gradients

CLIPS = 4  # of the batch, at most


def settle_precision(experiment: Experiment, work_dir: Path, apart: bool) -> Experiment:
    """Return an experiment with the precision that its folds are trained in.

    Args:
        experiment: As it was opened.
        work_dir: The run folder; what an earlier part of the run decided stays where it still is enough.
        apart: Compare in a process of its own, whose memory is not needed here and whose end would not end this one.
    """
    if not needs_check(experiment, work_dir):
        return with_decision(experiment, work_dir)
    try:
        task = partial(check_at_place, experiment)
        (found,) = in_workers([task], 1, experiment.threads) if apart else [task(0)]
    except TerminatedWorkerError:
        found = fall_back(experiment, 'the process that compared its gradients ended')
    return with_decision(experiment, work_dir, found)


def needs_check(experiment: Experiment, work_dir: Path) -> bool:
    """Say whether folds are to be trained in mixed precision."""
    missing = any(not finished_folder(work_dir, fold).exists() for fold in experiment.chosen)
    return missing and experiment.precision != 'fp32'


def with_decision(experiment: Experiment, work_dir: Path, found: PrecisionCheck | None = None) -> Experiment:
    """Return an experiment with what was decided for the folds in a run folder, or else with what was found.

    Args:
        experiment: As it was opened.
        work_dir: The run folder.
        found: By the comparison; None: nothing is to be trained.
    """
    noted = None
    if (work_dir / 'record.json').exists() and any((work_dir / 'folds').glob('*')):
        noted = PrecisionCheck.of_record(read_run(work_dir))
    if noted and noted.asked == experiment.precision and (found is None or noted.covers(found)):
        found = noted
    return replace(experiment, precision=found.used, check=found) if found else experiment


def fall_back(experiment: Experiment, why: str) -> PrecisionCheck:
    """Return the decision for fp32."""
    return PrecisionCheck(experiment.precision, 'fp32', why=why)


def check_at_place(experiment: Experiment, place: int) -> PrecisionCheck:
    """Compare in a worker, whichever it is."""
    experiment.activate()
    return check(experiment)


def check(experiment: Experiment) -> PrecisionCheck:
    """Compare gradients in the precision of an experiment with fp32, and decide.

    The clips are random numbers in the shape of those of the data: nothing is learnt about any subject.
    """
    cfg, precision, start = experiment.method.cfg, experiment.precision, time.perf_counter()
    try:
        with as_in_training(experiment.device):
            found = compare_gradients(*build_step(experiment), precision, cfg.get('channels_last', False))
    except Exception as error:  # parts of any kind raise anything; a broken network fails again when it is trained
        return fall_back(experiment, f'its gradients cannot be compared: {type(error).__name__}: {in_one_line(error)}')
    if not found.mended:
        place, value = found.between
        return fall_back(experiment, f'its gradients disagree with fp32 (to {value:.4f} at {place})')
    smallest = min(found.layers, found.between[1])
    return PrecisionCheck(precision, precision, found.fp32_layers, smallest, time.perf_counter() - start)


@contextmanager
def as_in_training(device: str) -> Iterator[None]:
    """Let torch choose its kernels as in a training, and draw random numbers without a trace."""
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


def build_step(experiment: Experiment) -> tuple[BaseModel, torch.Tensor, list[ActionDataSample]]:
    """Return a network with random weights and a batch as its trainings have, but of random numbers."""
    cfg = experiment.method.cfg
    model = MODELS.build(copy.deepcopy(cfg.model)).to(experiment.device)  # building takes keys out of a config
    size = max(2, min(CLIPS, cfg.train_dataloader.batch_size))  # batch norm needs two
    return model, *random_batch(model, experiment.data.shape, size, len(cfg.classes), len(cfg.action_units or ()))


def random_batch(
    model: BaseModel, shape: tuple[int, ...], size: int, n_classes: int, n_units: int = 0
) -> tuple[torch.Tensor, list[ActionDataSample]]:
    """Return clips of random numbers, on the device of a network and as it takes them, and their labels.

    Args:
        model: A recogniser.
        shape: (C, T, H, W) of a clip.
        size: Clips of the batch.
        n_classes: Classes.
        n_units: Action units.
    """
    clips = torch.randn(size, 1, *shape, device=next(model.parameters()).device)
    if hasattr(model.data_preprocessor, 'arrange'):
        clips = model.data_preprocessor.arrange(clips)
    samples = [ActionDataSample().set_gt_label(i % n_classes) for i in range(size)]
    for i, sample in enumerate(samples):
        sample.action_unit_targets = [i % 2] * n_units
    return clips, samples
