from statistics import median
from types import SimpleNamespace

import pytest

from benchmarks import linear_cost
from benchmarks.linear_cost import METHODS, measure
from mer_bench.errors import InputError

SMALL = SimpleNamespace(folds=4, features=40, rounds=2, threads=1)


@pytest.fixture(scope='module')
def result():
    return measure(SMALL)


def test_predictions_are_those_of_the_loop(result):
    assert result['settings']['clips'] == 11 + 8 + 4 + 4
    assert len(result['notes']) == len(METHODS)
    assert all('; 0 predictions differ' in note for note in result['notes'])


def test_other_predictions_are_counted(monkeypatch):
    def other(*args):
        decisions, predictions = ours(*args)
        predictions[:2] = 'none'
        return decisions, predictions

    ours = linear_cost.ours
    monkeypatch.setattr(linear_cost, 'ours', other)
    assert all('; 2 predictions differ' in note for note in measure(SMALL)['notes'])


def test_ratios_are_the_loop_over_ours(monkeypatch):
    def timed(runs, rounds):
        for run in runs.values():
            run()
        return {name: [6.0, 8.0] if name.endswith('_loop') else [2.0, 4.0] for name in runs}

    monkeypatch.setattr(linear_cost, 'interleave', timed)
    result = measure(SMALL)
    assert result['ratios']['ridge'] == {'median': 2.5, 'min': 2.0, 'max': 3.0}
    assert result['seconds']['ridge_loop'] == median([6.0, 8.0])


def test_more_folds_than_there_are_is_one_sentence():
    with pytest.raises(InputError, match='expected at most 68 folds, got 69; lower --folds'):
        measure(SimpleNamespace(folds=69))
