"""Trains and tests a group of folds in this process, from clips in memory, and writes their folders of results."""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pprint import pformat

import pandas as pd
import torch
from mmaction.registry import METRICS
from mmengine.config import Config
from torch import nn

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import circumstances
from mer_bench.loading.augmentation import with_mirrored
from mer_bench.protocols.folds import Fold
from mer_bench.training.audit import NOTES, finish_audit, note_epoch
from mer_bench.training.device import activate
from mer_bench.training.fold import refusing_changes
from mer_bench.training.fold_folder import CHECKPOINT, finish_fold, folder_in_work, report_epoch, write_curves
from mer_bench.training.parts import in_halves, is_out_of_memory, tell
from mer_bench.training.runner import PredictionTable, save_weights
from mer_bench.training.stacking.data import StackedFolds, open_folds
from mer_bench.training.stacking.strategy import KERNELS, StackChoice
from mer_bench.training.stacking.train import Weights, train_folds

SECONDS_BETWEEN_REPORTS = 0.5
TOO_LARGE = (
    'does not fit into the memory of the GPU; use --stack off, which computes batches in parts there, fewer --jobs, or '
    '--device cpu'
)


def run_group(
    experiment: Experiment,
    folds: list[Fold],
    seed: int,
    work_dir: Path,
    save_checkpoints: bool,
    choice: StackChoice,
    audit: bool = False,
) -> list[dict]:
    """Train and test a group of folds of :func:`plan_groups`; write the same files as :func:`run_fold`.

    Raises:
        InputError: Label scheme or data changed since the experiment was opened, or a training diverged; finished folds
            are kept.
    """
    way, train = find_trainer(choice.way)
    activate(experiment)
    experiment.check_unchanged()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            stack = open_folds(experiment, folds, seed, work_dir, Path(scratch))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(f'what all folds share, the clips of the run, {TOO_LARGE}') from error
        noted = circumstances(experiment)
        model = copy.deepcopy(stack.runner.model).eval()
        opening = (time.perf_counter() - start) / len(folds)
        results, faults = [], []
        for part, weights, curves, seconds in train_parts(experiment, stack, work_dir, train, choice.folds, audit):
            noted |= dict(stack=dict(way=way, folds=len(part.folds)))
            for i, state in enumerate(weights):
                folder = folder_in_work(work_dir, part.folds[i])
                leave_training(part.cfgs[i], way, state, curves[i], folder, save_checkpoints)
                try:
                    outcome = test_fold(part.part(i, i + 1), model, state)
                except InputError as error:  # it diverged, alone
                    faults.append(error)
                    continue
                if audit:
                    finish_audit(folder, stack.runner.max_epochs, part.cfgs[i].classes)
                name = part.folds[i].name
                outcome |= experiment.choices.get(name, {})
                result = dict(fold=name, train_seconds=opening + seconds, **outcome, **noted)
                finish_fold(part.folds[i], work_dir, result)
                results.append(result)
    if faults:
        raise faults[0]
    return results


def find_trainer(way: str) -> tuple[str, Callable[..., tuple]]:
    """Return a strategy with the function that trains a :class:`StackedFolds` by it, see :func:`train_folds`.

    A kernel chosen on another machine may be unavailable on this one: its folds are then trained one after another.
    """
    if way not in KERNELS:
        return way, train_folds
    kernel = import_module(KERNELS[way])
    return ('sequential', train_folds) if kernel.unavailable() else (way, kernel.train)


def train_parts(
    experiment: Experiment, stack: StackedFolds, work_dir: Path, train: Callable[..., tuple], size: int, audit: bool
) -> Iterator[tuple[StackedFolds, list[Weights], list[pd.DataFrame], float]]:
    """Train a stack in parts of `size` folds, or smaller ones if these do not fit on the GPU.

    Args:
        experiment: Method and data; a part during which they change is refused.
        stack: All folds.
        work_dir: The run folder.
        train: What trains a part, see :func:`find_trainer`.
        size: Number of folds of a part.
        audit: Whether to predict the test clips after every epoch.

    Yields:
        A part, the weights of its folds, their learning curves, and the seconds of each.
    """
    first = 0
    while first < len(stack.folds):
        part = stack.part(first, first + size)
        folders = [folder_in_work(work_dir, fold) for fold in part.folds]
        start = time.perf_counter()
        try:
            with refusing_changes(experiment, folders):
                weights, curves = train(part, reporter(folders), auditor(part, folders) if audit else None)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(part.folds) == 1:
                raise InputError(f'{part.folds[0].name} {TOO_LARGE}') from error
            size = len(part.folds) // 2
            tell(
                f'{len(part.folds)} folds at a time do not fit into the memory of the GPU; {size} are trained at a time'
            )
            continue
        yield part, weights, curves, (time.perf_counter() - start) / len(part.folds)
        first += len(part.folds)


