"""Scores of pooled predictions, in full and per data set: METRICS is the one list of them.

The definition is that of the MEGC 2019 recognition challenge (See et al.,
https://doi.org/10.1109/FG.2019.8756611): the predictions of all folds are pooled into one table, and UF1 and
UAR are the unweighted means over the classes of the F1 score and the recall. A mean of per-fold scores is
another, wrong number: many folds hold one class only. MEGC 2018 (Yap et al., FG 2018,
https://doi.org/10.1109/FG.2018.00106) adds the F1 weighted by the clips of each class and, where each data set is held
out once, the mean over the data sets.

Intervals come from a bootstrap over subjects. Clips of one person are alike, so whole subjects are drawn with
replacement (a cluster bootstrap; Field and Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3), 2007,
https://doi.org/10.1111/j.1467-9868.2007.00593.x). Every metric is a function of the confusion matrix, and the matrix
of a resample is the sum of those of its subjects, so 1000 resamples are a matter of milliseconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, listed
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.predictions import classes_of, load_predictions

MAX_CLASSES = 100  # more of them are scores or names of clips in a column of labels
MANY_SUBJECTS = 20_000  # 1000 draws of so many take about a second
MOST_CELLS = 100_000_000  # of all matrices, 800 MB
DRAWN_AT_ONCE = 1_000_000  # numbers in memory, for any number of subjects
QUANTILES = [0.025, 0.975]  # of a 95 % interval


def hits(confusion: np.ndarray) -> np.ndarray:
    """Return the clips of each class that are predicted correctly, (..., C), of confusion matrices (..., C, C)."""
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def class_recall(confusion: np.ndarray) -> np.ndarray:
    """Return the recall of each class, (..., C); 0 for a class without clips."""
    return _ratio(hits(confusion), confusion.sum(-1))


def class_precision(confusion: np.ndarray) -> np.ndarray:
    """Return the precision of each class, (..., C); 0 for a class that is never predicted."""
    return _ratio(hits(confusion), confusion.sum(-2))


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """Return the F1 of each class, (..., C); 0 for a class that is neither true nor predicted."""
    return _ratio(2 * hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


@dataclass(frozen=True)
class Metric:
    """One score, as scikit-learn defines it with zero_division=0.

    Args:
        name: its key in records and csv.
        header: its name in tables.
        of: computes it from confusion matrices, (..., C, C) -> (...): rows are true, columns predicted classes.
        ranked: whether the tables of leaderboards show it; their csv has every metric.
    """

    name: str
    header: str
    of: Callable[[np.ndarray], np.ndarray]
    ranked: bool = False


METRICS = [
    Metric('accuracy', 'accuracy', lambda m: hits(m).sum(-1) / m.sum((-2, -1)), ranked=True),
    Metric('uf1', 'UF1', lambda m: class_f1(m).mean(-1), ranked=True),
    Metric('uar', 'UAR', lambda m: class_recall(m).mean(-1), ranked=True),
    Metric('macro_precision', 'macro precision', lambda m: class_precision(m).mean(-1)),
    Metric('weighted_f1', 'weighted F1', lambda m: (class_f1(m) * m.sum(-1)).sum(-1) / m.sum((-2, -1))),
]


def scores_of(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of confusion matrices (..., C, C)."""
    return {metric.name: metric.of(confusion) for metric in METRICS}


def describe(confusion: np.ndarray, n_subjects: int, classes: list) -> dict:
    """Return what a record holds of one confusion matrix (C, C), as plain Python values.

    Returns:
        n, n_subjects, every metric, f1_per_class, recall_per_class and confusion_matrix.
    """
    names = [*map(str, classes)]
    return {
        'n': int(confusion.sum()),
        'n_subjects': int(n_subjects),
        **{name: float(value) for name, value in scores_of(confusion).items()},
        'f1_per_class': dict(zip(names, class_f1(confusion).tolist(), strict=True)),
        'recall_per_class': dict(zip(names, class_recall(confusion).tolist(), strict=True)),
        'confusion_matrix': confusion.tolist(),
    }


