"""One fold from its config to its folder of results; runs in the main process or in a worker."""

import json
import shutil
import time
from functools import partial
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.files import write_json
from mer_bench.protocols.folds import Fold
from mer_bench.training.estimator_fold import run_estimator
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold_config import fold_config
from mer_bench.training.fold_runner import save_weights, train
from mer_bench.training.run_record import circumstances

EPOCH = 'epoch'  # file with the number of finished epochs, for the progress bar of the parent
CHECKPOINT = 'checkpoint.pth'
RESULTS = ('predictions.csv', 'config.py', 'train.log', 'fold.json', CHECKPOINT)


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
    write_json(folder / 'fold.json', result)
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
    """Return the fold.json of a finished fold."""
    return json.loads((finished_folder(work_dir, fold) / 'fold.json').read_text(encoding='utf-8'))


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
    try:
        return int((folder_in_work(work_dir, fold) / EPOCH).read_text() or 0)
    except FileNotFoundError:
        return 0


def _keep_results(folder: Path) -> None:
    """Remove the checkpoints for continuing and MMEngine's empty log folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in RESULTS:
            path.unlink()
