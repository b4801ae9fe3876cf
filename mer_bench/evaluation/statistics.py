"""Uncertainty of the scores: a bootstrap over subjects.

Clips of one person are alike, so whole subjects are drawn with replacement (a cluster bootstrap; Field and
Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3), 2007,
https://doi.org/10.1111/j.1467-9868.2007.00593.x). A resample is a sum of the subjects' confusion matrices,
which makes 1000 of them a matter of milliseconds.
"""

import numpy as np
import pandas as pd

from mer_bench.errors import InputError

SCORES = ('accuracy', 'uf1', 'uar', 'macro_precision', 'weighted_f1')


def subject_bootstrap(
    frame: pd.DataFrame, classes: list, n_resamples: int = 1000, seed: int = 0
) -> dict[str, list[float] | None]:
    """Return the 95 % percentile interval `[low, high]` of each score; None if there is only one subject."""
    return mean_bootstrap([frame], classes, n_resamples, seed)


def mean_bootstrap(
    frames: list[pd.DataFrame], classes: list, n_resamples: int = 1000, seed: int = 0
) -> dict[str, list[float] | None]:
    """Return the 95 % intervals of the mean of each score over `frames` (the same clips, one per seed).

    Every frame gets the same resampled subjects, so the interval is that of the mean, not of single seeds.
    """
    if frames[0]['subject'].nunique() < 2:
        return dict.fromkeys(SCORES)
    resampled = [resample_scores(frame, classes, n_resamples, seed) for frame in frames]
    means = {name: np.mean([scores[name] for scores in resampled], axis=0) for name in SCORES}
    return {name: np.quantile(values, [0.025, 0.975]).tolist() for name, values in means.items()}


def paired_bootstrap(
    frames: list[pd.DataFrame], others: list[pd.DataFrame], classes: list, n_resamples: int = 1000, seed: int = 0
) -> dict[str, dict]:
    """Return the change of each score from `others` to `frames`; see :func:`contrast_bootstrap`.

    Args:
        frames, others: The predictions of two methods on the same clips, one table per seed of each.
    """
    return contrast_bootstrap([frames, others], [1, -1], classes, n_resamples, seed)


def contrast_bootstrap(
    methods: list[list[pd.DataFrame]], weights: list[float], classes: list, n_resamples: int = 1000, seed: int = 0
) -> dict[str, dict]:
    """Return the weighted sum of the scores of several methods on the same clips, with a paired interval.

    The score of a method is the mean over its tables (one per seed). Every table gets the same resampled subjects, so
    what makes a subject easy or hard for all methods drops out of the differences.

    Returns:
        `{score: {'change': float, 'interval': [low, high]}}`, 95 % percentile intervals; the interval is None if there
        is only one subject.
    """
    check_same_clips([frame for frames in methods for frame in frames])
    observed = [_mean_over_seeds([_observed(frame, classes) for frame in frames]) for frames in methods]
    changes = {name: float(_weigh(observed, weights, name)) for name in SCORES}
    if methods[0][0]['subject'].nunique() < 2:
        return {name: {'change': change, 'interval': None} for name, change in changes.items()}
    drawn = [_mean_over_seeds([resample_scores(f, classes, n_resamples, seed) for f in frames]) for frames in methods]
    intervals = {name: np.quantile(_weigh(drawn, weights, name), [0.025, 0.975]).tolist() for name in SCORES}
    return {name: {'change': changes[name], 'interval': intervals[name]} for name in SCORES}


def check_same_clips(frames: list[pd.DataFrame]) -> None:
    """Refuse tables that do not hold the same clips, subjects and labels; the order of the clips is free."""
    truths = [frame.set_index('sample_id')[['subject', 'y_true']].sort_index() for frame in frames]
    if not all(truth.equals(truths[0]) for truth in truths):
        raise InputError(
            'expected predictions of the same clips with the same subjects and labels, but they differ; '
            'compare methods that ran on the same data'
        )


def _observed(frame: pd.DataFrame, classes: list) -> dict[str, np.ndarray]:
    return confusion_scores(subject_confusions(frame, classes).sum(axis=0))


def _mean_over_seeds(scores: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.mean([table[name] for table in scores], axis=0) for name in SCORES}


def _weigh(scores: list[dict[str, np.ndarray]], weights: list[float], name: str) -> np.ndarray:
    return sum(weight * table[name] for weight, table in zip(weights, scores, strict=True))


def resample_scores(frame: pd.DataFrame, classes: list, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Score `n_resamples` draws of subjects; each score is an array (n_resamples,).

    The draws depend on the seed and the number of subjects only (subjects in sorted order).
    """
    matrices = subject_confusions(frame, classes)
    n_subjects = len(matrices)
    rng = np.random.default_rng(seed)
    times_drawn = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_resamples)
    return confusion_scores(np.tensordot(times_drawn, matrices, axes=1))


def subject_confusions(frame: pd.DataFrame, classes: list) -> np.ndarray:
    """Return one confusion matrix per subject, (S, C, C): subjects sorted, rows true, columns predicted."""
    subjects, names = pd.factorize(frame['subject'], sort=True)
    y_true, y_pred = (pd.Index(classes).get_indexer(frame[column]) for column in ('y_true', 'y_pred'))
    matrices = np.zeros((len(names), len(classes), len(classes)), dtype=int)
    np.add.at(matrices, (subjects, y_true, y_pred), 1)
    return matrices


def confusion_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Score confusion matrices (..., C, C) as scikit-learn does with average='macro' or 'weighted', zero_division=0."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    n_true, n_pred = matrices.sum(axis=-1), matrices.sum(axis=-2)
    f1 = _ratio(2 * hits, n_true + n_pred)
    return {
        'accuracy': hits.sum(axis=-1) / n_true.sum(axis=-1),
        'uf1': f1.mean(axis=-1),
        'uar': _ratio(hits, n_true).mean(axis=-1),
        'macro_precision': _ratio(hits, n_pred).mean(axis=-1),
        'weighted_f1': (f1 * n_true).sum(axis=-1) / n_true.sum(axis=-1),
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
