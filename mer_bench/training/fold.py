"""One fold from its config to its folder of results; runs in the main process or in a worker."""

import os
import re
import shutil
import time
from functools import partial
from pathlib import Path

import torch

from mer_bench.errors import InputError, cause_of
from mer_bench.experiment.experiment import Experiment
from mer_bench.files import digest_file, read_json, refuse_special, write_atomically, write_json
from mer_bench.models.backbones.pretrained import is_whole
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import Count, Duration, Line, Name, Part, check_schema
from mer_bench.runs.record import circumstances
from mer_bench.training.fold_config import POINTER, fold_config
from mer_bench.training.runner import save_weights, train
from mer_bench.training.sklearn.estimator_fold import run_estimator

EPOCH = 'epoch'  # file with the number of finished epochs, for the progress bar of the parent
CHECKPOINT = 'checkpoint.pth'
IN_WORK = re.compile(r'(?:epoch|iter)_([0-9]{1,9})\.pth')  # MMEngine's, to continue from
PREDICTIONS = 'predictions.csv'
RESULTS = (PREDICTIONS, 'config.py', 'train.log', 'fold.json', CHECKPOINT)
REMEDY = 'put back what was there, or remove the folder of this fold and run the same command again to train it again'


class Together(Part):
    """How a fold was trained with others."""

    way: Line
    folds: Count


class FoldResult(Part):
    """What fold.json says of a finished fold. Folds of earlier versions have neither `stack` nor a digest."""

    fold: Name
    n_train: Count
    n_test: Count
    train_seconds: Duration | None
    test_seconds: Duration | None
    device: Line
    versions: dict[Line, Line | None]
    commit: Line | None
    date: Line
    stack: Together | None = None
    fit: Line | None = None
    predictions_digest: Line | None = None


def run_fold(experiment: Experiment, fold: Fold, seed: int, work_dir: Path, save_checkpoints: bool) -> dict:
    """Train and test one fold; leave predictions.csv, config.py, train.log and fold.json in `folds/<name>`.

    Raises:
        InputError: Label scheme or data changed since the experiment was opened; nothing of the fold is kept.
    """
    experiment.activate()
    experiment.check_unchanged()
    folder = folder_in_work(work_dir, fold)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if experiment.method.is_estimator:
            outcome = run_estimator(experiment, fold, seed, work_dir, folder)
        else:
            outcome = run_network(experiment, fold, seed, folder, save_checkpoints) | dict(
                stack=dict(way='off', folds=1)
            )
    finally:  # a change may also be why something else went wrong
        refuse_changes(experiment, [folder])
    result = dict(fold=fold.name, **outcome, **circumstances(experiment))
    finish_fold(fold, work_dir, result)
    return result


def finish_fold(fold: Fold, work_dir: Path, result: dict) -> None:
    """Write fold.json, and give the folder in work, which holds all else, its lasting name."""
    folder = folder_in_work(work_dir, fold)
    write_json(folder / 'fold.json', dict(result, predictions_digest=digest_file(folder / PREDICTIONS)))
    _keep_results(folder)
    folder.rename(finished_folder(work_dir, fold))


def run_network(experiment: Experiment, fold: Fold, seed: int, folder: Path, save_checkpoints: bool) -> dict:
    """Train a network through MMEngine's Runner, from its newest checkpoint where there is one, and test it.

    Returns:
        n_train, n_test, train_seconds (None where it was continued: the time of the stopped part is not known) and
        test_seconds.
    """
    cfg = fold_config(experiment, fold, seed, folder)
    continued = cfg.get('resume', False)
    start = time.perf_counter()
    runner = train(cfg, partial(report_epoch, folder))
    trained = time.perf_counter()
    runner.test()
    tested = time.perf_counter()
    if save_checkpoints:
        save_weights(runner, folder / CHECKPOINT)
    return dict(
        n_train=len(runner.train_dataloader.dataset),
        n_test=len(runner.test_dataloader.dataset),
        train_seconds=None if continued else trained - start,
        test_seconds=tested - trained,
    )


def refuse_changes(experiment: Experiment, folders: list[Path]) -> None:
    """Refuse folds during which label scheme or data changed, and remove them: what they hold may come from both."""
    try:
        experiment.check_unchanged()
    except InputError:
        for folder in folders:
            shutil.rmtree(folder)
        raise


