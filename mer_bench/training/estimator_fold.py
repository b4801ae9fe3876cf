"""One fold of a scikit-learn method: features of all clips once, everything that is fitted on the training subjects."""

import os
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from sklearn.base import BaseEstimator

from mer_bench.errors import InputError
from mer_bench.files import write_atomically
from mer_bench.loading.prepared_data import viewed_clips
from mer_bench.models.classical.pipeline import build_steps, class_scores, split_steps
from mer_bench.processes import follow_parent
from mer_bench.protocols.folds import Fold
from mer_bench.training.experiment import Experiment
from mer_bench.training.prediction_table import write_predictions
from mer_bench.training.run_record import in_one_line

FEATURES = '.features.npy'  # of all clips, while folds are missing
CHUNK = 16  # clips that one worker describes at a time


def run_estimator(experiment: Experiment, fold: Fold, seed: int, work_dir: Path, folder: Path) -> dict:
    """Fit and test one fold; leave predictions.csv, config.py and train.log in `folder`.

    Returns:
        n_train, n_test, train_seconds and test_seconds.
    """
    clips, classes = experiment.data.annotations, experiment.method.cfg.classes
    features = np.load(work_dir / FEATURES, mmap_mode='r')
    train, test = (clips['subject'].isin(part).to_numpy() for part in (fold.train_subjects, fold.test_subjects))
    _, model = split_steps(build_steps(experiment.method.cfg.model.steps, seed))
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            model.fit(features[train], clips.loc[train, 'label'])
        except ValueError as error:
            raise InputError(
                f'{experiment.method.name} cannot be fitted without {fold.name}: {in_one_line(error)}; '
                'correct config or override, or take more data'
            ) from error
    trained = time.perf_counter()
    scores = class_scores(model, features[test], classes)
    table = clips.loc[test, ['sample_id', 'dataset', 'subject']].assign(
        fold=fold.name, seed=seed, y_true=clips.loc[test, 'label'], y_pred=model.predict(features[test])
    )
    table[[f'score_{name}' for name in classes]] = scores
    write_predictions(table, folder / 'predictions.csv')
    experiment.method.cfg.dump(folder / 'config.py')
    (folder / 'train.log').write_text(''.join(f'{warning.message}\n' for warning in caught), encoding='utf-8')
    seconds = dict(train_seconds=trained - start, test_seconds=time.perf_counter() - trained)
    return dict(n_train=int(train.sum()), n_test=int(test.sum()), **seconds)


def describe_clips(experiment: Experiment, seed: int, work_dir: Path, jobs: int, quiet: bool) -> None:
    """Compute what the leading steps make of every clip; they learn nothing, so all folds share it.

    A later attempt computes it anew: the code of a step may have been mended.
    """
    steps, _ = split_steps(build_steps(experiment.method.cfg.model.steps, seed))
    clips, view = experiment.data.annotations, experiment.data.view
    chunks = [clips.iloc[i : i + CHUNK] for i in range(0, len(clips), CHUNK)]
    parallel = joblib.Parallel(
        n_jobs=min(jobs, len(chunks)), return_as='generator', initializer=follow_parent, initargs=(os.getpid(),)
    )
    described = parallel(joblib.delayed(describe)(chunk, view, steps) for chunk in chunks)
    shown = track(
        described, 'describing clips', len(chunks), console=Console(stderr=True), transient=True, disable=quiet
    )
    features = np.concatenate(list(shown))
    if not np.isfinite(features).all():
        raise InputError(f'{experiment.method.name}: the features of some clips are not numbers; correct the method')
    with write_atomically(work_dir / FEATURES) as temporary, open(temporary, 'wb') as file:
        np.save(file, features)


def describe(clips: pd.DataFrame, view, steps: list[BaseEstimator]) -> np.ndarray:
    """Return what the steps make of the clips; without a step the flat values."""
    values = np.stack([clip.numpy() for clip in viewed_clips(zip(clips['store'], clips['row'], strict=True), view)])
    for step in steps:
        values = step.transform(values)
    return np.asarray(values, np.float32).reshape(len(values), -1)
