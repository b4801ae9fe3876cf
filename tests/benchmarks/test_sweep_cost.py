import argparse
import signal
import subprocess
from contextlib import nullcontext

import pytest
import torch
from rich.console import Console

from benchmarks import sweep_cost
from benchmarks.random_store import write_random_store
from benchmarks.sweep_cost import add_arguments, kill_a_worker, measure, run_all, table
from mer_bench.errors import InputError

SMALL = ['--clips', '6', '--folds', '2', '--clip-len', '2', '--size', '32', '--rounds', '2']


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def nobody_is_killed(monkeypatch):
    killed = {'folds_lost': 0, 'predictions_equal': True}
    monkeypatch.setattr(sweep_cost, 'kill_a_worker', lambda *arguments: killed)


def read(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*SMALL, *words])


def test_both_ways_have_all_folds_and_the_same_threads_in_all(monkeypatch, nobody_is_killed):
    ran = []
    monkeypatch.setattr(
        sweep_cost, 'run_all', lambda args, data, folder, workers, threads: ran.append((workers, threads))
    )
    result = measure(read('--workers', '3'))
    assert ran == [(1, 3), (3, 1)] * 3  # one untimed round
    assert result['settings']['override'] == ['quarter_width']


def test_the_ratio_is_one_worker_over_several(monkeypatch, nobody_is_killed):
    monkeypatch.setattr(sweep_cost, 'interleave', lambda ways, rounds: {'threads': [6.0, 8.0], 'workers': [5.0, 4.0]})
    result = measure(read())
    assert result['ratios']['workers'] == pytest.approx({'median': 1.6, 'min': 1.2, 'max': 2.0})
    console = Console(width=200, record=True)
    console.print(table(result))
    shown = console.export_text()
    assert '2 workers with 1 thread' in shown
    assert '0 folds lost' in shown


@pytest.mark.parametrize(
    ('folds', 'table', 'said'),
    [(3, 'a', dict(folds_lost=0, predictions_equal=True)), (2, 'b', dict(folds_lost=1, predictions_equal=False))],
)
def test_folds_and_predictions_are_compared_after_a_worker_was_killed(folds, table, said, tmp_path, monkeypatch):
    def write_folds(args, data, work_dir, workers, threads):
        for fold in range(folds):
            (work_dir / f'folds/s{fold}').mkdir(parents=True)
            (work_dir / f'folds/s{fold}/fold.json').touch()
        worker.wait()
        (work_dir / 'predictions.csv').write_text(table)

    worker = subprocess.Popen(['sleep', '100'])
    monkeypatch.setattr(sweep_cost, 'worker_ids', lambda threads: [worker.pid])
    monkeypatch.setattr(sweep_cost, 'run_all', write_folds)
    (tmp_path / 'undisturbed').mkdir()
    (tmp_path / 'undisturbed/predictions.csv').write_text('a')
    args = read('--folds', '3')
    assert kill_a_worker(args, tmp_path, tmp_path / 'killed', tmp_path / 'undisturbed') == said
    assert worker.returncode == -signal.SIGKILL


@pytest.mark.parametrize(('complete', 'done'), [(True, True), (False, False)])
def test_a_run_is_of_all_folds_in_processes_of_their_own(tmp_path, tiny_override, monkeypatch, complete, done):
    asked = {}

    def run_folds(experiment, seed, work_dir, jobs, **options):
        asked.update(folds=len(experiment.chosen), threads=experiment.threads, jobs=jobs, **options)
        return {'complete': complete, 'folds': {'missing': ['s01']}}

    args = read('--override', str(tiny_override))
    data = write_random_store(tmp_path / 'data', args.clips, args.folds, args.clip_len, args.size)
    monkeypatch.setattr(sweep_cost, 'run_folds', run_folds)
    with nullcontext() if done else pytest.raises(RuntimeError, match='folds are missing'):
        run_all(args, data, tmp_path / 'run', workers=1, threads=2)
    assert asked == {'folds': 2, 'threads': 2, 'jobs': 1, 'stack': 'off', 'isolated': True}


@pytest.mark.parametrize(
    ('option', 'said'), [('--workers', 'workers of at least 2'), ('--rounds', 'rounds of at least 1')]
)
def test_settings_that_measure_nothing_are_refused(option, said):
    with pytest.raises(InputError, match=said):
        measure(read(option, '0'))
