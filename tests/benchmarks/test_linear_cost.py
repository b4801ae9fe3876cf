import argparse
import json
from statistics import median

import pytest
from rich.console import Console

from benchmarks import linear_cost
from benchmarks.linear_cost import METHODS, Settings, add_arguments, compare, table
from mer_bench.errors import InputError

SMALL = Settings(folds=4, features=40, rounds=2)


@pytest.fixture(scope='module')
def result():
    return compare(SMALL)


def test_predictions_are_compared_with_those_of_the_loop(result):
    assert result['settings']['clips'] == 11 + 8 + 4 + 4
    for name in METHODS:
        assert result['agreement'][name]['other_predictions'] == 0
        assert result['agreement'][name]['largest_difference'] < 1e-3  # where libsvm ends within its tolerance


def test_other_predictions_are_counted(monkeypatch):
    def other(*args):
        decisions, predictions = ours(*args)
        predictions[:2] = 'none'
        return decisions, predictions

    ours = linear_cost.ours
    monkeypatch.setattr(linear_cost, 'ours', other)
    assert compare(SMALL)['agreement']['ridge']['other_predictions'] == 2


def test_ratios_are_the_loop_over_ours(monkeypatch):
    def timed(runs, rounds):
        for run in runs.values():
            run()
        return {name: [6.0, 8.0] if name.endswith('_loop') else [2.0, 4.0] for name in runs}

    monkeypatch.setattr(linear_cost, 'interleave', timed)
    result = compare(SMALL)
    assert result['ratios']['ridge'] == {'median': 2.5, 'min': 2.0, 'max': 3.0}
    assert result['seconds']['ridge_loop'] == median([6.0, 8.0])


def test_the_result_is_json_and_its_table_names_every_method(result):
    console = Console(width=200, record=True)
    console.print(table(json.loads(json.dumps(result))))
    shown = console.export_text()
    assert all(words in shown for words in linear_cost.WORDS.values())
    assert '27 clips, 4 folds, 40 features' in shown


def test_arguments_are_the_settings():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert Settings(**vars(parser.parse_args([]))) == Settings()


@pytest.mark.parametrize(
    ('wrong', 'said'), [({'folds': 69}, 'at most 68 folds'), ({'rounds': 0}, 'rounds of at least')]
)
def test_settings_that_measure_nothing_are_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        Settings(**wrong)
