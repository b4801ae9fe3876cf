import pytest

from mer_bench.datasets.synthetic.face import ACTION_UNIT_BUMPS
from mer_bench.datasets.synthetic.layouts import LAYOUTS
from mer_bench.datasets.synthetic.units import ACTION_UNITS, objective_class, unit_numbers


@pytest.mark.parametrize(
    ('units', 'expected'),
    [
        (['12'], 'I'),
        (['7', '6', '12'], 'I'),
        (['L1', '2'], 'II'),
        (['4', '7'], 'III'),
        (['R10'], 'IV'),
        (['15', '17'], 'V'),
        (['1', '2', '4'], 'VI'),
        (['1', '2', '4', '5'], 'VII'),
        (['L14'], 'VII'),
        ([], 'VII'),
    ],
)
def test_objective_classes_of_the_published_table(units, expected):
    assert objective_class(units) == expected


@pytest.mark.parametrize('like', LAYOUTS)
def test_a_combination_belongs_to_one_emotion_of_a_data_set(like):
    combinations = [text for emotion in LAYOUTS[like].emotions for text in ACTION_UNITS[emotion]]
    assert len(combinations) == len(set(combinations))


def test_all_action_units_can_be_drawn():
    units = unit_numbers(text for combinations in ACTION_UNITS.values() for text in combinations)
    assert set(units) <= set(ACTION_UNIT_BUMPS)
