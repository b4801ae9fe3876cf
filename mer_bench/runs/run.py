"""All folds of an experiment: skip the finished ones, train the others, pool the predictions, write the record."""

import os
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import (
    Experiment,
    RunOptions,
    default_work_dir,
    open_experiment,
    refuse_settings,
)
from mer_bench.experiment.provenance import (
    decided,
    describe_data,
    read_run,
    refuse_other_settings,
    start_record,
    with_decision,
)
from mer_bench.files import locked, write_atomically
from mer_bench.protocols.folds import Fold
from mer_bench.protocols.label_schemes import COLUMNS, EXCLUDED_CLIPS, absent_clips
from mer_bench.results.record import write_record
from mer_bench.results.run import read_runs
from mer_bench.runs.worker_pool import RunSettings, Show, default_jobs, run_missing
from mer_bench.training.fold_folder import (
    CHECKPOINT,
    PREDICTIONS,
    REMEDY,
    finished_folders,
    predictions_text,
    read_result,
)

IDENTITY = ['sample_id', 'dataset', 'subject', 'fold', 'y_true', 'y_pred']
ADVICE = 'give another --work-dir or remove this folder'
SCHEME_FILE = 'label_scheme.csv'


@dataclass(frozen=True)
class Run:
    """A run that was trained.

    Attributes:
        folder: Its files, an absolute path.
        record: The content of record.json.
    """

    folder: Path
    record: dict = field(repr=False)

    @property
    def scores(self) -> dict | None:
        """The scores of all clips ('full') and of each data set; None while folds are missing."""
        return self.record['scores']

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row for each clip: sample_id, dataset, subject, clip, y_true, y_pred, fold, seed, and the scores.

        Raises:
            InputError: Folds are missing.
        """
        from mer_bench.evaluation.predictions import read_predictions

        if not self.record['complete']:
            raise InputError(f'{self.summary()}: train the other folds first')
        return read_predictions(self.folder / PREDICTIONS)

    def per_subject(self) -> pd.DataFrame:
        """Return one row for each subject: dataset, subject, clips, correct, accuracy, and the recall of each class.

        The recall is NaN for a class of which the subject has no clip.
        """
        table = self.predictions
        table = table.assign(correct=table['y_true'] == table['y_pred'])
        of_subject = table.groupby(['dataset', 'subject'])
        rows = of_subject['correct'].agg(clips='size', correct='sum', accuracy='mean')
        recalls = table.groupby(['dataset', 'subject', 'y_true'])['correct'].mean().unstack()
        return rows.join(recalls.reindex(columns=self.record['classes']).add_prefix('recall_')).reset_index()

    def summary(self) -> str:
        """Return method, scores and files of a finished run, or how many folds are finished."""
        from mer_bench.evaluation.report import format_action_units, format_scores

        record, folds = self.record, self.record['folds']
        here = self.folder.relative_to(Path.cwd()) if self.folder.is_relative_to(Path.cwd()) else self.folder
        if not record['complete']:
            return f'{folds["done"]} of {folds["total"]} folds are finished in {here}; scores follow the last one'
        data = f'{record["dataset"]}, synthetic data' if record['synthetic'] else record['dataset']
        title = (
            f'{record["method"]} on {data}: {record["protocol"]}, seed {record["seed"]}, {record["epoch_rule"]} epoch'
        )
        lines = ['', title, format_scores(record['scores'])]
        if 'action_units' in record:
            lines += ['', format_action_units(record['action_units'])]
        return '\n'.join([*lines, f'{here}/record.json, {here}/{PREDICTIONS}'])


def train(
    options: RunOptions,
    seed: int = 0,
    work_dir: str | Path | None = None,
    jobs: int | None = None,
    stack: str | int = 'auto',
    save_checkpoints: bool = False,
    verbose: bool = False,
) -> Run:
    """Train and score a method over its folds, and print one line about each data set; continue a run that stopped.

    Args:
        options: Config, overrides, data and device.
        seed: Of weights, order and augmentation.
        work_dir: The run folder; None: work_dirs/<config>/<method>/seed<N>.
        jobs: Number of folds at a time; None: one for each core that has enough memory, or each GPU.
        stack: How many folds of a small network are trained together: 'auto', 'off' or a number.
        save_checkpoints: Whether to keep the weights of each fold.
        verbose: Whether to show a line about each fold; train.log of the run has them in any case.

    Raises:
        InputError: A fault in the options, the data or the run folder.
    """
    refuse_settings(seed, jobs, stack)
    experiment = open_experiment(options)
    folder = Path(work_dir) if work_dir else default_work_dir(experiment.method, seed)
    lines, record = describe_data(experiment), start_record(experiment, seed)
    print('\n'.join([*lines, *record['notes']]), flush=True)
    jobs = jobs or default_jobs(experiment.device)
    record = run_folds(experiment, seed, folder, jobs, save_checkpoints, stack, verbose=verbose, record=record)
    return Run(folder.absolute(), record)


def run_folds(
    experiment: Experiment,
    seed: int,
    work_dir: Path,
    jobs: int = 1,
    save_checkpoints: bool = False,
    stack: str | int = 'auto',
    show: Show | None = None,
    isolated: bool = False,
    verbose: bool = False,
    record: dict | None = None,
) -> dict:
    """Run the chosen folds of an experiment, and return the record of the run.

    A finished fold is a folder `folds/<name>`, which appears by a rename and is never changed again; `folds/.<name>` is
    a fold in work. A finished run is read: no model is built, and nothing is scored or written unless a fold differs
    from what was scored. See :class:`RunSettings` for the arguments; `record` is what
    :func:`start_record` returns, if the caller has it.

    Raises:
        FolderInUse: Another run is using `work_dir`.
        InputError: It holds folds of other settings or data, or the method cannot be stacked as asked.
    """
    if save_checkpoints and experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no checkpoints to keep; leave --save-checkpoints out')
    done = finished_folders(work_dir, experiment.folds)
    missing = [fold for fold in experiment.chosen if fold.name not in done]
    record = record or start_record(experiment, seed)
    read_only = not missing and not os.access(work_dir, os.W_OK)
    busy = f'another run is using {work_dir}; wait for it or give another --work-dir'
    with nullcontext() if read_only else locked(work_dir, busy):
        refuse_other_folds(work_dir, record, continued=False)
        if save_checkpoints:
            refuse_lost_checkpoints(experiment.chosen, done)
        if missing:
            settings = RunSettings(seed, work_dir, jobs, save_checkpoints, stack, show, isolated, verbose)
            record = train_missing(experiment, missing, record, settings)
        else:
            experiment = with_decision(experiment, work_dir)
            refuse_other_folds(work_dir, record | decided(experiment), continued=True)
            record = read_run(work_dir)
        return update_record(work_dir, record, experiment)


def train_missing(experiment: Experiment, missing: list[Fold], record: dict, settings: RunSettings) -> dict:
    """Build the model, choose precision and way of training, and train folds; return the record as it began."""
    stack, work_dir = settings.stack, settings.work_dir
    if stack not in ('auto', 'off') and experiment.method.is_estimator:
        raise InputError(
            f'--stack {stack}: {experiment.method.name} cannot be stacked: it is no network; use --stack off'
        )
    why = 'it is no network' if experiment.method.is_estimator and stack == 'auto' else ''
    record['stack'] = dict(way='off', folds=1, asked=stack, seconds={}, why=why)
    if experiment.method.is_estimator:
        return fit_missing(experiment, missing, record, settings)
    from mer_bench.runs.model import build_model, describe_model, settle_precision
    from mer_bench.training.device import activate

    activate(experiment)
    model = build_model(experiment.method.cfg)
    record |= describe_model(experiment, model)
    experiment = settle_precision(experiment, model, work_dir, apart=settings.jobs > 1 or settings.isolated)
    record |= decided(experiment)
    choice = None
    if stack != 'off':
        from mer_bench.training.stacking.strategy import choose_for_run

        choice = choose_for_run(experiment, model, settings.seed, work_dir, stack)
        record['stack'] = choice.record
    del model
    record = begin_run(experiment, work_dir, record)
    if experiment.data.view.normalise:
        _ = experiment.data.moments  # here and not in every worker
    note = '\n'.join(filter(None, (record['note_on_model'], experiment.check and experiment.check.line)))
    run_missing(experiment, missing, settings, choice, note)
    return record


def fit_missing(experiment: Experiment, missing: list[Fold], record: dict, settings: RunSettings) -> dict:
    """Do the same for a method of scikit-learn: describe all clips once, then fit the folds."""
    from mer_bench.training.sklearn.estimator_fold import describe_clips, forget_features

    seed, work_dir, quiet = settings.seed, settings.work_dir, bool(settings.show)
    record = begin_run(experiment, work_dir, record)
    try:
        jobs = describe_clips(experiment, seed, work_dir, settings.jobs, quiet, shared=settings.stack != 'off')
        run_missing(experiment, missing, replace(settings, jobs=jobs))
    finally:
        forget_features(work_dir)
    return record


def begin_run(experiment: Experiment, work_dir: Path, record: dict) -> dict:
    """Write what a run folder, which the caller holds, has from the first moment on; return the record.

    Raises:
        InputError: It holds folds of other settings or data.
    """
    refuse_other_folds(work_dir, record, continued=True)
    write_scheme(experiment, work_dir)
    write_csv(experiment.data.dropped, work_dir / 'dropped.csv')
    return update_record(work_dir, record, experiment)


def write_scheme(experiment: Experiment, folder: Path) -> None:
    """Write the rules as label_scheme.csv, and beside it the clips of the data that are left out by name, if any.

    `--cfg-options label_scheme=FOLDER/label_scheme.csv` reads both, also after the original has changed.
    """
    scheme, data = experiment.method.scheme, experiment.data
    write_csv(pd.DataFrame(scheme.rules).assign(scheme=scheme.name), folder / SCHEME_FILE)
    clips = pd.concat([data.annotations['sample_id'], data.dropped['sample_id']])
    absent = absent_clips(scheme.excluded, clips)  # an own scheme must not name them
    name = Path(SCHEME_FILE).stem
    rows = [(name, *clip.split('/', 2), reason) for clip, reason in scheme.excluded if clip not in absent]
    if rows:
        write_csv(pd.DataFrame(rows, columns=COLUMNS), folder / EXCLUDED_CLIPS)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as it is, atomically."""
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')


