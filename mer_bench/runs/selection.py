"""`--select inner`: each fold chooses among candidates by scores on its training subjects, retrains, and predicts.

For each fold the training subjects are divided into inner folds (scikit-learn's GroupKFold). Every candidate is trained
on all inner folds but one and predicts that one, in turn. The candidate with the highest UF1 of these pooled
predictions, the first of equals, is trained on all training subjects. The inner folds belong to an experiment without
the clips of the held-out subjects, so nothing of these can reach the choice.
"""

import shutil
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
from mer_bench.evaluation.epoch_audit import CANDIDATES, audit_table
from mer_bench.experiment.candidates import Candidate
from mer_bench.experiment.experiment import Experiment
from mer_bench.files import digest_of, locked, read_own_json, write_json
from mer_bench.processes import quick_ones_here
from mer_bench.protocols.folds import Fold, group_kfold
from mer_bench.runs.run import RunSettings, fit_missing, run_folds, run_missing
from mer_bench.runs.run_folder import read_table
from mer_bench.training.fold_folder import PREDICTIONS, write_predictions
from mer_bench.training.stacking.strategy import StackChoice, plan_groups

INNER = '.inner'  # of a run: what the candidates scored so far, until the run is finished


def run_selected(experiment: Experiment, candidates: Sequence[Candidate], settings: RunSettings, record: dict) -> dict:
    """Run the chosen folds, each with the candidate that it chooses, and return the record of the run.

    Args:
        experiment: Of the run, see :func:`mer_bench.experiment.candidates.open_candidates`.
        candidates: To choose from.
        settings: As for :func:`run_folds`.
        record: What :func:`start_record` returns, with `selection`.
    """
    if settings.audit_epochs:
        raise InputError(
            '--audit-epochs: expected a run without --select, whose folds share one schedule; leave it out'
        )
    views = [candidate.experiment.method.content.get('input') for candidate in candidates]
    if any(view != views[0] for view in views):
        record['config']['input'] = None  # it is not one
    record = run_folds(experiment, settings, record, train=partial(train_chosen, candidates))
    folder = settings.work_dir
    if settings.audit_candidates and record['complete'] and not (folder / CANDIDATES).exists():
        with locked(folder, f'another run is using {folder}; wait for it or give another --work-dir'):
            audit_candidates(experiment, candidates, settings)
    if record['complete']:
        shutil.rmtree(folder / INNER, ignore_errors=True)
    return record


def train_chosen(
    candidates: Sequence[Candidate],
    experiment: Experiment,
    groups: list[list[Fold]],
    settings: RunSettings,
    choice: StackChoice,
    note: str,
) -> None:
    """Let each fold choose its candidate, then train the folds of each candidate as a run of it would."""
    folds = [fold for group in groups for fold in group]
    scores = inner_scores(candidates, folds, settings)
    chosen = scores.argmax(1)
    for number in np.unique(chosen):
        candidate, rows = candidates[number], np.flatnonzero(chosen == number)
        choices = {
            folds[row].name: dict(inner=dict(candidate=candidate.name, uf1=scores[row].tolist())) for row in rows
        }
        mine = [folds[row] for row in rows]
        opened = replace(candidate.experiment, chosen=mine, choices=choices)
        if opened.method.is_estimator:
            fit_missing(opened, [[fold] for fold in mine], settings, choice, note)
        else:
            from mer_bench.runs.model import settle_training

            apart = settings.jobs > 1 or settings.isolated
            opened, how, _ = settle_training(opened, None, settings.seed, settings.stack, apart=apart)
            run_missing(opened, plan_groups(opened, mine, how), settings, how, note)
        note = ''


def inner_scores(candidates: Sequence[Candidate], folds: Sequence[Fold], settings: RunSettings) -> np.ndarray:
    """Return the inner UF1 of each candidate in each fold, (folds, candidates); a stopped choice continues.

    What a candidate scored is kept in `.inner` of the run folder until the run is finished.
    """
    places = [place_of(candidate, settings) for candidate in candidates]
    known = [read_own_json(place) or {} for place in places]
    tasks, inside = [], replace(settings, show=None)  # which cannot be sent to another process
    for candidate, place, scores in zip(candidates, places, known, strict=True):
        missing = [fold for fold in folds if fold.name not in scores]
        if missing:
            tasks.append(partial(score_candidate, candidate.experiment, missing, inside, place, scores))
    run_tasks(tasks, 'inner scores of candidates', candidates[0].experiment, settings)
    known = [read_own_json(place) for place in places]
    return np.array([[scores[fold.name] for scores in known] for fold in folds])


def place_of(candidate: Candidate, settings: RunSettings) -> Path:
    """Return the file of the inner scores of a candidate: other settings or data have another."""
    experiment = candidate.experiment
    content = [experiment.method.digest, experiment.data.digests, settings.seed, settings.inner_folds]
    return settings.work_dir / INNER / f'{digest_of(content)[:16]}.json'


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


