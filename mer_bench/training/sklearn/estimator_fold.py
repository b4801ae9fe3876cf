"""The folds of a method of scikit-learn: features of all clips once, then each fold on its training subjects alone."""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import ThreadpoolController

from mer_bench.errors import InputError, in_one_line
from mer_bench.experiment.config_files import import_custom
from mer_bench.experiment.experiment import Experiment
from mer_bench.files import read_own_json, write_array, write_json
from mer_bench.models.classical.pipeline import build_steps, class_scores, split_steps
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold_folder import run_title, write_predictions
from mer_bench.training.sklearn.block_leave_out import Decided
from mer_bench.training.sklearn.clip_features import clip_features
from mer_bench.training.sklearn.shared_fit import BLOCK, PLAIN, SharedFit, way_of

FEATURES = '.features.npy'  # of all clips in use, while folds are missing
WAY = '.features.json'  # where they come from, how the folds are fitted to them, and the text of the config

kept: dict[tuple[Path, int], SharedFit] = {}
FEW_CLIPS = 2000  # whose dot products are fitted in less than a second


class Predicted(NamedTuple):
    """What a fold predicts: its clips, (N,) bool, scores (n_test, C) and classes (n_test,) of those that it tests.

    `fitted` is what was fitted to its training clips.
    """

    train: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    way: str
    train_seconds: float
    test_seconds: float
    warnings: list[str]
    fitted: BaseEstimator | Decided


def run_estimator(experiment: Experiment, fold: Fold, seed: int, work_dir: Path, folder: Path) -> dict:
    """Fit and test one fold; leave predictions.csv, config.py and train.log in `folder`.

    Returns:
        n_train, n_test, train_seconds, test_seconds, features (computed or kept) and fit (the method of fitting).
    """
    clips, classes = experiment.data.annotations, experiment.method.cfg.classes
    given = read_own_json(work_dir / WAY)
    found = predict_fold(experiment, fold, shared_fit(experiment, seed, work_dir))
    table = clips.loc[found.test, ['sample_id', 'dataset', 'subject']].assign(
        fold=fold.name, seed=seed, y_true=clips.loc[found.test, 'label'], y_pred=found.classes
    )
    table[[f'score_{name}' for name in classes]] = found.scores
    write_predictions(table, folder / 'predictions.csv')
    (folder / 'config.py').write_text(given['config'], encoding='utf-8')
    lines = [run_title(experiment, fold, seed), *found.warnings]
    (folder / 'train.log').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    seconds = dict(train_seconds=found.train_seconds, test_seconds=found.test_seconds)
    ways = dict(features=given['features'], fit=found.way)
    return dict(n_train=int(found.train.sum()), n_test=int(found.test.sum()), **seconds, **ways)


def predict_fold(experiment: Experiment, fold: Fold, shared: SharedFit) -> Predicted:
    """Fit the method to the training subjects of a fold and predict its test subjects; nothing is written.

    Args:
        experiment: Its clips are those of `shared`.
        fold: Of these clips.
        shared: The method on the features of the clips, behind them those of the mirrored copies if it takes any.
    """
    clips, classes = experiment.data.annotations, experiment.method.cfg.classes
    train, test = (clips['subject'].isin(part).to_numpy() for part in (fold.train_subjects, fold.test_subjects))
    labels, view = clips['label'].to_numpy(), experiment.data.view
    rows = (labels, train, test)
    if view.mirror_train or view.mirror_test:  # behind all clips are their mirrored copies
        copies = train & view.mirror_train, test & view.mirror_test
        rows = np.tile(labels, 2), *map(np.concatenate, zip((train, test), copies, strict=True))
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, linear_algebra().limit(limits=experiment.threads):
        warnings.simplefilter('always')
        try:
            fitted, values, way = shared.fit(*rows)
        except ValueError as error:
            raise InputError(
                f'{experiment.method.name} cannot be fitted without {fold.name}: {in_one_line(error)}; '
                'correct config or override, or take more data'
            ) from error
    trained = time.perf_counter()
    scores, predicted = class_scores(fitted, values, classes), fitted.predict(values)
    if view.mirror_test:
        scores = np.mean(np.split(scores, 2), axis=0)
        predicted = np.array(classes)[scores.argmax(1)]
    seconds = trained - start, time.perf_counter() - trained
    return Predicted(
        train, test, scores, predicted, way, *seconds, [str(warning.message) for warning in caught], fitted
    )


