"""All folds of a protocol: skip what is finished, run the rest, pool the predictions, write the record."""

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.same_settings import refuse_other_settings
from mer_bench.files import locked, write_atomically
from mer_bench.results.record import read_record, write_record
from mer_bench.results.run import is_complete
from mer_bench.runs.precision_check import settle_precision
from mer_bench.runs.record import build_model, decided, start_record
from mer_bench.runs.scheme_file import write_scheme
from mer_bench.runs.workers import run_missing
from mer_bench.training.fold import REMEDY, finished_folder, read_result
from mer_bench.training.prediction_table import write_predictions
from mer_bench.training.sklearn.estimator_fold import describe_clips, forget_features
from mer_bench.training.stacking.strategy import Stack, choose_for_run

IDENTITY = ['sample_id', 'dataset', 'subject', 'fold', 'y_true', 'y_pred']
ADVICE = 'give another --work-dir or remove this folder'


def run_folds(
    experiment: Experiment,
    seed: int,
    work_dir: Path,
    jobs: int = 1,
    save_checkpoints: bool = False,
    stack: Stack = 'auto',
    **options,
) -> dict:
    """Run the chosen folds of an experiment, and return the record of the run.

    A finished fold is a folder `folds/<name>`, which appears by a rename and is never touched again; a fold in work is
    the folder `folds/.<name>`. `stack` says how many folds are trained together, see :func:`choose_for_run`; `options`
    are those of :func:`run_missing`. Of a finished run in a folder that cannot be written to the record is read.

    Raises:
        FolderInUse: Another run is at work in `work_dir`.
        InputError: It holds folds of other settings or data, or the method cannot be stacked as asked.
    """
    if save_checkpoints and experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no checkpoints to keep; leave --save-checkpoints out')
    if (record := read_only_record(experiment, seed, work_dir)) is not None:
        return record
    with locked(work_dir, f'another training is at work in {work_dir}; wait for it or give another --work-dir'):
        record = start_record(experiment, seed)  # which says what is wrong with a model
        refuse_other_folds(work_dir, record, continued=False)  # before the comparison of gradients, which takes a while
        experiment = settle_precision(experiment, work_dir, apart=jobs > 1 or options.get('isolated', False))
        record |= decided(experiment)
        model = None if experiment.method.is_estimator else build_model(experiment.method.cfg)
        choice = choose_for_run(experiment, model, seed, work_dir, stack)
        record = begin_run(experiment, work_dir, record | dict(stack=choice.record))
        missing = [fold for fold in experiment.chosen if not finished_folder(work_dir, fold).exists()]
        try:
            if missing and experiment.method.is_estimator:
                shared = choice.asked != 'off'
                jobs = describe_clips(experiment, seed, work_dir, jobs, quiet='show' in options, shared=shared)
            note = '\n'.join(filter(None, (record['note_on_model'], experiment.check and experiment.check.line)))
            run_missing(experiment, seed, work_dir, jobs, save_checkpoints, choice, note=note, **options)
        finally:
            forget_features(work_dir)
        return update_record(work_dir, record, experiment)


def read_only_record(experiment: Experiment, seed: int, work_dir: Path) -> dict | None:
    """Return the record of a finished run in a folder that cannot be written to; None where there is another case."""
    finished = all(finished_folder(work_dir, fold).exists() for fold in experiment.folds)
    if not finished or not (work_dir / 'record.json').is_file() or os.access(work_dir, os.W_OK):
        return None
    record = start_record(settle_precision(experiment, work_dir, apart=False), seed)
    refuse_other_settings(work_dir, record, ADVICE, continued=True)
    record = read_record(work_dir / 'record.json')
    return record if is_complete(record) else None


def begin_run(experiment: Experiment, work_dir: Path, record: dict) -> dict:
    """Write what a run folder, which the caller holds, has from the first moment on; return the record.

    Raises:
        InputError: It holds folds of other settings or data.
    """
    refuse_other_folds(work_dir, record, continued=True)
    update_record(work_dir, record, experiment)
    write_scheme(experiment.method.scheme, experiment.data, work_dir)
    with write_atomically(work_dir / 'dropped.csv') as temporary:
        experiment.data.dropped.to_csv(temporary, index=False)
    return record


def refuse_other_folds(work_dir: Path, record: dict, continued: bool) -> None:
    """Refuse a run folder that holds folds of other settings; see :func:`refuse_other_settings`."""
    if any((work_dir / 'folds').glob('*')):
        refuse_other_settings(work_dir, record, ADVICE, continued)


def update_record(work_dir: Path, record: dict, experiment: Experiment) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores."""
    folds = experiment.folds
    missing = [fold.name for fold in folds if not finished_folder(work_dir, fold).exists()]
    finished = [read_result(work_dir, fold) for fold in folds if fold.name not in missing]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(folds) - len(missing), missing=missing),
        complete=not missing,
    )
    if not missing:
        pooled = pool_predictions([finished_folder(work_dir, fold) / 'predictions.csv' for fold in folds])
        refuse_other_clips(work_dir, pooled, experiment.data.annotations)
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
        if 'stack' in record and (ways := _joined(result.get('stack', {}).get('way') for result in finished)):
            record['stack'] = dict(record['stack'], trained=ways)  # may differ where the run was continued
        if fit := _joined(result.get('fit') for result in finished):  # of scikit-learn
            record['fit'] = fit
        names = finished[0]['versions']
        record['versions'] = {name: _joined(result['versions'].get(name) for result in finished) for name in names}
    write_record(work_dir / 'record.json', record)
    return record


def _joined(values: Iterable[str | None]) -> str | None:
    """All different values, in the order of their first use: the folds of a run may come from different days."""
    return ', '.join(dict.fromkeys(value for value in values if value)) or None


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip stands in exactly one of them."""
    pooled = pd.concat([read_table(path) for path in tables], ignore_index=True)
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise InputError(f'{twice.iloc[0]}: expected one fold that held it out, found several; {ADVICE}')
    return pooled


def read_table(path: Path) -> pd.DataFrame:
    """Read the predictions.csv of a fold; what of it is not as it was written is named."""
    text = dict.fromkeys((*IDENTITY, 'action_units'), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False, float_precision='round_trip')
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f'{path}: expected the predictions of a fold, but {error}; {REMEDY}') from error
    if missing := [name for name in IDENTITY if name not in table]:
        raise InputError(f'{path}: expected the column {missing[0]}, found none; {REMEDY}')
    empty = table[IDENTITY].isna() | (table[IDENTITY] == '')
    if empty.any(axis=None):
        row = int(empty.any(axis=1).argmax())
        raise InputError(
            f'{path}: row {row + 1} below the header has an empty cell in the column {empty.iloc[row].idxmax()}, so '
            f'that nobody knows which clip it is of, or its answer; {REMEDY}'
        )
    return table


def refuse_other_clips(work_dir: Path, pooled: pd.DataFrame, annotations: pd.DataFrame) -> None:
    """Refuse predictions that are not of the clips in use with their labels."""
    predicted = dict(zip(pooled['sample_id'], pooled['y_true'], strict=True))
    in_use = dict(zip(annotations['sample_id'], annotations['label'], strict=True))
    if other := sorted(name for name, _ in predicted.items() ^ in_use.items()):
        raise InputError(
            f'{work_dir}/folds: expected a prediction of each clip in use, with its label, found another label, no '
            f'prediction or no such clip for {other[0]}; {ADVICE}'
        )
