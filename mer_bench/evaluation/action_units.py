"""Scores of action units from pooled predictions: the F1 of every unit and their mean, in full and per data set.

The definition is that of CD6ME (Varanka et al., TAC 2023, arXiv 2211.11425): binary F1 of the unit's presence over the
pooled predictions of all folds, then the unweighted mean over the units. A clip with uncertain units counts as
showing only those that its cell names as certain, and the F1 of a unit that no clip shows is 0. The mean of F1 over
both answers ("macro") is different: it gives about one half to a model that never finds a rare unit.
"""

import re

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.protocols.action_units import read_cell

PREFIX = 'action_units_score_'
THRESHOLD = 0.5


def score_action_units(frame: pd.DataFrame) -> dict:
    """Score the full table and the slice of each data set.

    Args:
        frame: one row per clip with dataset, `action_units` (the truth: '4+7', '' for none, '?' for unknown, '12+?'
            where 12 is certain) and `action_units_score_<number>`, the probability of each unit.

    Returns:
        `{'full': {'n', 'n_unknown', 'f1', 'f1_per_unit', 'clips_per_unit'}, '<dataset>': {...}, ...}`. Units are the
        keys, as text. A data set whose cells are all unknown (SMIC has no action units) is None and not in `full`.
    """
    columns = [column for column in frame if column.startswith(PREFIX)]
    if 'action_units' not in frame or not columns:
        raise InputError(
            f'the predictions: expected the columns action_units and {PREFIX}<number>, found none; predict with a '
            'config that names action_units'
        )
    if wrong := [column for column in columns if not re.fullmatch('[0-9]{1,3}', column.removeprefix(PREFIX))]:
        raise InputError(f'the predictions: expected columns {PREFIX}<number>, found {wrong[0]!r}; rename it')
    parts = dict(iter(frame.groupby('dataset')))
    texts = {name: part['action_units'].unique() for name, part in parts.items()}
    known = [name for name in parts if not all(true_units(text)[1] for text in texts[name])]
    slices = {'full': frame[frame['dataset'].isin(known)], **{name: parts[name] for name in known}}
    return dict.fromkeys(['full', *parts]) | {name: score_slice(part) for name, part in slices.items() if len(part)}


def score_slice(frame: pd.DataFrame) -> dict:
    """Score one table; see :func:`score_action_units`."""
    texts = frame['action_units'].astype('category')
    truth = [true_units(text) for text in texts.cat.categories]  # few, however many clips there are
    f1, clips = {}, {}
    for column in [column for column in frame if column.startswith(PREFIX)]:
        unit = column.removeprefix(PREFIX)
        y_true = np.array([int(unit) in units for units, _ in truth], dtype=bool)[texts.cat.codes]
        y_pred = (frame[column] >= THRESHOLD).to_numpy()
        clips[unit] = int(y_true.sum())
        shown_or_said = clips[unit] + int(y_pred.sum())
        f1[unit] = 2 * int((y_true & y_pred).sum()) / shown_or_said if shown_or_said else 0.0
    return {
        'n': len(frame),
        'n_unknown': int(np.array([is_open for _, is_open in truth], dtype=bool)[texts.cat.codes].sum()),
        'f1': sum(f1.values()) / len(f1),
        'f1_per_unit': f1,
        'clips_per_unit': clips,
    }


def true_units(text: str) -> tuple[tuple[int, ...], bool]:
    """Return the units of a cell of predictions.csv, and whether others are open; in an empty cell neither."""
    return read_cell(text) if text.strip() else ((), False)
