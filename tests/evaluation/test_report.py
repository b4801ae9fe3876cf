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
    mean = next(line.split() for line in text.splitlines() if line.startswith('mean of data sets'))
    assert mean[4] == '0.5000'  # accuracy 1 of smic and 0 of samm


def test_one_data_set_has_no_mean_and_a_class_without_a_clip_is_noted_once():
    frame = pd.DataFrame(
        {'dataset': 'smic', 'subject': ['smic/1', 'smic/2'], 'y_true': ['a', 'b'], 'y_pred': ['a', 'b']}
    )
    text = format_scores(score_table(frame, ['a', 'b', 'c']))
    assert 'mean of data sets' not in text
    assert text.count('no clip') == 1
    assert 'class c has no clip in these data; its recall and F1 count as 0.' in text


def test_action_units_have_a_column_each():
    part = {'n': 3, 'n_unknown': 1, 'f1': 0.5, 'f1_per_unit': {'4': 0.75, '12': 0.25}}
    table = {'full': part, 'casme2': part, 'samm': part | {'f1': 0.25}, 'smic': None}
    lines = [line.split() for line in format_action_units(table).splitlines()]
    assert lines[1] == ['clips', 'unknown', 'mean', 'F1', 'AU4', 'AU12']
    assert ['full', '3', '1', '0.5000', '0.7500', '0.2500'] in lines
    assert ['smic', '-', '-', '-', '-', '-'] in lines
    assert lines[-1] == ['mean', 'of', 'data', 'sets', '0.3750']


def test_no_action_units_at_all_are_named():
    assert format_action_units({'full': None, 'smic': None}) == 'Action units: no clip of these data has any'
