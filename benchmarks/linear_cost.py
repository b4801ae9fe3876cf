"""Linear models over the 68 folds of a data set as large as the MEGC2019 composite, against scikit-learn in a loop.

Both run in turns on the same synthetic features, with the same arguments. A run fits all folds and computes the
decisions and predictions of all held-out subjects; ours starts from features on disk, as in a training.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from benchmarks.arguments import add_numbers
from benchmarks.loso_cost import SIZES
from mer_bench.errors import InputError
from mer_bench.training.sklearn.shared_fit import IN_DOUBLE, SharedFit, way_of
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'linear SVM and ridge over 68 folds, against scikit-learn in a loop'
CLASSES = ('negative', 'positive', 'surprise')
METHODS: dict[str, Callable[[], Pipeline]] = {
    'linear_svm': lambda: make_pipeline(SVC(kernel='linear')),
    'ridge': lambda: make_pipeline(RidgeClassifier(alpha=100.0)),
    'scaled_linear_svm': lambda: make_pipeline(StandardScaler(), SVC(kernel='linear')),
    'scaled_linear_svc': lambda: make_pipeline(StandardScaler(), LinearSVC(dual=True, max_iter=10000, random_state=0)),
}
WORDS = {
    'linear_svm': "SVC(kernel='linear')",
    'ridge': 'RidgeClassifier',
    'scaled_linear_svm': "StandardScaler and SVC(kernel='linear')",
    'scaled_linear_svc': 'StandardScaler and LinearSVC',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        folds=(len(SIZES), 2, f'subjects, the first of the {len(SIZES)}, each held out once'),
        features=(2352, 1, 'features of a clip; 28 x 28 of u, v and strain are 2352'),
        rounds=(3, 1, 'timed runs of each alternative'),
        threads=(1, 1, 'CPU threads of both'),
    )


def measure(args: argparse.Namespace) -> dict:
    """Time all folds of each method.

    Returns:
        settings: the number of clips; seconds {method: median, method_loop: that of scikit-learn's loop}; ratios
        {method: median, min, max over the rounds} of the loop over ours; notes: the way of fitting, how many
        predictions differ, and the largest difference of a decision; work {method: flops, precision}; against: what
        each ratio compares.
    """
    if args.folds > len(SIZES):
        raise InputError(f'expected at most {len(SIZES)} folds, got {args.folds}; lower --folds')
    with TemporaryDirectory() as folder, threadpool_limits(args.threads):
        features, labels, subjects = random_features(Path(folder, 'features.npy'), args.folds, args.features)
        ways = {name: way_of(make(), *features.shape) for name, make in METHODS.items()}
        runs, found = {}, {}
        for name, make in METHODS.items():
            values = np.asarray(features, np.float64 if ways[name] in IN_DOUBLE else np.float32)
            runs[f'{name}_loop'] = partial(loop, make, values, labels, subjects)
            runs[name] = partial(ours, make, Path(folder, 'features.npy'), labels, subjects)
        saving = {name: lambda name=name, run=run: found.update({name: run()}) for name, run in runs.items()}
        seconds = interleave(saving, args.rounds)
    return {
        'settings': {'clips': len(labels)},
        'seconds': {name: median(times) for name, times in seconds.items()},
        'ratios': {name: pair_ratios(seconds[f'{name}_loop'], seconds[name]) for name in METHODS},
        'notes': [f'{WORDS[name]}: {ways[name]}; {agree(found[f"{name}_loop"], found[name])}' for name in METHODS],
        'work': count_work(*features.shape),
        'against': {
            name: f"{words} in scikit-learn's loop, over ours with the same predictions"
            for name, words in WORDS.items()
        },
    }


def count_work(clips: int, features: int) -> dict:
    """Return the FLOPs that the two methods without scaling need at least, in double precision.

    These are the dot products, only half of which are computed; for ridge also the inverse of the kernel from its
    Cholesky factor.
    """
    products = clips * (clips + 1) * features
    flops = {'linear_svm': products, 'ridge': products + clips**3}
    return {name: {'flops': value, 'precision': 'fp64'} for name, value in flops.items()}


def random_features(path: Path, folds: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write features, (N, D) float32, whose mean depends slightly on the class; return them, labels and subjects."""
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(folds), SIZES[:folds])
    classes = rng.integers(0, len(CLASSES), len(subjects))
    features = rng.standard_normal((len(subjects), count)) + 0.05 * classes[:, None]
    np.save(path, features.astype(np.float32))
    return np.load(path), np.array(CLASSES)[classes], subjects


def loop(
    make: Callable[[], Pipeline], features: np.ndarray, labels: np.ndarray, subjects: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return decisions and predictions of each held-out subject, in the loop of scikit-learn's documentation."""
    decisions, predictions = [], []
    for train, test in LeaveOneGroupOut().split(features, labels, subjects):
        model = make().fit(features[train], labels[train])
        decisions.append(model.decision_function(features[test]))
        predictions.append(model.predict(features[test]))
    return decisions, np.concatenate(predictions)


def ours(
    make: Callable[[], Pipeline], path: Path, labels: np.ndarray, subjects: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the same by the fastest way of :mod:`mer_bench.training.sklearn.shared_fit`."""
    features = np.load(path, mmap_mode='r')
    shared = SharedFit(make(), features, way_of(make(), *features.shape))
    decisions, predictions = [], []
    for subject in np.unique(subjects):
        test = subjects == subject
        fitted, values, _ = shared.fit(labels, ~test, test)
        decisions.append(fitted.decision_function(values))
        predictions.append(fitted.predict(values))
    return decisions, np.concatenate(predictions)


def agree(theirs: tuple[list[np.ndarray], np.ndarray], own: tuple[list[np.ndarray], np.ndarray]) -> str:
    """Return how many predictions differ, and the largest difference of a decision."""
    largest = max(float(np.abs(a - b).max()) for a, b in zip(theirs[0], own[0], strict=True))
    return f'{int((theirs[1] != own[1]).sum())} predictions differ, decisions differ by at most {largest:.1e}'