@dataclass(frozen=True)
class SubjectCounts:
    """The confusion matrix of each subject, (S, C, C), subjects in sorted order."""

    matrices: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, classes: list) -> 'SubjectCounts':
        """Count a table with the columns subject, y_true and y_pred; a label outside `classes` is refused."""
        subjects, names = pd.factorize(frame['subject'], sort=True)
        return cls.of_codes(subjects, *encode(frame, classes), len(names), len(classes))

    @classmethod
    def of_codes(cls, subjects: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, n_subjects: int, n_classes: int):
        """Count clips whose subject and labels are numbers from 0 on, (N,) each."""
        if n_subjects > (most := MOST_CELLS // n_classes**2):
            raise InputError(
                f'expected at most {most} subjects with {n_classes} classes, found {n_subjects}; give the subject of '
                'each clip, not its name, and the predicted class, not a score'
            )
        cells = (subjects * n_classes + y_true) * n_classes + y_pred
        shape = n_subjects, n_classes, n_classes
        return cls(np.bincount(cells, minlength=math.prod(shape)).reshape(shape))

    @property
    def total(self) -> np.ndarray:
        """The confusion matrix of all subjects, (C, C)."""
        return self.matrices.sum(axis=0)

    @cached_property
    def scores(self) -> dict[str, np.ndarray]:
        return scores_of(self.total)

    @cached_property
    def resampled(self) -> dict[str, np.ndarray]:
        """The scores of 1000 draws of subjects: the same subjects for every method on the same data."""
        return self.resample()

    def resample(self, n_resamples: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
        """Score `n_resamples` draws of as many subjects as there are, with replacement; each score is (n_resamples,).

        The draws depend on the seed and the number of subjects only.
        """
        return _resample(self.matrices, np.ones(len(self.matrices)), n_resamples, seed)

    def intervals(self, n_resamples: int = 1000, seed: int = 0) -> dict[str, list[float] | None]:
        """Return the 95 % percentile interval `[low, high]` of each score; None if there is only one subject."""
        if len(self.matrices) < 2:
            return {metric.name: None for metric in METRICS}
        kinds, times = self.matrices, np.ones(len(self.matrices))
        if len(kinds) > MANY_SUBJECTS:  # subjects with the same counts are drawn as one: same distribution, fewer draws
            kinds, times = np.unique(kinds, axis=0, return_counts=True)
        drawn = _resample(kinds, times, n_resamples, seed)
        return {name: np.quantile(values, QUANTILES).tolist() for name, values in drawn.items()}


def _resample(matrices: np.ndarray, times: np.ndarray, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Score draws of subjects whose confusion matrices are `matrices` (K, C, C), each that of `times` (K,) subjects."""
    rng, size = np.random.default_rng(seed), len(matrices)
    rows, sums = matrices.reshape(size, -1).astype(float), []  # whole numbers, which floats add exactly
    n_subjects = int(times.sum())
    for start in range(0, n_resamples, step := max(1, DRAWN_AT_ONCE // size)):
        drawn = rng.multinomial(n_subjects, times / n_subjects, size=min(step, n_resamples - start))
        sums.append(drawn.astype(float) @ rows)
    return scores_of(np.concatenate(sums).reshape(n_resamples, *matrices.shape[1:]))


def score(source: object, classes: Sequence[str] = ()) -> dict:
    """Score predictions in any form that :func:`load_predictions` takes.

    Args:
        classes: all classes, where the predictions do not show each of them.

    Returns:
        What :func:`score_table` does, and `action_units` of :func:`score_action_units` where units are predicted.
    """
    frame = load_predictions(source)
    table = score_table(frame, classes_of(frame, source if isinstance(source, str | Path) else 'predictions', classes))
    return table | ({'action_units': score_action_units(frame)} if 'action_units' in frame else {})


def score_table(frame: pd.DataFrame, classes: list) -> dict:
    """Score the full table and the slice of each data set, with 95 % intervals.

    Returns:
        `{'full': scores(...), '<dataset>': {...}, ...}`.
    """
    # as categories, so that labels and subjects are numbered once for all slices
    frame = frame[['dataset', 'subject', 'y_true', 'y_pred']].astype('category')
    full = scores(frame, classes)
    slices = dict(iter(frame.groupby('dataset', observed=True)))
    if len(slices) == 1:  # the slice is the full table
        return {'full': full, **dict.fromkeys(slices, full)}
    return {'full': full, **{name: scores(part, classes) for name, part in slices.items()}}


def scores(frame: pd.DataFrame, classes: list) -> dict:
    """Score a table with one row per clip: subject, y_true and y_pred; see :func:`describe`.

    A class of `classes` that has no clip in `frame` counts with F1 and recall 0. `intervals` holds the 95 % intervals.
    """
    counts = SubjectCounts.of(frame, classes)
    return {**describe(counts.total, len(counts.matrices), classes), 'intervals': counts.intervals()}


def mean_of_datasets(table: dict, score: str) -> float | None:
    """Return the plain mean of a score over the data sets of a score table; None where no data set has it."""
    values = [part[score] for name, part in table.items() if name != 'full' and part]
    return math.fsum(values) / len(values) if values else None


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