def score_candidate(
    experiment: Experiment, folds: Sequence[Fold], settings: RunSettings, place: Path, known: dict, worker: int
) -> None:
    """Add the inner UF1 of a candidate in each of some folds to those in a file."""
    score = score_estimator if experiment.method.is_estimator else score_network
    write_json(place, known | score(experiment, folds, settings, place.with_suffix('')))


def without(experiment: Experiment, fold: Fold, inner_folds: int) -> Experiment:
    """Return the experiment on the clips of the training subjects of a fold alone, with its inner folds."""
    clips = experiment.data.annotations
    clips = clips[clips['subject'].isin(fold.train_subjects)].reset_index(drop=True)
    inner = group_kfold(clips, inner_folds)
    return replace(experiment, data=replace(experiment.data, annotations=clips), folds=inner, chosen=inner)


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
    experiment: Experiment, folds: Sequence[Fold], settings: RunSettings, folder: Path
) -> dict[str, float]:
    """Return the inner UF1 of a method of scikit-learn in each fold; `folder` holds its features meanwhile."""
    from mer_bench.training.sklearn.estimator_fold import predict_fold

    subjects, classes, uf1 = experiment.data.annotations['subject'], list(experiment.method.cfg.classes), {}
    with features_of(experiment, settings, folder) as shared:
        for fold in folds:
            inside = without(experiment, fold, settings.inner_folds)
            rows = subjects.isin(fold.train_subjects).to_numpy()
            shared_inside = shared.of(np.resize(rows, len(shared.features)))  # behind the clips their mirrored copies
            predicted = np.empty(len(inside.data.annotations), object)
            for inner in inside.folds:
                found = predict_fold(inside, inner, shared_inside)
                predicted[found.test] = found.classes
            uf1[fold.name] = uf1_of(inside.data.annotations, predicted, classes)
    return uf1


def uf1_of(clips: pd.DataFrame, predicted: np.ndarray, classes: list[str]) -> float:
    """Return the UF1 of the predicted classes of clips, all pooled."""
    return metrics.scores(clips.assign(y_true=clips['label'], y_pred=predicted), classes, intervals=False)['uf1']


def score_network(
    experiment: Experiment, folds: Sequence[Fold], settings: RunSettings, folder: Path
) -> dict[str, float]:
    """Return the inner UF1 of a network in each fold, from a run of its inner folds in `folder`, which continues."""
    uf1 = {}
    for fold in folds:
        inside = without(experiment, fold, settings.inner_folds)
        record = run_folds(inside, settings_inside(settings, folder / fold.folder))
        uf1[fold.name] = record['scores']['full']['uf1']
    shutil.rmtree(folder)
    return uf1


def settings_inside(settings: RunSettings, folder: Path) -> RunSettings:
    """Return the settings of a run that is a part of the choice: no bar, no weights, nothing to choose."""
    return RunSettings(
        settings.seed, folder, settings.jobs, stack=settings.stack, show=no_bar, isolated=settings.isolated
    )


@contextmanager
def no_bar(folds: list[Fold], work_dir: Path, max_epochs: int):
    """Show nothing; see :func:`mer_bench.runs.run.show_bar`."""
    yield Console(quiet=True)


def audit_candidates(experiment: Experiment, candidates: Sequence[Candidate], settings: RunSettings) -> None:
    """Write candidates.csv: what every candidate predicts for the held-out clips, one letter a candidate.

    It is for the leak meter alone, and made after the choice.
    """
    tasks = [
        partial(
            predict_candidate,
            number,
            candidate.experiment,
            settings,
            place_of(candidate, settings).with_suffix('.audit'),
        )
        for number, candidate in enumerate(candidates)
    ]
    codes = dict(run_tasks(tasks, 'held-out subjects by every candidate', experiment, settings))
    clips = experiment.data.annotations
    fold_of = {subject: fold.name for fold in experiment.folds for subject in fold.test_subjects}
    table = clips[['sample_id', 'dataset', 'subject']].assign(
        fold=clips['subject'].map(fold_of), seed=settings.seed, y_true=clips['label']
    )
    codes = np.stack([codes[number] for number in range(len(candidates))], axis=1)
    write_predictions(audit_table(table, codes, list(experiment.method.cfg.classes)), settings.work_dir / CANDIDATES)


def predict_candidate(
    number: int, experiment: Experiment, settings: RunSettings, folder: Path, worker: int
) -> tuple[int, np.ndarray]:
    """Return the number of a candidate, and the place of the class that it predicts for each held-out clip, (N,)."""
    clips, classes = experiment.data.annotations, list(experiment.method.cfg.classes)
    predicted = np.empty(len(clips), object)
    if experiment.method.is_estimator:
        from mer_bench.training.sklearn.estimator_fold import predict_fold

        with features_of(experiment, settings, folder) as shared:
            for fold in experiment.folds:
                found = predict_fold(experiment, fold, shared)
                predicted[found.test] = found.classes
    else:
        experiment = replace(experiment, chosen=experiment.folds)
        run_folds(experiment, settings_inside(settings, folder))
        predicted = read_table(folder / PREDICTIONS).set_index('sample_id')['y_pred'][clips['sample_id']].to_numpy()
    return number, pd.Categorical(predicted, classes).codes.astype(int)
