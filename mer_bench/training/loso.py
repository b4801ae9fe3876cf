"""All folds of a protocol: skip what is finished, run the rest, pool the predictions, write the record."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.files import locked, write_atomically
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import read_record, write_record
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold import finished_folder, read_result
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
    with locked(work_dir, f'another training is at work in {work_dir}; wait for it or give another --work-dir'):
        record = start_record(experiment, seed)
        if any((work_dir / 'folds').glob('*')):
            refuse_other_settings(work_dir, record, ('device',))
        update_record(work_dir, record, experiment.folds)
        with write_atomically(work_dir / 'dropped.csv') as temporary:
            experiment.data.dropped.to_csv(temporary, index=False)
        run_missing(experiment, seed, work_dir, jobs, save_checkpoints)
        return update_record(work_dir, record, experiment.folds)


def refuse_other_settings(work_dir: Path, record: dict, more: tuple[str, ...] = ()) -> None:
    """Refuse folds of another config, label scheme, data, seed, file of weights, or of `more` keys of the record."""
    if not (work_dir / 'record.json').exists():
        raise InputError(f'{work_dir} holds folds without a record.json; give another --work-dir or remove this folder')
    earlier = read_record(work_dir / 'record.json')
    parts = {
        'config': lambda record: record['config']['digest'],
        'file of pretrained weights': lambda record: record.get('pretrained'),
        'label scheme': lambda record: record['label_scheme'],
        'annotation table': lambda record: record['data']['annotations_digest'],
        'flow store': lambda record: record['data']['store_digest'],
        'seed': lambda record: record['seed'],
        **{key: lambda record, key=key: record[key] for key in more},
    }
    for part, of in parts.items():
        if of(record) != of(earlier):
            raise InputError(
                f'{work_dir} holds folds of another {part} ({of(earlier)}, now {of(record)}); '
                'give another --work-dir or remove this folder'
            )


def update_record(work_dir: Path, record: dict, folds: list[Fold]) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores."""
    missing = [fold.name for fold in folds if not finished_folder(work_dir, fold).exists()]
    finished = [read_result(work_dir, fold) for fold in folds if fold.name not in missing]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(folds) - len(missing), missing=missing),
        complete=not missing,
    )
    if not missing:
        pooled = pool_predictions([finished_folder(work_dir, fold) / 'predictions.csv' for fold in folds])
        write_predictions(pooled, work_dir / 'predictions.csv')
        frame = read_predictions(work_dir / 'predictions.csv')
        record['scores'] = score_table(frame, record['classes'])
        if 'action_units' in frame:
            record['action_units'] = score_action_units(frame)
        for part in ('train', 'test'):
            seconds = [result[f'{part}_seconds'] for result in finished]
            record['seconds'][part] = None if None in seconds else sum(seconds)
    if finished:
        record |= {key: _joined(result[key] for result in finished) for key in ('device', 'commit', 'date')}
        names = finished[0]['versions']
        record['versions'] = {name: _joined(result['versions'].get(name) for result in finished) for name in names}
    write_record(work_dir / 'record.json', record)
    return record


def _joined(values: Iterable[str | None]) -> str | None:
    """All different values, in the order of their first use: the folds of a run may come from different days."""
    return ', '.join(dict.fromkeys(value for value in values if value)) or None


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip stands in exactly one of them."""
    text = dict.fromkeys(('y_true', 'y_pred', 'action_units'), str)
    pooled = pd.concat(
        [pd.read_csv(path, dtype=text, keep_default_na=False, float_precision='round_trip') for path in tables],
        ignore_index=True,
    )
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise ValueError(f'{twice.iloc[0]} is held out by more than one fold')
    return pooled
