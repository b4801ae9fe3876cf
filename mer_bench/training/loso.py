"""All folds of a protocol: skip what is finished, run the rest, pool the predictions, write the record."""

import json
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import read_record, write_record
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold import finished_folder
from mer_bench.training.fold_workers import run_missing
from mer_bench.training.prediction_table import write_predictions
from mer_bench.training.run_record import start_record


def run_folds(experiment: Experiment, seed: int, work_dir: Path, jobs: int = 1, save_checkpoints: bool = False) -> dict:
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
            run_missing(experiment, seed, work_dir, jobs, save_checkpoints)
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


def update_record(work_dir: Path, record: dict, folds: list[Fold]) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores."""
    missing = [fold.name for fold in folds if not finished_folder(work_dir, fold).exists()]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(folds) - len(missing), missing=missing),
        complete=not missing,
    )
    if not missing:
        pooled = pool_predictions([finished_folder(work_dir, fold) / 'predictions.csv' for fold in folds])
        write_predictions(pooled, work_dir / 'predictions.csv')
        record['scores'] = score_table(read_predictions(work_dir / 'predictions.csv'), record['classes'])
        timings = [json.loads((finished_folder(work_dir, fold) / 'fold.json').read_text()) for fold in folds]
        for part in ('train', 'test'):
            record['seconds'][part] = sum(timing[f'{part}_seconds'] for timing in timings)
    write_record(work_dir / 'record.json', record)
    return record


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip stands in exactly one of them."""
    pooled = pd.concat(
        [pd.read_csv(path, dtype=dict(y_true=str, y_pred=str), float_precision='round_trip') for path in tables],
        ignore_index=True,
    )
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise ValueError(f'{twice.iloc[0]} is held out by more than one fold')
    return pooled