def build_method(experiment: Experiment, seed: int) -> tuple[list[BaseEstimator], Pipeline]:
    """Return the leading steps that learn nothing, and a Pipeline of the others; also in a worker."""
    import_custom(experiment.method.cfg)
    return split_steps(build_steps(experiment.method.cfg.model.steps, seed))


def shared_fit(experiment: Experiment, seed: int, work_dir: Path) -> SharedFit:
    """Return the method on the features of a run; it stays for the other folds that this process fits."""
    path = work_dir / FEATURES
    key = path, path.stat().st_mtime_ns  # a second attempt may write other features
    if key not in kept:
        kept.clear()
        _, model = build_method(experiment, seed)
        kept[key] = SharedFit(model, np.load(path, mmap_mode='r'), read_own_json(work_dir / WAY)['fit'])
    return kept[key]


@cache
def linear_algebra() -> ThreadpoolController:
    """Return the control of BLAS threads, which NumPy and SciPy start on all cores; it takes long to find."""
    return ThreadpoolController()


def describe_clips(
    experiment: Experiment,
    seed: int,
    work_dir: Path,
    jobs: int,
    quiet: bool,
    shared: bool = True,
    described: Callable[..., tuple[np.ndarray, str]] = clip_features,
) -> int:
    """Write the features of all clips to `work_dir`, and how the folds are fitted to them.

    Args:
        experiment: Method and data.
        seed: Of the run.
        work_dir: The run folder.
        jobs: Workers that describe clips.
        quiet: Whether no bar is shown.
        shared: Whether folds may share a part of the fit; if not, scikit-learn fits each on its own.
        described: What returns the features.

    Returns:
        How many folds to fit at a time: one if a fold takes less time than starting a worker.
    """
    steps, model = build_method(experiment, seed)
    data = experiment.data
    features, origin = described(data, steps, jobs, quiet)
    if data.view.mirror_train or data.view.mirror_test:
        copies = replace(data, view=replace(data.view, mirrored=True))
        features = np.concatenate([features, described(copies, steps, jobs, quiet)[0]])
    if not np.isfinite(features).all():
        raise InputError(f'{experiment.method.name}: the features of some clips are not numbers; correct the method')
    if any(getattr(step, 'takes_datasets', False) for step in model):
        features = with_datasets(features, data.annotations)
    write_array(work_dir / FEATURES, features)
    way = way_of(model, *features.shape) if shared else PLAIN
    write_json(work_dir / WAY, dict(features=origin, fit=way, config=experiment.method.cfg.pretty_text))
    return jobs if way == PLAIN or (way != BLOCK and len(features) > FEW_CLIPS) else 1


def fit_of(work_dir: Path) -> tuple[str, int]:
    """Return how the folds of a run are fitted, and the number of values of the features of all clips."""
    return read_own_json(work_dir / WAY)['fit'], np.load(work_dir / FEATURES, mmap_mode='r').size


def with_datasets(features: np.ndarray, clips: pd.DataFrame) -> np.ndarray:
    """Return features with a last column: the number of each clip's data set, in the order of their names.

    Args:
        features: (N, D), or (2N, D) with those of the mirrored copies behind.
        clips: The annotations of N clips.
    """
    numbers = pd.factorize(clips['dataset'], sort=True)[0]
    return np.column_stack([features, np.resize(numbers, len(features)).astype(features.dtype)])


def forget_features(work_dir: Path) -> None:
    """Remove the files of :func:`describe_clips`."""
    for name in (FEATURES, WAY):
        (work_dir / name).unlink(missing_ok=True)