def read_result(work_dir: Path, fold: Fold) -> dict:
    """Return the fold.json of a finished fold.

    Raises:
        InputError: It, or predictions.csv beside it, is not what was written. A fold of an earlier version has
            no digest of its predictions; they are then known by their clips and labels alone.
    """
    path, table = (finished_folder(work_dir, fold) / name for name in ('fold.json', PREDICTIONS))
    result = read_json(path, REMEDY)
    check_schema(path, result, FoldResult, REMEDY)
    if result['fold'] != fold.name:
        raise InputError(f'{path}: expected the fold {fold.name}, but it is of the fold {result["fold"]}; {REMEDY}')
    refuse_special(table, REMEDY)
    try:
        digest = digest_file(table)
    except OSError as error:
        raise InputError(
            f'{table}: expected the predictions of a fold, but got {cause_of(error)!r}; {REMEDY}'
        ) from None
    if result.get('predictions_digest') not in (None, digest):
        raise InputError(f'{table}: expected the predictions that were written, but they are others; {REMEDY}')
    return result


def mend_folder(work_dir: Path, fold: Fold) -> str | None:
    """Let an unfinished fold continue from its newest whole checkpoint, or begin again where none is whole.

    Returns:
        A line about what was damaged; None: nothing.
    """
    folder = folder_in_work(work_dir, fold)
    pointer = folder / POINTER
    if os.path.lexists(pointer):
        remove(pointer)
    found = sorted((path for path in folder.glob('*.pth') if IN_WORK.fullmatch(path.name)), key=_number, reverse=True)
    if not found:
        return None
    whole = next((path for path in found if can_resume(path)), None)
    if whole is None:
        shutil.rmtree(folder)
        return f'{fold.name}: {found[0].name} is damaged; this fold is trained again from its beginning'
    damaged = found[: found.index(whole)]
    with write_atomically(pointer) as temporary:
        temporary.write_text(str(whole))
    for path in damaged:
        remove(path)
    return f'{fold.name}: {damaged[0].name} is damaged; this fold continues from {whole.name}' if damaged else None


def can_resume(path: Path) -> bool:
    """Whether a checkpoint of MMEngine's Runner is whole, holds no code, and has what a training continues from."""
    try:
        content = (
            path.is_file() and is_whole(path) and torch.load(path, map_location='cpu', weights_only=True, mmap=True)
        )
        parts = [content[key] for key in ('state_dict', 'optimizer', 'message_hub')]
        numbers = [content['meta'][key] for key in ('epoch', 'iter')]
    except Exception:  # a damaged or hostile file can raise anything
        return False
    return all(isinstance(part, dict) for part in parts) and all(type(number) is int for number in numbers)


def remove(path: Path) -> None:
    """Remove a file, a folder, or a link to either."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _number(path: Path) -> int:
    """The number in the name of a checkpoint, epoch_10.pth."""
    return int(IN_WORK.fullmatch(path.name)[1])


def finished_folder(work_dir: Path, fold: Fold) -> Path:
    """The folder of a finished fold; it appears whole."""
    return work_dir / 'folds' / fold.folder


def folder_in_work(work_dir: Path, fold: Fold) -> Path:
    """The folder of a fold that is being trained."""
    return work_dir / 'folds' / f'.{fold.folder}'


def report_epoch(folder: Path, epoch: int) -> None:
    """Note the number of finished epochs."""
    (folder / EPOCH).write_text(str(epoch))


def read_epoch(work_dir: Path, fold: Fold, max_epochs: int) -> int:
    """Return how many epochs of a fold are done."""
    if finished_folder(work_dir, fold).exists():
        return max_epochs
    path = folder_in_work(work_dir, fold) / EPOCH
    try:
        return max(0, min(max_epochs, int((path.is_file() and path.read_text()) or 0)))
    except (OSError, ValueError):  # there is none, or it is being written
        return 0


def _keep_results(folder: Path) -> None:
    """Remove the checkpoints for continuing and MMEngine's empty log folder."""
    for path in folder.iterdir():
        if path.is_dir() or path.name not in RESULTS:
            remove(path)