def refuse_other_folds(work_dir: Path, record: dict, continued: bool) -> None:
    """Refuse a run folder that holds folds of other settings; see :func:`refuse_other_settings`."""
    if any((work_dir / 'folds').glob('*')):
        refuse_other_settings(work_dir, record, ADVICE, continued)


def refuse_lost_checkpoints(folds: list[Fold], done: dict[str, Path]) -> None:
    """Refuse to keep the weights of folds that were finished without keeping them."""
    for fold in folds:
        if fold.name in done and not (done[fold.name] / CHECKPOINT).exists():
            raise InputError(
                f'{fold.name} is finished without a checkpoint; give another --work-dir with --save-checkpoints'
            )


def update_record(work_dir: Path, record: dict, experiment: Experiment) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores.

    A finished run is scored and written again only if its folds, predictions.csv or scores do not agree.
    """
    folds, before = experiment.folds, record
    done = finished_folders(work_dir, folds)
    missing = [fold.name for fold in folds if fold.name not in done]
    finished = [read_result(work_dir, fold) for fold in folds if fold.name in done]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(finished), missing=missing),
        complete=not missing,
        seconds=dict(record['seconds']),
    )
    if not missing:
        pooled = pool_predictions([folder / PREDICTIONS for folder in done.values()])
        refuse_other_clips(work_dir, pooled, experiment.data.annotations)
        score_run(work_dir, record, predictions_text(pooled))
        for part in ('train', 'test'):
            seconds = [result[f'{part}_seconds'] for result in finished]
            record['seconds'][part] = None if None in seconds else sum(seconds)
    if finished:
        record |= {key: _joined(result[key] for result in finished) for key in ('device', 'commit', 'date')}
        if 'stack' in record and (ways := _joined(result.get('stack', {}).get('way') for result in finished)):
            record['stack'] = dict(record['stack'], trained=ways)  # may differ in a continued run
        if fit := _joined(result.get('fit') for result in finished):  # of scikit-learn
            record['fit'] = fit
        names = finished[0]['versions']
        record['versions'] = {name: _joined(result['versions'].get(name) for result in finished) for name in names}
    if record != before or missing:
        write_record(work_dir / 'record.json', record)
    return record


def score_run(work_dir: Path, record: dict, text: str) -> None:
    """Write predictions.csv and put its scores into the record, unless the run has both already."""
    path = work_dir / PREDICTIONS
    if record['scores'] and path.is_file() and path.read_bytes() == text.encode():
        with suppress(InputError):
            read_runs([work_dir / 'record.json'])  # its scores are those of its predictions
            return
    from mer_bench.evaluation.action_units import score_action_units
    from mer_bench.evaluation.metrics import score_table
    from mer_bench.evaluation.predictions import read_predictions

    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
    frame = read_predictions(path)
    record['scores'] = score_table(frame, record['classes'])
    if 'action_units' in frame:
        record['action_units'] = score_action_units(frame)


def _joined(values: Iterable[str | None]) -> str | None:
    """All different values, in the order of their first use: the folds of a run may come from different days."""
    return ', '.join(dict.fromkeys(value for value in values if value)) or None


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip must be in exactly one of them."""
    pooled = pd.concat([read_table(path) for path in tables], ignore_index=True)
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise InputError(f'{twice.iloc[0]}: expected one fold that held it out, found several; {ADVICE}')
    return pooled


def read_table(path: Path) -> pd.DataFrame:
    """Read the predictions.csv of a fold, and name whatever is not as it was written."""
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
            f'its clip or answer is unknown; {REMEDY}'
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
