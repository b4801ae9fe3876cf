"""The score table on the screen."""

import pandas as pd

from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.report import format_action_units, format_scores


def test_scores_matrix_and_notes_are_shown():
    frame = pd.DataFrame(
        {
            'dataset': ['smic', 'smic', 'samm'],
            'subject': ['smic/1', 'smic/2', 'samm/1'],
            'y_true': ['negative', 'positive', 'negative'],
            'y_pred': ['negative', 'positive', 'positive'],
        }
    )
    text = format_scores(score_table(frame, ['negative', 'positive']))
    lines = [line.split() for line in text.splitlines()]
    assert lines[2][:4] == ['full', '3', '3', '0.6667']
    assert ['negative', '1', '1', '2', '0.5000', '0.6667'] in lines
    assert 'samm: one subject only, so no interval.' in text
    assert 'samm: no clip of class positive; its recall and F1 count as 0.' in text


def test_action_units_have_a_column_each():
    part = {'n': 3, 'n_unknown': 1, 'f1': 0.75, 'f1_per_unit': {'4': 0.75, '12': None}}
    lines = [line.split() for line in format_action_units({'full': part}).splitlines()]
    assert lines[1] == ['clips', 'unknown', 'mean', 'F1', 'AU4', 'AU12']
    assert lines[-1] == ['full', '3', '1', '0.7500', '0.7500', '-']