def reporter(folders: list[Path]) -> Callable[[int], None]:
    """Return a function that notes the number of finished epochs in each folder, at most twice a second."""
    noted = -SECONDS_BETWEEN_REPORTS

    def report(epoch: int) -> None:
        nonlocal noted
        if (now := time.monotonic()) - noted >= SECONDS_BETWEEN_REPORTS:
            noted = now
            for folder in folders:
                report_epoch(folder, epoch)

    return report


def auditor(stack: StackedFolds, folders: list[Path]) -> Callable[[int, list[Weights]], None]:
    """Return a function that predicts the test clips of each fold after an epoch, and notes it in their folders."""
    model = copy.deepcopy(stack.runner.model).eval()
    for folder in folders:  # from the beginning, whatever an interrupted training left
        (folder / NOTES).unlink(missing_ok=True)

    def audit(epoch: int, weights: list[Weights]) -> None:
        for fold, state in enumerate(weights):
            model.load_state_dict(state)
            rows = predict(stack.part(fold, fold + 1), model).results
            note_epoch(folders[fold], epoch, rows, stack.clips.metainfo['classes'])

    return audit


def predict(stack: StackedFolds, model: nn.Module) -> PredictionTable:
    """Return the predictions of a network for the test clips of a single fold."""
    (cfg,), (fold,), clips = stack.cfgs, stack.folds, stack.clips
    mean, std = stack.moments[0].view(2, -1, 1, 1, 1)
    table = METRICS.build(cfg.test_evaluator)
    table.dataset_meta = clips.metainfo

    @torch.no_grad()
    def predicted(chunk: list[int]) -> list:
        inputs, taken = clips.inputs[chunk], chunk
        if model.data_preprocessor.mirror_test:
            inputs, taken = with_mirrored(inputs, model.data_preprocessor.channels), [*taken, *taken]
        inputs = ((inputs - mean) / std)[:, None]  # one crop
        return model(inputs, [copy.deepcopy(clips.samples[row]) for row in taken], mode='predict')

    for chunk in clips.rows_of(fold.test_subjects).split(cfg.test_dataloader.batch_size):
        table.process({}, [sample.to_dict() for sample in in_halves(predicted, chunk.tolist())])
    return table


def test_fold(stack: StackedFolds, model: nn.Module, state: Weights) -> dict:
    """Write the predictions of the weights of a single fold, which are loaded into a network in evaluation.

    Returns:
        n_train, n_test and test_seconds.
    """
    start = time.perf_counter()
    model.load_state_dict(state)
    table = predict(stack, model)
    n_test = table.compute_metrics(table.results)['clips']
    return dict(n_train=len(stack.train_rows[0]), n_test=n_test, test_seconds=time.perf_counter() - start)


def config_text(cfg: Config) -> str:
    """Return a config as the text of a file; MMEngine's own text is prettier, but takes longer than many trainings."""
    return ''.join(f'{key} = {pformat(value, width=120, sort_dicts=False)}\n' for key, value in cfg.to_dict().items())


def leave_training(
    cfg: Config, way: str, state: Weights, curves: pd.DataFrame, folder: Path, save_checkpoints: bool
) -> None:
    """Write config.py, curves.csv, train.log with the mean loss of each epoch, and the weights if asked for."""
    (folder / 'config.py').write_text(config_text(cfg), encoding='utf-8')
    lines = [f'{cfg.log_title}, {way}\n', *([f'{cfg.precision_check}\n'] if cfg.get('precision_check') else [])]
    lines += [f'epoch {epoch}: loss {loss:.6f}\n' for epoch, loss in enumerate(curves['loss'], start=1)]
    (folder / 'train.log').write_text(''.join(lines), encoding='utf-8')
    write_curves(curves, folder)
    if save_checkpoints:
        save_weights(state, folder / CHECKPOINT)
