import pandas as pd
import pytest

from mer_bench.protocols.action_units import (
    CD6ME_UNITS,
    encode_action_units,
    format_action_units,
    parse_action_units,
    truth_text,
)


@pytest.mark.parametrize(
    ('text', 'units'),
    [
        ('4+7', (4, 7)),
        ('4+L10', (4, 10)),
        ('12', (12,)),
        ('R12A', (12,)),
        ('R12 + R15', (12, 15)),
        ('L1+R1+2', (1, 2)),
        ('9+4+14', (4, 9, 14)),
        ('T23+B28', (23, 28)),
        ('12L', (12,)),
        ('4R+7', (4, 7)),
        ('AU4+L7', (4, 7)),
        ('AUR2+12+45', (2, 12, 45)),
        ('AU4(k)+L7', (7,)),
        ('14b', (14,)),
        ('AU 12 (R)', (12,)),
        ('4\uff0b7', (4, 7)),  # a full-width plus
        ('12RA', (12,)),
        ('A12', (12,)),  # SAMM's legend: A before a number is asymmetric, behind it an intensity
        ('A1B+A2C', (1, 2)),
        ('7C+A12B', (7, 12)),
        ('10A/B', (10,)),
        ('A/L12', (12,)),
        ('14B/L', (14,)),
        ('ref(7B)+43C', (7, 43)),  # SAMM
        ('7B+ ref(43)', (7, 43)),
        ('ref(L10)+A12B', (10, 12)),
        ('L12 + 61', (12, 61)),
        ('R14+17+soft focus', (14, 17)),
        ('4+AD38', (4,)),  # DFME: an action descriptor and a movement code
        ('1+2+M58', (1, 2)),
        ('M58', ()),
        ('0+4', (4,)),
        ('AU0', ()),
        ('0', ()),
        ('none', ()),
    ],
)
def test_side_half_and_intensity_are_left_off(text, units):
    assert parse_action_units(text) == units


@pytest.mark.parametrize(
    'text',
    [
        '?',
        '',
        ' ',
        '4+?',
        '14/15',
        '4+D38',
        '4?',
        'AU12A or AU14',
        '14or23',
        '5 or 6',
        '14,12',
        '1\uff0c2',
        '/',
        '4+',
        'smile',
        '(R6 or R12)+R15',
        'R14A or 17A or 24A',
        'ref(5 or 6)',
    ],
)
def test_a_cell_that_is_not_certain_is_unknown(text):
    # joining the digits would make AU56 of '5 or 6' and AU1412 of '14,12'
    assert parse_action_units(text) is None


def test_the_truth_keeps_what_an_open_cell_names_for_certain():
    # what the code of CD6ME makes of such a cell: it reads the digits between two + as one number
    cells = ['12+14 or 15', 'AU12A or AU14', '?', '', 'A/L12+7C', '0', '1+2+M58']
    assert [truth_text(cell) for cell in cells] == ['12+?', '?', '?', '?', '7+12', '', '1+2']
    assert [truth_text(truth_text(cell)) for cell in cells[:3]] == ['12+?', '?', '?']


def test_unknown_is_minus_one_and_units_outside_the_list_count_as_none():
    table = pd.DataFrame({'action_units': ['4+L7', '?', '20', '', '7', '0']})
    targets = encode_action_units(table, [4, 7])
    assert targets.dtype == 'int8'
    assert targets.tolist() == [[1, 1], [-1, -1], [0, 0], [-1, -1], [0, 1], [0, 0]]


def test_cd6me_has_twelve_units():
    # `dataset_aus['cross']` of the authors' code
    assert CD6ME_UNITS == (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)


def test_text_of_units():
    assert [format_action_units(units) for units in ((4, 7), (), None)] == ['4+7', '', '?']
