"""Scores of action units from pooled predictions: the F1 of every unit and their mean, in full and per data set.

The definition is that of CD6ME (Varanka et al., TAC 2023, arXiv 2211.11425): binary F1 of the unit's presence over the
pooled predictions of all folds, then the unweighted mean over the units. The mean of F1 over both answers, "macro",
is another number: there, a model that never sees a rare unit still gets about one half for it.
"""

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.protocols.action_units import parse_action_units

PREFIX = 'action_units_score_'
THRESHOLD = 0.5


def score_action_units(frame: pd.DataFrame) -> dict:
    """Score the full table and the slice of each data set.

    Args:
        frame: one row per clip with dataset, `action_units` (the truth: '4+7', '' for none, '?' for unknown) and
            `action_units_score_<number>`, the probability of each unit.

    Returns:
        `{'full': {'n', 'n_unknown', 'f1', 'f1_per_unit', 'clips_per_unit'}, '<dataset>': {...}, ...}`. A clip whose
        truth is unknown counts in `n_unknown` alone; the F1 of a unit without a clip is 0, as in the paper. Units are
        the keys, as text.
    """
    slices = {'full': frame, **dict(iter(frame.groupby('dataset')))}
    return {name: score_slice(part) for name, part in slices.items()}


def score_slice(frame: pd.DataFrame) -> dict:
    """Score one table; see :func:`score_action_units`."""
    from sklearn.metrics import f1_score  # takes most of a second, so not before something is scored

    truth = [true_units(text) for text in frame['action_units']] if 'action_units' in frame else []
    columns = {column.removeprefix(PREFIX): column for column in frame if column.startswith(PREFIX)}
    if not truth or not columns:
        raise InputError(
            f'the predictions: expected the columns action_units and {PREFIX}<number>, found none; predict with a '
            'config that names action_units'
        )
    known = frame[[units is not None for units in truth]]
    seen = [units for units in truth if units is not None]
    f1, clips = {}, {}
    for unit, column in columns.items():
        y_true = [int(unit) in units for units in seen]
        y_pred = (known[column] >= THRESHOLD).tolist()
        clips[unit] = sum(y_true)
        f1[unit] = float(f1_score(y_true, y_pred, zero_division=0)) if y_true else 0.0
    return {
        'n': len(known),
        'n_unknown': len(frame) - len(known),
        'f1': sum(f1.values()) / len(f1),
        'f1_per_unit': f1,
        'clips_per_unit': clips,
    }


def true_units(text: str) -> tuple[int, ...] | None:
    """Return the units of a cell of predictions.csv, where an empty cell says that the clip shows none."""
    return parse_action_units(text) if text.strip() else ()
