"""Uncertainty of the scores: a bootstrap over subjects.

Clips of one person are alike, so whole subjects are drawn with replacement (a cluster bootstrap; Field and
Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3), 2007,
https://doi.org/10.1111/j.1467-9868.2007.00593.x). Every score is a function of three counts a class: its
clips that are rightly predicted, all its clips, and the clips predicted as it. The counts of a resample are the sum of
those of its subjects, so 1000 resamples are a matter of milliseconds.
"""

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, listed

SCORES = ('accuracy', 'uf1', 'uar', 'macro_precision', 'weighted_f1')
MAX_CLASSES = 100  # more of them are scores or names of clips in a column of labels
DRAWN_AT_ONCE = 1_000_000  # numbers in memory, for any number of subjects
MANY_SUBJECTS = 20_000


def subject_bootstrap(
    frame: pd.DataFrame, classes: list, n_resamples: int = 1000, seed: int = 0
) -> dict[str, list[float] | None]:
    """Return the 95 % percentile interval `[low, high]` of each score; None if there is only one subject."""
    counts = subject_counts(frame, classes)
    if len(counts) <= MANY_SUBJECTS:
        return mean_bootstrap([frame], classes, n_resamples, seed)
    # Subjects of the same counts are drawn as one with their joint probability: the same distribution, fewer numbers.
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    return _percentiles(_resample(kinds, times / len(counts), len(counts), n_resamples, seed))


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
    return _percentiles(means)


def _percentiles(scores: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: np.quantile(values, [0.025, 0.975]).tolist() for name, values in scores.items()}


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
    return scores_of_counts(subject_counts(frame, classes).sum(axis=0))


def _mean_over_seeds(scores: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.mean([table[name] for table in scores], axis=0) for name in SCORES}


def _weigh(scores: list[dict[str, np.ndarray]], weights: list[float], name: str) -> np.ndarray:
    return sum(weight * table[name] for weight, table in zip(weights, scores, strict=True))


def resample_scores(frame: pd.DataFrame, classes: list, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Score `n_resamples` draws of subjects; each score is an array (n_resamples,).

    The draws depend on the seed and the number of subjects only (subjects in sorted order).
    """
    return resample_counts(subject_counts(frame, classes), n_resamples, seed)


def resample_counts(counts: np.ndarray, n_resamples: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    """Do so with the counts of :func:`subject_counts`."""
    return _resample(counts, np.full(len(counts), 1 / len(counts)), len(counts), n_resamples, seed)


def _resample(counts: np.ndarray, p: np.ndarray, n_subjects: int, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Score sums of `n_subjects` rows of `counts` (S, 3, C), which are drawn with the probabilities `p` (S,)."""
    rng = np.random.default_rng(seed)
    rows, sums = counts.reshape(len(counts), -1).astype(float), []  # whole numbers, which floats add exactly
    for start in range(0, n_resamples, step := max(1, DRAWN_AT_ONCE // len(counts))):
        times_drawn = rng.multinomial(n_subjects, p, size=min(step, n_resamples - start))
        sums.append(times_drawn.astype(float) @ rows)
    return scores_of_counts(np.concatenate(sums).reshape(n_resamples, *counts.shape[1:]))


def check_classes(classes: list) -> None:
    """Refuse more classes than a table of results can have, and one that is named twice."""
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f'expected at most {MAX_CLASSES} classes, found {len(classes)} ({", ".join(map(str, classes[:3]))}, ...); '
            'give the predicted class of each clip, not a score or a name'
        )
    if twice := [name for number, name in enumerate(classes) if name in classes[:number]]:
        raise InputError(f'expected each class once, found {twice[0]!r} twice; leave one out')


def encode(frame: pd.DataFrame, classes: list) -> tuple[np.ndarray, np.ndarray]:
    """Return y_true and y_pred as positions in `classes`, (N,) each; a label outside them is refused."""
    check_classes(classes)
    columns = [frame[column].astype('category') for column in ('y_true', 'y_pred')]
    positions = [pd.Index(classes, dtype=object).get_indexer(column.cat.categories) for column in columns]
    codes = [np.append(where, -1)[column.cat.codes] for where, column in zip(positions, columns, strict=True)]
    unknown = {*frame['y_true'][codes[0] < 0].unique(), *frame['y_pred'][codes[1] < 0].unique()}
    if unknown:
        raise InputError(
            f'expected only the classes {", ".join(map(str, classes))}, but the predictions also hold '
            f'{listed(sorted(map(str, unknown)))}; name every class'
        )
    return codes[0], codes[1]


def subject_counts(frame: pd.DataFrame, classes: list) -> np.ndarray:
    """Return hits, true and predicted clips of each class for each subject, (S, 3, C), subjects in sorted order."""
    subjects, names = pd.factorize(frame['subject'], sort=True)
    return count_by_subject(subjects, *encode(frame, classes), len(names), len(classes))


def count_by_subject(
    subjects: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, n_subjects: int, n_classes: int
) -> np.ndarray:
    """Do so with the numbers of subjects and classes, (N,) each."""
    n, right = n_classes, y_true == y_pred
    cells = (subjects[right] * n + y_true[right], subjects * n + y_true, subjects * n + y_pred)
    counts = [np.bincount(cell, minlength=n_subjects * n).reshape(n_subjects, n) for cell in cells]
    return np.stack(counts, axis=1)


def scores_of_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score counts (..., 3, C) as scikit-learn does with average='macro' or 'weighted', zero_division=0."""
    hits, n_true, n_pred = (counts[..., kind, :] for kind in range(3))
    f1, n = class_f1(counts), n_true.sum(axis=-1)
    return {
        'accuracy': hits.sum(axis=-1) / n,
        'uf1': f1.mean(axis=-1),
        'uar': class_recall(counts).mean(axis=-1),
        'macro_precision': _ratio(hits, n_pred).mean(axis=-1),
        'weighted_f1': (f1 * n_true).sum(axis=-1) / n,
    }


def class_f1(counts: np.ndarray) -> np.ndarray:
    """Return the F1 of each class, (..., C), of counts (..., 3, C): 0 for one that is neither true nor predicted."""
    return _ratio(2 * counts[..., 0, :], counts[..., 1, :] + counts[..., 2, :])


def class_recall(counts: np.ndarray) -> np.ndarray:
    """Return the recall of each class, (..., C), of counts (..., 3, C): 0 for one that has no clip."""
    return _ratio(counts[..., 0, :], counts[..., 1, :])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
