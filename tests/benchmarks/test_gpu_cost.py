import multiprocessing
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from benchmarks import gpu_cost, loso_cost
from benchmarks.full_loso_cost import run_options
from benchmarks.gpu_cost import Sizes, folds_so_far, in_a_process, measure, measure_parts
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import open_experiment
from tests.training.test_cuda_graph import StandIn, network, no_capture

LEAST = dict(batch=2, clip_len=2, size=32, rounds=1, folds=2, epochs=2, plain_folds=2, plain_epochs=1)
LEAST |= dict(clips=6, subjects=2, full_epochs=1)


def seconds_of_a_run(args, data, work_dir, jobs):
    """Stands in for a run of all folds, which is tested with the benchmark full-loso."""
    experiment = open_experiment(run_options(args, data, args.threads, args.device))
    assert len(experiment.folds) == 2
    return 7.0


def in_this_process(part, device, sizes, folder, limit):
    return part(device, sizes, folder)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Measures small sizes in fp32 on a CPU, where stand-ins capture and compile, and the count is of another test."""
    init_default_scope('mmaction')
    monkeypatch.setattr(gpu_cost, 'build_models', lambda config: {'full': network()})
    monkeypatch.setattr(gpu_cost, 'count', lambda model, shape: {'flops_step': 1})
    monkeypatch.setattr(gpu_cost, 'checked', lambda *arguments: {'right': False, 'fp32_layers': []})
    monkeypatch.setattr(gpu_cost, 'SIZES', [6, 4, 5])
    monkeypatch.setattr(loso_cost, 'SIZES', [6, 4, 5])
    monkeypatch.setattr(gpu_cost, 'run_once', seconds_of_a_run)
    monkeypatch.setattr(torch.nn.Module, 'compile', lambda module, mode: None)
    StandIn(monkeypatch)
    threads = torch.get_num_threads()
    yield lambda run=in_this_process: measure_parts('cpu', Sizes(**LEAST), tmp_path, run)
    torch.set_num_threads(threads)


def test_everything_is_measured(small):
    result = small()
    assert result['missing'] == {}
    seconds, ratios = result['seconds'], result['ratios']
    steps = {'full_captured', 'full_tuned', 'full_compiled'}
    assert {*seconds} == steps | {'full_plain', 'plain_loop', 'stacked', 'loso_run'}
    assert ratios['stacked']['median'] == pytest.approx(seconds['plain_loop'] / seconds['stacked'])
    assert {*ratios} == {*result['against']} == steps | {'stacked'}
    captured, _, replayed, _, scaled, run = result['notes']
    assert replayed == 'full_captured: 5 of 6 steps were replayed'  # all but the first of 4 to prepare and 2 timed
    assert 'replayed as a CUDA graph for batches of 2 clips' in captured
    assert 'scaled from' in scaled
    assert '6 clips, 2 folds, 1 epochs: 7 s, from opening' in run


def test_a_part_that_fails_leaves_the_others(small, monkeypatch):
    StandIn(monkeypatch, no_capture)

    def only_the_first(part, *arguments):
        if part.__name__ != 'full_captured':
            raise RuntimeError('no time')
        return in_this_process(part, *arguments)

    result = small(only_the_first)
    assert {*result['seconds']} == {'full_plain'}
    for name in ('full_captured', 'full_tuned'):
        assert result['missing'].pop(name).startswith('no CUDA graph, ')
    assert result['missing'] == dict.fromkeys(('stacked', 'loso_run', 'full_compiled'), 'no time')


def too_long(device, sizes, folder):
    time.sleep(600)


def failing(device, sizes, folder):
    raise ValueError('no\nreason')


def quick(device, sizes, folder):
    print('not part of the result')
    return {'seconds': {'quick': 1.0}}


def test_a_part_ends_with_its_time(monkeypatch, tmp_path, capfd):
    forked = multiprocessing.get_context('fork')  # starts at once
    monkeypatch.setattr(gpu_cost, 'get_context', lambda kind: forked)

    def result_of(part, limit):
        (folder := tmp_path / part.__name__).mkdir()
        return in_a_process(part, 'cpu', Sizes(), folder, limit)

    assert result_of(quick, 60) == {'seconds': {'quick': 1.0}}
    assert result_of(failing, 60) == {'missing': {'failing': 'ValueError: no reason'}}
    with pytest.raises(RuntimeError, match='it took longer than 0 s'):
        result_of(too_long, 0.1)
    assert capfd.readouterr().out == ''


def test_an_unfinished_run_is_scaled_from_its_finished_folds(tmp_path):
    with pytest.raises(RuntimeError, match='it finished no fold in its time'):
        folds_so_far(Sizes(), tmp_path)
    (tmp_path / 'begun').touch()
    for folder in ('s01', 's02', '.s03'):
        path = tmp_path / 'run/folds' / folder / 'fold.json'
        path.parent.mkdir(parents=True)
        path.touch()
    result = folds_so_far(Sizes(), tmp_path)
    took = (tmp_path / 'run/folds/s02/fold.json').stat().st_mtime - (tmp_path / 'begun').stat().st_mtime
    assert result['seconds']['loso_run'] == pytest.approx(took * 16 / 2)
    assert 'of 2 folds' in result['notes'][0]


def test_without_a_gpu_one_sentence_says_so():
    with pytest.raises(InputError, match='expected a GPU, got --device cpu'):
        measure(SimpleNamespace(device='cpu'))
