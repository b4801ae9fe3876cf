"""Scores of pooled predictions: accuracy, UF1, UAR, macro precision, weighted F1, in full and per data set.

The definition is that of the MEGC 2019 recognition challenge (See et al.,
https://doi.org/10.1109/FG.2019.8756611): the predictions of all folds are pooled into one table, and UF1 and
UAR are the unweighted means over the classes of the F1 score and the recall. A mean of per-fold scores is
another, wrong number: many folds hold one class only. MEGC 2018 (Yap et al., FG 2018,
https://doi.org/10.1109/FG.2018.00106) adds the F1 weighted by the clips of each class and, where each data set is held
out once, the mean over the data sets.
"""

import math

import numpy as np
import pandas as pd

from mer_bench.evaluation.statistics import class_f1, class_recall, encode, scores_of_counts, subject_bootstrap


def scores(frame: pd.DataFrame, classes: list) -> dict:
    """Score a pooled table of predictions.

    Args:
        frame: One row per clip with subject, y_true and y_pred.
        classes: All classes of the full table; one that has no clip in `frame` counts with F1 and recall 0.

    Returns:
        n, n_subjects, accuracy, uf1, uar, macro_precision, weighted_f1, f1_per_class, recall_per_class and
        confusion_matrix (one row per true, one column per predicted class); plain Python values, ready for JSON.
    """
    return scores_of_labels(*encode(frame, classes), frame['subject'].nunique(), classes)


def scores_of_labels(y_true: np.ndarray, y_pred: np.ndarray, n_subjects: int, classes: list) -> dict:
    """Do so with labels that are positions in `classes`, (N,) each."""
    n = len(classes)
    confusion = np.bincount(y_true * n + y_pred, minlength=n * n).reshape(n, n)
    counts = np.stack([np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])
    return {
        'n': len(y_true),
        'n_subjects': int(n_subjects),
        **{name: float(value) for name, value in scores_of_counts(counts).items()},
        'f1_per_class': dict(zip(map(str, classes), class_f1(counts).tolist(), strict=True)),
        'recall_per_class': dict(zip(map(str, classes), class_recall(counts).tolist(), strict=True)),
        'confusion_matrix': confusion.tolist(),
    }


def score_table(frame: pd.DataFrame, classes: list) -> dict:
    """Score the full table and the slice of each data set, with 95 % subject-bootstrap intervals.

    Returns:
        `{'full': {**scores, 'intervals': subject_bootstrap(...)}, '<dataset>': {...}, ...}`.
    """
    # as categories, so that labels and subjects are numbered once for all slices
    frame = frame[['dataset', 'subject', 'y_true', 'y_pred']].astype('category')
    full = _with_intervals(frame, classes)
    slices = dict(iter(frame.groupby('dataset', observed=True)))
    if len(slices) == 1:  # the slice is the full table
        return {'full': full, **dict.fromkeys(slices, full)}
    return {'full': full, **{name: _with_intervals(part, classes) for name, part in slices.items()}}


def _with_intervals(frame: pd.DataFrame, classes: list) -> dict:
    return {**scores(frame, classes), 'intervals': subject_bootstrap(frame, classes)}


def mean_of_datasets(table: dict, score: str) -> float | None:
    """Return the plain mean of a score over the data sets of a score table; None where no data set has it."""
    values = [part[score] for name, part in table.items() if name != 'full' and part]
    return math.fsum(values) / len(values) if values else None
