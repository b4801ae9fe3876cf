import argparse

import pytest

from benchmarks import full_loso_cost
from benchmarks.full_loso_cost import add_arguments, count_work, measure, run_options
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import open_experiment

SMALL = ['--clips', '9', '--folds', '3', '--epochs', '1', '--clip-len', '2', '--size', '32']


@pytest.fixture
def read(tiny_override):
    """Reads the options of a tiny run."""

    def parse(*words):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        return parser.parse_args([*SMALL, '--override', str(tiny_override), *words])

    return parse


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_random_store(tmp_path_factory.mktemp('random') / 'data', clips=9, subjects=3, clip_len=2, size=32)


@pytest.mark.slow
def test_every_fold_is_trained_and_scored(read):
    result = measure(read('--folds', '2', '--clips', '6'))
    assert result['seconds']['jobs_1'] > 0
    assert result['clips_per_second']['jobs_1'] == pytest.approx(
        6 / result['seconds']['jobs_1']
    )  # each clip in one fold


def test_the_work_is_that_of_all_trainings_and_tests(read, data, monkeypatch):
    monkeypatch.setattr(full_loso_cost, 'count', lambda model, shape: {'flops': 1, 'flops_step': 100})
    experiment = open_experiment(run_options(read(), data, 1))
    assert len(experiment.folds) == 3
    assert count_work(experiment, epochs=5) == {'flops': 100 * 5 * 18 + 9, 'precision': 'fp32'}


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--clips', '8'], 'a clip of each of 3 classes'),
        (['--jobs', '0'], 'numbers of jobs'),
        (['--jobs', '2', '2'], 'different numbers of jobs'),
    ],
)
def test_what_trains_nothing_is_refused(read, words, said):
    with pytest.raises(InputError, match=said):
        measure(read(*words))
