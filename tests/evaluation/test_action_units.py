"""F1 of action units, against the numbers that the authors of CD6ME print for a constant answer, and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.protocols.action_units import CD6ME_UNITS

# Varanka et al., TAC 2023, Table 4: clips, then clips that show each of the 12 units
CD6ME = {
    'casme': (189, (23, 17, 70, 0, 1, 4, 40, 3, 9, 23, 14, 13)),
    'casme2': (256, (26, 22, 130, 2, 13, 39, 13, 16, 34, 27, 16, 25)),
    'samm': (159, (6, 18, 23, 10, 3, 46, 5, 6, 28, 13, 4, 6)),
    '4dme': (267, (46, 54, 102, 8, 25, 89, 1, 2, 53, 4, 6, 11)),
    'mmew': (300, (50, 41, 109, 70, 10, 47, 8, 38, 37, 17, 6, 11)),
    'casme3': (860, (153, 128, 274, 44, 8, 27, 50, 10, 15, 193, 6, 20)),
}


def always_all_units(without=''):
    """A table with those numbers whose predictions say that every unit is there; `without`: the cell of no unit."""
    rows = []
    for dataset, (n, clips) in CD6ME.items():
        for i in range(n):
            shown = [unit for unit, number in zip(CD6ME_UNITS, clips, strict=True) if i < number]
            rows.append({'dataset': dataset, 'action_units': '+'.join(map(str, shown)) or without})
    return pd.DataFrame(rows).assign(**{f'action_units_score_{unit}': 0.9 for unit in CD6ME_UNITS})


def predictions(*rows):
    columns = ['dataset', 'action_units', 'action_units_score_4', 'action_units_score_12']
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize('without', ['', '?'])
def test_answering_every_unit_gives_the_published_f1(without):
    # the authors' notebook prints these percentages for the constant answer; their unknown cells count as none
    full = score_action_units(always_all_units(without))['full']
    published = [26.04, 24.23, 51.70, 12.38, 5.74, 22.08, 10.89, 7.12, 15.95, 24.00, 4.99, 8.12]
    assert full['n'] == 2031
    assert [round(100 * value, 2) for value in full['f1_per_unit'].values()] == published
    assert round(100 * full['f1'], 2) == 17.77


@pytest.mark.parametrize('without', ['', '?'])
def test_a_data_set_is_scored_by_itself_and_a_unit_it_lacks_counts_as_zero(without):
    table = score_action_units(always_all_units(without))
    published = {'casme': 16.08, 'casme2': 19.40, 'samm': 15.33, '4dme': 20.16, 'mmew': 20.72, 'casme3': 15.12}
    assert {name: round(100 * table[name]['f1'], 2) for name in published} == published
    assert table['casme']['f1_per_unit']['5'] == 0


def test_the_open_cells_of_samm_cost_the_constant_answer_what_the_authors_fill_in_by_hand():
    """Five cells of SAMM hold "or"; the authors write 12+15, 12+15, 14, 14, 14 in their place, which gives 15.33.

    By their rule for any other cell, digits between two +, the parts with "or" are no unit: 12 loses 2 clips and 14
    loses 3, while 15 stands by itself in the two cells of 12.
    """
    samm = always_all_units().query('dataset == "samm"').reset_index(drop=True)
    clips = dict(zip(CD6ME_UNITS, CD6ME['samm'][1], strict=True)) | {12: 26, 14: 10}
    by_hand = sum(2 * number / (number + 159) for number in clips.values()) / 12
    cells = [[unit for unit, number in clips.items() if row < number - 2 * (unit == 15)] for row in range(159)]
    cells[-2:] = [['(6 or 12)', 15]] * 2
    samm['action_units'] = ['+'.join(map(str, cell)) for cell in cells]
    assert round(by_hand, 3) == 0.149
    assert score_action_units(samm)['samm']['f1'] == pytest.approx(by_hand)


def test_f1_by_hand_at_the_threshold():
    frame = predictions(
        ('samm', '4+12', 0.5, 0.4), ('samm', '4', 0.2, 0.9), ('samm', '', 0.7, 0.1), ('samm', '12+20', 0.1, 0.8)
    )
    full = score_action_units(frame)['full']
    # unit 4: one hit, one false, one missed; unit 12 the same
    assert full['f1_per_unit'] == {'4': 0.5, '12': 0.5}
    assert full['clips_per_unit'] == {'4': 2, '12': 2}
    assert full['f1'] == 0.5


def test_an_unknown_truth_counts_as_none():
    table = score_action_units(predictions(('samm', '4', 0.9, 0.1), ('samm', '?', 0.9, 0.1)))
    assert (table['full']['n'], table['full']['n_unknown']) == (2, 1)
    # one hit, one false alarm: 2 * 1 / (1 + 2)
    assert table['full']['f1_per_unit'] == {'4': pytest.approx(2 / 3), '12': 0}


def test_a_unit_that_an_open_cell_names_for_certain_counts():
    table = score_action_units(predictions(('samm', '12+?', 0.1, 0.9), ('samm', '4', 0.1, 0.1)))
    assert (table['full']['n_unknown'], table['full']['f1_per_unit']) == (1, {'4': 0, '12': 1})


def test_a_data_set_without_action_units_is_left_out():
    frame = predictions(('samm', '4', 0.9, 0.1), ('smic', '?', 0.9, 0.9), ('smic', '?', 0.9, 0.9))
    table = score_action_units(frame)
    assert list(table) == ['full', 'samm', 'smic']
    assert table['smic'] is None
    assert table['full'] == table['samm']
    assert score_action_units(frame[1:]) == {'full': None, 'smic': None}


@pytest.mark.parametrize('column', ['action_units', 'action_units_score_4'])
def test_missing_columns_are_named(column):
    frame = predictions(('samm', '4', 0.9, 0.1)).drop(columns=['action_units_score_12', column])
    with pytest.raises(InputError, match='expected the columns action_units and action_units_score_<number>'):
        score_action_units(frame)


def test_f1_of_a_unit_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    shown, said = rng.random(300) < 0.3, rng.random(300)
    frame = pd.DataFrame(
        {'dataset': 'samm', 'action_units': np.where(shown, '4+7', '12'), 'action_units_score_4': said}
    )
    expected = f1_score(shown, said >= 0.5)
    assert score_action_units(frame)['full']['f1_per_unit']['4'] == pytest.approx(expected)


@pytest.mark.parametrize('unit', ['', 'x', '-4', '²', '9' * 5000])
def test_a_unit_that_is_no_number_is_refused(unit):
    frame = predictions(('samm', '4', 0.9, 0.1)).rename(columns={'action_units_score_4': f'action_units_score_{unit}'})
    with pytest.raises(InputError, match='expected columns action_units_score_<number>'):
        score_action_units(frame)
