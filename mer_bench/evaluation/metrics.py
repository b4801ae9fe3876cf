"""Scores of pooled predictions: accuracy, UF1, UAR, macro precision, weighted F1, in full and per data set.

The definition is that of the MEGC 2019 recognition challenge (See et al.,
https://doi.org/10.1109/FG.2019.8756611): the predictions of all folds are pooled into one table, and UF1 and
UAR are the unweighted means over the classes of the F1 score and the recall. A mean of per-fold scores is
another, wrong number: many folds hold one class only. MEGC 2018 (Yap et al., FG 2018,
https://doi.org/10.1109/FG.2018.00106) adds the F1 weighted by the clips of each class and, where each data set is held
out once, the mean over the data sets.
"""

import math

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.statistics import subject_bootstrap


def scores(frame: pd.DataFrame, classes: list) -> dict:
    """Score a pooled table of predictions.

    Args:
        frame: One row per clip with subject, y_true and y_pred.
        classes: All classes of the full table; one that has no clip in `frame` counts with F1 and recall 0.

    Returns:
        n, n_subjects, accuracy, uf1, uar, macro_precision, weighted_f1, f1_per_class, recall_per_class and
        confusion_matrix (one row per true, one column per predicted class); plain Python values, ready for JSON.
    """
    # Takes most of a second, so not before something is scored: a wrong file is told at once.
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

    _check_labels(frame, classes)
    labels = (frame['y_true'].tolist(), frame['y_pred'].tolist())
    options = {'labels': classes, 'zero_division': 0}
    f1 = f1_score(*labels, average=None, **options)
    recall = recall_score(*labels, average=None, **options)
    return {
        'n': len(frame),
        'n_subjects': int(frame['subject'].nunique()),
        'accuracy': float(accuracy_score(*labels)),
        'uf1': float(f1_score(*labels, average='macro', **options)),
        'uar': float(recall_score(*labels, average='macro', **options)),
        'macro_precision': float(precision_score(*labels, average='macro', **options)),
        'weighted_f1': float(f1_score(*labels, average='weighted', **options)),
        'f1_per_class': {str(name): float(value) for name, value in zip(classes, f1, strict=True)},
        'recall_per_class': {str(name): float(value) for name, value in zip(classes, recall, strict=True)},
        'confusion_matrix': confusion_matrix(*labels, labels=classes).tolist(),
    }


def score_table(frame: pd.DataFrame, classes: list) -> dict:
    """Score the full table and the slice of each data set, with 95 % subject-bootstrap intervals.

    Returns:
        `{'full': {**scores, 'intervals': subject_bootstrap(...)}, '<dataset>': {...}, ...}`.
    """
    full = _with_intervals(frame, classes)
    slices = dict(iter(frame.groupby('dataset')))
    if len(slices) == 1:  # the slice is the full table
        return {'full': full, **dict.fromkeys(slices, full)}
    return {'full': full, **{name: _with_intervals(part, classes) for name, part in slices.items()}}


def _with_intervals(frame: pd.DataFrame, classes: list) -> dict:
    return {**scores(frame, classes), 'intervals': subject_bootstrap(frame, classes)}


def mean_of_datasets(table: dict, score: str) -> float | None:
    """Return the plain mean of a score over the data sets of a score table; None where no data set has it."""
    values = [part[score] for name, part in table.items() if name != 'full' and part]
    return math.fsum(values) / len(values) if values else None


def _check_labels(frame: pd.DataFrame, classes: list) -> None:
    """Refuse labels outside `classes`: scikit-learn would silently score without them."""
    unknown = {*frame['y_true'], *frame['y_pred']} - {*classes}
    if unknown:
        raise InputError(
            f'expected only the classes {", ".join(map(str, classes))}, but the predictions also hold '
            f'{", ".join(sorted(map(str, unknown)))}; name every class'
        )
