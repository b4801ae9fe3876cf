import argparse
from contextlib import nullcontext

import pytest
import torch

from benchmarks import sweep_cost
from benchmarks.random_store import write_random_store
from benchmarks.sweep_cost import add_arguments, measure, run_all

SMALL = ['--clips', '6', '--folds', '2', '--clip-len', '2', '--size', '32', '--rounds', '2']


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def read(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*SMALL, *words])


@pytest.fixture
def counted(monkeypatch):
    """The work, which is counted as in the benchmark full-loso."""
    monkeypatch.setattr(sweep_cost, 'count_work', lambda experiment, epochs: {'flops': epochs})


@pytest.mark.usefixtures('counted')
def test_both_ways_have_all_folds_and_the_same_threads_in_all(monkeypatch):
    ran = []
    monkeypatch.setattr(
        sweep_cost, 'run_all', lambda args, data, folder, workers, threads: ran.append((workers, threads))
    )
    measure(read('--workers', '3'))
    assert ran == [(1, 3), (3, 1)] * 3  # one untimed round


@pytest.mark.usefixtures('counted')
def test_the_ratio_is_one_worker_over_several(monkeypatch):
    monkeypatch.setattr(sweep_cost, 'interleave', lambda ways, rounds: {'threads': [6.0, 8.0], 'workers': [5.0, 4.0]})
    result = measure(read())
    assert result['ratios']['workers'] == pytest.approx({'median': 1.6, 'min': 1.2, 'max': 2.0})


@pytest.mark.parametrize(('complete', 'done'), [(True, True), (False, False)])
def test_a_run_is_of_all_folds_in_processes_of_their_own(tmp_path, tiny_override, monkeypatch, complete, done):
    asked = {}

    def run_folds(experiment, settings):
        asked.update(folds=len(experiment.chosen), threads=experiment.threads, jobs=settings.jobs)
        asked.update(stack=settings.stack, isolated=settings.isolated)
        return {'complete': complete, 'folds': {'missing': ['s01']}}

    args = read('--override', str(tiny_override))
    data = write_random_store(tmp_path / 'data', args.clips, args.folds, args.clip_len, args.size)
    monkeypatch.setattr(sweep_cost, 'run_folds', run_folds)
    with nullcontext() if done else pytest.raises(RuntimeError, match='folds are missing'):
        run_all(args, data, tmp_path / 'run', workers=1, threads=2)
    assert asked == {'folds': 2, 'threads': 2, 'jobs': 1, 'stack': 'off', 'isolated': True}


def test_settings_that_measure_nothing_are_refused(capsys):
    with pytest.raises(SystemExit):
        read('--workers', '1')
    assert 'argument --workers: expected at least 2, got 1' in capsys.readouterr().err
