"""The model of a run before its first fold: built once, measured, its precision settled.

A model that cannot be trained is refused here. Mixed precision is decided by comparing gradients with those in fp32.
"""

import copy
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper

from mer_bench.errors import InputError, in_one_line
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.provenance import describe_pretrained, with_decision
from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d
from mer_bench.models.backbones.pretrained import fit_pretrained
from mer_bench.processes import in_workers
from mer_bench.training.device import activate
from mer_bench.training.fold import plain_wrapper
from mer_bench.training.fold_folder import finished_folders
from mer_bench.training.gradient_check import Agreement, compare_gradients
from mer_bench.training.parts import is_out_of_memory
from mer_bench.training.stacking.eligibility import complexity, why_not_stackable
from mer_bench.training.stacking.strategy import Stack, StackChoice, choose

CLIPS = 4  # of the batch whose gradients are compared, at most


def settle_training(
    experiment: Experiment,
    begun: dict | None,
    seed: int,
    stack: Stack,
    here: Experiment | None = None,
    apart: bool = False,
) -> tuple[Experiment, StackChoice, dict]:
    """Build the network of a run, measure it, and settle its precision and how its folds are trained.

    Args:
        experiment: As it was opened; with `here`, its precision is settled already.
        begun: The record of folds that were trained before, if any.
        seed: Of the run.
        stack: As for :func:`choose`.
        here: The experiment on a device of this machine, if other machines train.
        apart: As for :func:`settle_precision`.

    Returns:
        The experiment with its precision, how its folds are trained, and what :func:`describe_model` returns.
    """
    model = build_model(here or experiment)
    described = describe_model(here or experiment, model)
    if experiment.precision != 'fp32' and here is None:
        experiment = settle_precision(experiment, model, begun, apart)
    return experiment, choose(experiment, model, seed, stack, begun), described


def build_model(experiment: Experiment) -> BaseModel:
    """Set up this process and build the network of an experiment in it, with the same weights every time.

    Raises:
        InputError: A part or an argument is wrong.
    """
    activate(experiment)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            # a copy: a recogniser takes keys out of a backbone of timm
            return MODELS.build(copy.deepcopy(experiment.method.cfg.model))
    except Exception as error:  # a part can raise any exception
        raise InputError(
            f'the model of this config cannot be built: {in_one_line(error)}; correct config or override'
        ) from error


def describe_model(experiment: Experiment, model: BaseModel) -> dict:
    """Return what a record holds of a model, and refuse one that cannot be trained before the first fold.

    The model keeps its pretrained weights, which are read into it.

    Returns:
        pretrained (None without), parameters, flops, and note_on_model (None if the clips fill every kernel).
    """
    cfg, shape, backbone = experiment.method.cfg, experiment.data.shape, model.backbone
    check_optimiser(model, cfg.optim_wrapper)
    try:
        parameters, flops = complexity(model, shape)
    except Exception as error:  # a part can raise any exception
        raise InputError(
            f'the parts of this model, or its input of {"x".join(map(str, shape))}, do not fit together: '
            f'{type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    note = backbone.note_on_taps() if isinstance(backbone, MultiScaleResNet3d) else None
    fitted = fit_pretrained(model, cfg.get('load_from'))
    pretrained = fitted and describe_pretrained(cfg) | fitted
    return dict(pretrained=pretrained, parameters=parameters, flops=flops, note_on_model=note)


def check_optimiser(model: BaseModel, wrapper: Mapping) -> None:
    """Build the optimiser, so that a fault in it shows before the first fold."""
    kind = wrapper.get('type', 'OptimWrapper')
    logging.disable(logging.INFO)  # one line for each parameter; the log of a fold has them
    try:
        # MMEngine's for mixed precision is built where its device is
        build_optim_wrapper(model, plain_wrapper(wrapper) if kind == 'AmpOptimWrapper' else copy.deepcopy(wrapper))
    except Exception as error:  # a part can raise any exception
        raise InputError(
            f'optim_wrapper cannot be built: {type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def settle_precision(experiment: Experiment, model: BaseModel, begun: dict | None, apart: bool) -> Experiment:
    """Return an experiment with the precision of the folds that are to be trained.

    Args:
        experiment: As it was opened, in mixed precision.
        model: Its network, built; left as it was.
        begun: The record of folds that were trained before, if any: its decision is kept if it is still enough.
        apart: Compare in a process of its own, which saves memory here, and whose crash does not end this process.
    """
    try:
        task = partial(check_at_place, experiment)
        (found,) = in_workers([task], 1, experiment.threads) if apart else [check(experiment, model)]
    except TerminatedWorkerError:
        found = fall_back(experiment, 'the process that compared its gradients ended')
    return with_decision(experiment, begun, found)


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
    model = build_model(experiment)
    fit_pretrained(model, experiment.method.cfg.get('load_from'))
    return check(experiment, model)


def check(experiment: Experiment, model: BaseModel) -> PrecisionCheck:
    """Compare gradients in the precision of an experiment with fp32, and decide.

    The clips are random numbers in the shape of the data, so nothing is learnt about any subject. With amp='auto', a
    network that can be trained from memory, which needs fp32, is not compared: it gains more from that than from bf16.
    """
    cfg, precision, start = experiment.method.cfg, experiment.precision, time.perf_counter()
    if cfg.get('amp') == 'auto' and why_not_stackable(replace(experiment, precision='fp32'), model) is None:
        return fall_back(experiment, 'it can be trained from memory')
    for clips in (max(2, min(CLIPS, cfg.train_dataloader.batch_size)), 2):  # batch norm needs two
        try:
            found, why = compared(experiment, model, clips), ''
        except Exception as error:  # a part can raise any exception; a broken network fails again when it is trained
            why = f'its gradients cannot be compared: {type(error).__name__}: {in_one_line(error)}'
            if is_out_of_memory(error):
                continue
        break
    if why:
        return fall_back(experiment, why)
    if not found.mended:
        place, value = found.between
        return fall_back(experiment, f'its gradients disagree with fp32 (to {value:.4f} at {place})')
    smallest = min(found.layers, found.between[1])
    return PrecisionCheck(precision, precision, found.fp32_layers, smallest, time.perf_counter() - start)


def compared(experiment: Experiment, model: BaseModel, clips: int) -> Agreement:
    """Compare the gradients of a copy of a network, for a batch of so many random clips."""
    cfg = experiment.method.cfg
    with as_in_training(experiment.device):
        model = copy.deepcopy(model).to(experiment.device)
        batch = random_batch(model, experiment.data.shape, clips, len(cfg.classes), len(cfg.action_units or ()))
        return compare_gradients(model, *batch, experiment.precision, cfg.get('channels_last', False))


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
