"""`--select inner`: each fold chooses candidate and epoch by scores on its training subjects, retrains, and predicts.

For each fold the training subjects are divided into inner folds (scikit-learn's GroupKFold). Every candidate is trained
on all inner folds but one and predicts that one, in turn, a network after every epoch. The candidate, and the epoch of
a network, with the highest UF1 of these pooled predictions, the first of equals, is trained on all training subjects.
Its schedules stay those of the whole length. To the inner predictions of what was chosen a temperature is fitted, which
tells how sure its class scores are. The inner folds do not have the held-out subjects at all, so nothing of these can
reach choice or temperature.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import track

from mer_bench.errors import InputError
from mer_bench.evaluation import metrics
from mer_bench.evaluation.calibration import fit_temperature
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES, audit_table, read_audit
from mer_bench.experiment.experiment import Candidate, Experiment
from mer_bench.files import digest_of, locked, read_own_json, sealed, write_json
from mer_bench.processes import quick_ones_here
from mer_bench.protocols.folds import Fold, group_kfold
from mer_bench.results.record import RECORD, looks_of, write_record
from mer_bench.runs.run import RunSettings, Show, fit_missing, run_folds, run_missing, show_bar
from mer_bench.runs.run_folder import digests_beside, pool_audits
from mer_bench.training.fold_folder import EPOCH_SCORES, finished_folders, read_result, write_predictions
from mer_bench.training.stacking.strategy import StackChoice, plan_groups

INNER = '.inner'  # of a run: what the candidates scored so far, until the run is finished


def with_choice(settings: RunSettings, experiment: Experiment) -> RunSettings:
    """Return settings that say how the folds of an experiment choose, if they do."""
    how = experiment.selection
    return replace(settings, select=how['rule'], inner_folds=how['inner_folds']) if how else settings


def run_selected(experiment: Experiment, settings: RunSettings, record: dict | None = None) -> dict:
    """Run the chosen folds, each with what it chooses among the candidates, and return the record of the run.

    Args:
        experiment: Of :func:`mer_bench.experiment.candidates.open_candidates`.
        settings: As for :func:`run_folds`.
        record: Likewise.
    """
    record = run_folds(experiment, settings, record, train=train_chosen)
    folder = settings.work_dir
    audited = (folder / CANDIDATES).exists()
    if (
        settings.audit_candidates
        and record['complete']
        and not (audited and CANDIDATES in record.get('files', (CANDIDATES,)))
    ):
        with locked(folder, f'another run is using {folder}; wait for it or give another --work-dir'):
            if not audited:
                audit_candidates(experiment, settings)
            record = record | dict(files=digests_beside(folder, record))
            write_record(folder / RECORD, record)
    if record['complete']:
        shutil.rmtree(folder / INNER, ignore_errors=True)
    return record


def train_chosen(
    experiment: Experiment, groups: list[list[Fold]], settings: RunSettings, choice: StackChoice, note: str
) -> None:
    """Let each fold choose candidate and epoch, then train the folds of each candidate as a run of it would."""
    folds, looks = [fold for group in groups for fold in group], looks_of(experiment.selection)
    choices, of_candidate = {}, {}
    for fold, inner in zip(folds, inner_scores(experiment, folds, settings), strict=True):
        look = looks[int(np.argmax(inner['uf1']))]
        choices[fold.name] = dict(inner=look | inner)
        of_candidate.setdefault(look['candidate'], []).append(fold)
    show = settings.show or show_bar
    settings = replace(settings, show=lambda _, *place: show(experiment.chosen, *place))  # one bar of all folds
    for candidate in experiment.candidates:
        mine = of_candidate.get(candidate.name, [])
        opened = replace(candidate.experiment, chosen=mine, choices=choices)
        if mine and opened.method.is_estimator:
            fit_missing(opened, [[fold] for fold in mine], settings, choice, note)
        elif mine:
            train_networks(opened, settings, note)
        note = '' if mine else note


def train_networks(experiment: Experiment, settings: RunSettings, note: str = '') -> None:
    """Train the chosen folds of a network that are not finished."""
    from mer_bench.runs.model import settle_training

    apart, done = settings.jobs > 1 or settings.isolated, finished_folders(settings.work_dir, experiment.chosen)
    missing = [fold for fold in experiment.chosen if fold.name not in done]
    if missing:
        opened, how, _ = settle_training(experiment, None, settings.seed, settings.stack, apart=apart)
        run_missing(opened, plan_groups(opened, missing, how), settings, how, note)


def inner_scores(experiment: Experiment, folds: Sequence[Fold], settings: RunSettings) -> list[dict]:
    """Return what each fold measured of all that it can choose; a stopped choice continues.

    What a candidate scored is kept in `.inner` of the run folder until the run is finished.

    Returns:
        For each fold `uf1`, in the order of :func:`looks_of`, the `temperature` of the first with the highest (None:
        unknown), and `seconds` (None: unknown) of the trainings.
    """
    inner_folds, tasks, places = experiment.selection['inner_folds'], [], []
    to_workers = replace(settings, show=None)  # which cannot be sent to another process
    for candidate in experiment.candidates:
        places.append(place_of(candidate, experiment, settings))
        known = scored(places[-1])
        missing = [fold for fold in folds if fold.name not in known]
        if missing and candidate.experiment.method.is_estimator:
            tasks.append(partial(score_estimator, candidate.experiment, missing, inner_folds, to_workers, places[-1]))
        elif missing:
            score_network(candidate.experiment, missing, inner_folds, settings, places[-1])
    run_tasks(tasks, 'inner scores of candidates', experiment, settings)
    found = [scored(place) for place in places]
    results = []
    for fold in folds:
        parts = [scores[fold.name] for scores in found]
        seconds = [part['seconds'] for part in parts]
        uf1 = [uf1 for part in parts for uf1 in part['uf1']]
        temperature = max(parts, key=lambda part: max(part['uf1'])).get('temperature')  # the first of equals
        results.append(dict(uf1=uf1, temperature=temperature, seconds=None if None in seconds else sum(seconds)))
    return results


def place_of(candidate: Candidate, experiment: Experiment, settings: RunSettings) -> Path:
    """Return the file of the inner scores of a candidate: other settings or data have another."""
    method, data = candidate.experiment.method, candidate.experiment.data
    content = [method.digest, data.digests, settings.seed, experiment.selection['inner_folds']]
    return settings.work_dir / INNER / f'{digest_of(content)[:16]}.json'


def scored(place: Path) -> dict[str, dict]:
    """Return what the folds of a candidate scored so far; nothing where the file is missing or was changed."""
    content = read_own_json(place) or {}
    return content['folds'] if 'folds' in content and content == sealed(content) else {}


def run_tasks(
    tasks: Sequence[Callable[[int], object]], title: str, experiment: Experiment, settings: RunSettings
) -> list:
    """Run one task a candidate under a bar, in workers if of scikit-learn; return the results, in any order."""
    console = Console(stderr=True)
    quiet = bool(settings.show) or not console.is_terminal
    jobs = max(1, min(settings.jobs, len(tasks))) if experiment.method.is_estimator else 1
    done = quick_ones_here(tasks, jobs, experiment.threads) if jobs > 1 else (task(0) for task in tasks)
    try:
        return [*track(done, title, len(tasks), console=console, transient=True, disable=quiet)]
    except TerminatedWorkerError as error:
        raise InputError(
            'the system killed a worker, usually because memory ran out; what is scored is kept: run the same command '
            f'again with fewer --jobs than {jobs}'
        ) from error


def inside(experiment: Experiment, fold: Fold, inner_folds: int) -> tuple[pd.DataFrame, list[Fold]]:
    """Return the clips of the training subjects of a fold, and their inner folds, which know no other subject."""
    clips = experiment.data.annotations
    clips = clips[clips['subject'].isin(fold.train_subjects)].reset_index(drop=True)
    return clips, group_kfold(clips, inner_folds)


@contextmanager
def features_of(experiment: Experiment, settings: RunSettings, folder: Path):
    """Yield the method on the features of all clips, which are kept in a folder meanwhile."""
    from mer_bench.training.sklearn.estimator_fold import describe_clips, shared_fit

    try:
        describe_clips(experiment, settings.seed, folder, 1, quiet=True, shared=settings.stack != 'off')
        yield shared_fit(experiment, settings.seed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def score_estimator(
    experiment: Experiment, folds: Sequence[Fold], inner_folds: int, settings: RunSettings, place: Path, worker: int
) -> None:
    """Add the inner UF1 and temperature of a method of scikit-learn in each fold to those in a file."""
    from mer_bench.training.sklearn.estimator_fold import predict_fold

    subjects, classes, found = experiment.data.annotations['subject'], list(experiment.method.cfg.classes), {}
    start = time.perf_counter()
    with features_of(experiment, settings, place.with_suffix('')) as shared:
        for fold in folds:
            clips, inner = inside(experiment, fold, inner_folds)
            apart = replace(experiment, data=replace(experiment.data, annotations=clips), folds=inner, chosen=inner)
            rows = subjects.isin(fold.train_subjects).to_numpy()
            shared_inside = shared.of(np.resize(rows, len(shared.features)))  # behind the clips their mirrored copies
            predicted, scores = np.empty(len(clips), object), np.empty((len(clips), len(classes)))
            for part in inner:
                answer = predict_fold(apart, part, shared_inside)
                predicted[answer.test], scores[answer.test] = answer.classes, answer.scores
            answers = clips.assign(y_true=clips['label'], y_pred=predicted)
            found[fold.name] = dict(
                uf1=[metrics.scores(answers, classes, intervals=False)['uf1']],
                temperature=fit_temperature(scores, pd.Categorical(clips['label'], classes).codes),
            )
    seconds = (time.perf_counter() - start) / len(folds)
    found = {name: dict(scores, seconds=seconds) for name, scores in found.items()}
    write_json(place, sealed(dict(folds=scored(place) | found)))


def score_network(
    experiment: Experiment, folds: Sequence[Fold], inner_folds: int, settings: RunSettings, place: Path
) -> None:
    """Add the inner UF1 of a network after each epoch in each fold to those in a file, from one training a part.

    With it the temperature of the scores of the best epoch.

    The trainings of all folds are in one folder, from which a stopped choice continues.
    """
    folder, classes, parts, found = place.with_suffix(''), list(experiment.method.cfg.classes), {}, {}
    for fold in folds:
        _, inner = inside(experiment, fold, inner_folds)
        parts[fold] = [replace(part, name=f'{fold.name}/{part.name}') for part in inner]
    every = [part for inner in parts.values() for part in inner]
    folder.mkdir(parents=True, exist_ok=True)
    show = no_bar if settings.show else None
    train_networks(replace(experiment, folds=every, chosen=every), settings_inside(settings, folder, show))
    for fold, inner in parts.items():
        results = [read_result(folder, part) for part in inner]
        done = [*finished_folders(folder, inner).values()]
        pool_audits([path / AUDIT for path in done], folder / AUDIT)
        uf1 = read_audit(folder / AUDIT, classes).uf1()
        seconds = [result[f'{part}_seconds'] for result in results for part in ('train', 'test')]
        found[fold.name] = dict(
            uf1=uf1.tolist(),
            temperature=temperature_of(done, classes, int(uf1.argmax())),
            seconds=None if None in seconds else sum(seconds),
        )
    write_json(place, sealed(dict(folds=scored(place) | found)))
    shutil.rmtree(folder)


def temperature_of(folders: Sequence[Path], classes: list[str], epoch: int) -> dict | None:
    """Return the temperature of the scores after an epoch, counted from 0, in the folders of inner folds.

    None where a part was trained by an earlier version, which kept no scores.
    """
    if not all((folder / EPOCH_SCORES).is_file() for folder in folders):
        return None
    scores = np.concatenate([np.load(folder / EPOCH_SCORES)[:, epoch] for folder in folders])
    truth = np.concatenate([read_audit(folder / AUDIT, classes).truth for folder in folders])
    return fit_temperature(scores.astype(float), truth)


def settings_inside(settings: RunSettings, folder: Path, show: Show | None) -> RunSettings:
    """Return the settings of trainings that are a part of the choice: scored after every epoch, nothing to choose."""
    how = dict(stack=settings.stack, show=show, isolated=settings.isolated)
    return RunSettings(settings.seed, folder, settings.jobs, audit_epochs=True, **how)


@contextmanager
def no_bar(folds: list[Fold], work_dir: Path, max_epochs: int):
    """Show nothing; see :func:`mer_bench.runs.run.show_bar`."""
    yield Console(quiet=True)


def audit_candidates(experiment: Experiment, settings: RunSettings) -> None:
    """Write candidates.csv: what every candidate, a network after every epoch, predicts for the held-out clips.

    It has one letter for each, is for the leak meter alone, and made after the choice.
    """
    tasks = [
        partial(predict_candidate, number, candidate.experiment, settings, place.with_suffix('.audit'))
        for number, candidate in enumerate(experiment.candidates)
        for place in [place_of(candidate, experiment, settings)]
    ]
    codes = dict(run_tasks(tasks, 'held-out subjects by every candidate', experiment, settings))
    clips = experiment.data.annotations
    fold_of = {subject: fold.name for fold in experiment.folds for subject in fold.test_subjects}
    table = clips[['sample_id', 'dataset', 'subject']].assign(
        fold=clips['subject'].map(fold_of), seed=settings.seed, y_true=clips['label']
    )
    codes = np.concatenate([codes[number] for number in range(len(experiment.candidates))], axis=1)
    write_predictions(audit_table(table, codes, list(experiment.method.cfg.classes)), settings.work_dir / CANDIDATES)


def predict_candidate(
    number: int, experiment: Experiment, settings: RunSettings, folder: Path, worker: int
) -> tuple[int, np.ndarray]:
    """Return the number of a candidate, and the place of the class that it predicts for each held-out clip, (N, E).

    E is 1, or of a network the number of its epochs.
    """
    clips, classes = experiment.data.annotations, list(experiment.method.cfg.classes)
    if not experiment.method.is_estimator:
        run_folds(replace(experiment, chosen=experiment.folds), settings_inside(settings, folder, no_bar))
        audit = read_audit(folder / AUDIT, classes)
        return number, audit.codes[pd.Index(audit.table['sample_id']).get_indexer(clips['sample_id'])]
    from mer_bench.training.sklearn.estimator_fold import predict_fold

    predicted = np.empty(len(clips), object)
    with features_of(experiment, settings, folder) as shared:
        for fold in experiment.folds:
            found = predict_fold(experiment, fold, shared)
            predicted[found.test] = found.classes
    return number, pd.Categorical(predicted, classes).codes.astype(int)[:, None]
