"""All folds of a protocol: plan, skip what is finished, run the rest, pool the predictions, write the record."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.files import write_json
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import read_record, write_record
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold_config import fold_config
from mer_bench.training.fold_runner import save_weights, train
from mer_bench.training.prediction_table import write_predictions
from mer_bench.training.run_record import start_record


def run_folds(experiment: Experiment, seed: int, work_dir: Path, save_checkpoints: bool = False) -> dict:
    """Run the chosen folds of an experiment, and return the record of the run.

    A finished fold is a folder `folds/<name>`, which appears by a rename and is never touched again; a fold in work is
    the folder `folds/.<name>`.

    Raises:
        InputError: Another run is at work in `work_dir`, or it holds folds of other settings or data.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work_dir / '.lock', timeout=0):
            record = start_record(experiment, seed)
            _refuse_other_settings(work_dir, record)
            update_record(work_dir, record, experiment.folds)
            _run_missing(experiment, seed, work_dir, save_checkpoints)
            return update_record(work_dir, record, experiment.folds)
    except Timeout as error:
        raise InputError(
            f'another training is at work in {work_dir}; wait for it or give another --work-dir'
        ) from error


def _refuse_other_settings(work_dir: Path, record: dict) -> None:
    """What is in the folder must come from the same config, overrides, data, seed."""
    path = work_dir / 'record.json'
    if not path.exists():
        return
    earlier = read_record(path)
    for part, now, then in (
        ('config', record['config']['digest'], earlier['config']['digest']),
        ('annotation table', record['data']['annotations_digest'], earlier['data']['annotations_digest']),
        ('flow store', record['data']['store_digest'], earlier['data']['store_digest']),
        ('seed', record['seed'], earlier['seed']),
    ):
        if now != then:
            raise InputError(f'{work_dir} holds folds of another {part}; give another --work-dir or remove this folder')


def _run_missing(experiment: Experiment, seed: int, work_dir: Path, save_checkpoints: bool) -> None:
    """Train what is not finished, under one progress bar over folds and epochs."""
    epochs, folds = experiment.method.cfg.train_cfg.max_epochs, experiment.chosen
    missing = [fold for fold in folds if not (work_dir / 'folds' / fold.folder).exists()]
    done = len(folds) - len(missing)
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('epochs'))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        if done:
            progress.console.print(f'{done} of {len(folds)} folds are finished already')
        bar = progress.add_task('', total=len(folds) * epochs, completed=done * epochs)
        for number, fold in enumerate(missing, done):
            progress.update(bar, description=f'fold {number + 1}/{len(folds)} {fold.name}')
            result = run_fold(
                experiment,
                fold,
                seed,
                work_dir,
                save_checkpoints,
                _epoch_report(progress, bar, number * epochs),
            )
            seconds = result['train_seconds']
            progress.console.print(
                f'{fold.name}: {result["n_train"]} clips to train, {result["n_test"]} to test, {seconds:.0f} s'
            )


def _epoch_report(progress: Progress, bar: int, before: int) -> Callable[[int], None]:
    return lambda epoch: progress.update(bar, completed=before + epoch)


def run_fold(
    experiment: Experiment,
    fold: Fold,
    seed: int,
    work_dir: Path,
    save_checkpoints: bool,
    report: Callable[[int], None],
) -> dict:
    """Train and test one fold; leave predictions.csv, config.py, train.log and fold.json in `folds/<name>`."""
    partial = work_dir / 'folds' / f'.{fold.folder}'
    partial.mkdir(parents=True, exist_ok=True)
    cfg = fold_config(experiment, fold, seed, partial)
    start = time.perf_counter()
    runner = train(cfg, report)
    trained = time.perf_counter()
    runner.test()
    result = dict(
        fold=fold.name,
        n_train=len(runner.train_dataloader.dataset),
        n_test=len(runner.test_dataloader.dataset),
        train_seconds=trained - start,
        test_seconds=time.perf_counter() - trained,
    )
    write_json(partial / 'fold.json', result)
    if save_checkpoints:
        save_weights(runner, partial / 'checkpoint.pth')
    _keep_only(partial, {'predictions.csv', 'config.py', 'train.log', 'fold.json', 'checkpoint.pth'})
    partial.rename(work_dir / 'folds' / fold.folder)
    return result


def _keep_only(folder: Path, names: set[str]) -> None:
    """Remove the checkpoints for continuing and MMEngine's empty log folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()


def update_record(work_dir: Path, record: dict, folds: list[Fold]) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores."""
    missing = [fold.name for fold in folds if not (work_dir / 'folds' / fold.folder).exists()]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(folds) - len(missing), missing=missing),
        complete=not missing,
    )
    if not missing:
        pooled = pool_predictions([work_dir / 'folds' / fold.folder / 'predictions.csv' for fold in folds])
        write_predictions(pooled, work_dir / 'predictions.csv')
        record['scores'] = score_table(read_predictions(work_dir / 'predictions.csv'), record['classes'])
        timings = [pd.read_json(work_dir / 'folds' / fold.folder / 'fold.json', typ='series') for fold in folds]
        for part in ('train', 'test'):
            record['seconds'][part] = sum(float(timing[f'{part}_seconds']) for timing in timings)
    write_record(work_dir / 'record.json', record)
    return record


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip stands in exactly one of them."""
    pooled = pd.concat([pd.read_csv(path, dtype=dict(y_true=str, y_pred=str)) for path in tables], ignore_index=True)
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise ValueError(f'{twice.iloc[0]} is held out by more than one fold')
    return pooled
