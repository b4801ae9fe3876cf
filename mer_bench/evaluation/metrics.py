"""Scores of pooled predictions, in full and per data set: METRICS is the one list of them.

The definition is that of the MEGC 2019 recognition challenge (See et al.,
https://doi.org/10.1109/FG.2019.8756611): the predictions of all folds are pooled into one table, and UF1 and
UAR are the unweighted means over the classes of the F1 score and the recall. A mean of per-fold
scores would be a different, wrong number: many folds hold one class only. MEGC 2018 (Yap et al., FG 2018,
https://doi.org/10.1109/FG.2018.00106) adds the F1 weighted by the clips of each class and, where each data set is held
out once, the mean over the data sets.

Every metric is a function of the confusion matrix, so its 95 % interval over subjects (evaluation/intervals.py) takes
the matrices without one of the subjects.
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
from mer_bench.evaluation.intervals import KIND, degrees_of_freedom, score_interval, subject_error
from mer_bench.evaluation.predictions import classes_of, load_predictions

MAX_CLASSES = 100  # more suggest scores or names of clips in the column of labels
MOST_CELLS = 100_000_000  # of all matrices, 800 MB
CELLS_AT_ONCE = 1_000_000  # in memory, for any number of subjects


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


def confusion_of(groups: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Count the pairs of a true and a predicted class in each of G groups; arrays are broadcast, shape (G, C, C)."""
    cells = np.ravel_multi_index(np.broadcast_arrays(groups, y_true, y_pred), shape)
    return np.bincount(cells.ravel(), minlength=math.prod(shape)).reshape(shape)


def scores_of(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of confusion matrices (..., C, C)."""
    return {metric.name: metric.of(confusion) for metric in METRICS}


@dataclass(frozen=True)
class SubjectCounts:
    """The confusion matrix of each subject, (S, C, C), subjects in sorted order."""

    matrices: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame | dict[str, Sequence], classes: list) -> 'SubjectCounts':
        """Count the clips of a table with the columns subject, y_true and y_pred.

        Raises:
            InputError: a label is not in `classes`, or there are too many classes or subjects.
        """
        y_true, y_pred = encode(table, classes)
        subjects, names = pd.factorize(np.asarray(table['subject'], dtype=object), sort=True)
        shape = len(names), len(classes), len(classes)
        if math.prod(shape) > MOST_CELLS:
            raise InputError(
                f'expected at most {MOST_CELLS // len(classes) ** 2} subjects with {len(classes)} classes, found '
                f'{len(names)}; give the subject of each clip, not its name, and the predicted class, not a score'
            )
        return cls(confusion_of(subjects, y_true, y_pred, shape))

    @property
    def total(self) -> np.ndarray:
        """The confusion matrix of all subjects, (C, C)."""
        return self.matrices.sum(axis=0)

    @cached_property
    def scores(self) -> dict[str, np.ndarray]:
        return scores_of(self.total)

    @cached_property
    def left_out(self) -> dict[str, np.ndarray]:
        """The scores without one of the subjects, (S,) each."""
        total, step = self.total, max(1, CELLS_AT_ONCE // self.matrices[0].size)
        parts = [scores_of(total - self.matrices[at : at + step]) for at in range(0, len(self.matrices), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the intervals."""
        return float(degrees_of_freedom(self.matrices.sum((1, 2))))

    def intervals(self) -> dict[str, list[float] | None]:
        """Return the 95 % interval `[low, high]` of each score; None if there is only one subject."""
        if len(self.matrices) < 2:
            return {metric.name: None for metric in METRICS}
        errors = {name: subject_error(values) for name, values in self.left_out.items()}
        ends = {name: score_interval(self.scores[name], error, self.freedom) for name, error in errors.items()}
        return {name: [float(low), float(high)] for name, (low, high) in ends.items()}


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


def score_table(table: pd.DataFrame | dict[str, Sequence], classes: list, intervals: bool = True) -> dict:
    """Score the full table and the slice of each data set.

    Args:
        table: the columns dataset, subject, y_true and y_pred.
        classes: a class that has no clip in a slice counts with F1 and recall 0.
        intervals: whether to add the 95 % intervals, which take most of the time.

    Returns:
        `{'full': scores(...), '<dataset>': {...}, ...}`.
    """
    columns = {key: np.asarray(table[key], dtype=object) for key in ('dataset', 'subject', 'y_true', 'y_pred')}
    full, names = scores(columns, classes, intervals), sorted({*columns['dataset']})
    if len(names) == 1:  # the slice is the full table
        return {'full': full, names[0]: full}
    parts = {name: columns['dataset'] == name for name in names}
    slices = {name: {key: cells[part] for key, cells in columns.items()} for name, part in parts.items()}
    return {'full': full, **{name: scores(part, classes, intervals) for name, part in slices.items()}}


def scores(table: pd.DataFrame | dict[str, Sequence], classes: list, intervals: bool = True) -> dict:
    """Score one table; see :func:`score_table`.

    Returns:
        n, n_subjects, every metric, f1_per_class, recall_per_class and confusion_matrix as plain Python values, as a
        record holds them; `intervals` with the 95 % interval of each metric, and their kind as `interval_kind`.
    """
    counts = SubjectCounts.of(table, classes)
    names, total = [*map(str, classes)], counts.total
    found = {
        'n': int(total.sum()),
        'n_subjects': len(counts.matrices),
        **{name: float(value) for name, value in counts.scores.items()},
        'f1_per_class': dict(zip(names, class_f1(total).tolist(), strict=True)),
        'recall_per_class': dict(zip(names, class_recall(total).tolist(), strict=True)),
        'confusion_matrix': total.tolist(),
    }
    return found | ({'intervals': counts.intervals(), 'interval_kind': KIND} if intervals else {})


def mean_of_datasets(table: dict, score: str) -> float | None:
    """Return the plain mean of a score over the data sets of a score table; None where no data set has it."""
    values = [part[score] for name, part in table.items() if name != 'full' and part]
    return math.fsum(values) / len(values) if values else None


def encode(table: pd.DataFrame | dict[str, Sequence], classes: list) -> tuple[np.ndarray, np.ndarray]:
    """Return y_true and y_pred as positions in `classes`, (N,) each; a label outside them is refused."""
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f'expected at most {MAX_CLASSES} classes, found {len(classes)} ({", ".join(map(str, classes[:3]))}, ...); '
            'give the predicted class of each clip, not a score or a name'
        )
    if twice := [name for number, name in enumerate(classes) if name in classes[:number]]:
        raise InputError(f'expected each class once, found {twice[0]!r} twice; leave one out')
    place = {name: number for number, name in enumerate(classes)}
    if unknown := {*table['y_true'], *table['y_pred']} - place.keys():
        raise InputError(
            f'expected only the classes {", ".join(map(str, classes))}, but the predictions also hold '
            f'{listed(sorted(map(str, unknown)))}; name every class'
        )
    y_true, y_pred = (np.array([place[label] for label in table[key]], dtype=int) for key in ('y_true', 'y_pred'))
    return y_true, y_pred
