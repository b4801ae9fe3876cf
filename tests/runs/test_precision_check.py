"""The precision of a run is checked once, noted, and the same for all of its folds."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.provenance import with_decision
from mer_bench.results.record import read_record
from mer_bench.runs import model as run_model
from mer_bench.runs.model import build_model, check, needs_check, settle_precision, settle_training
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training.fold import fold_config
from mer_bench.training.gradient_check import Agreement
from mer_bench.training.stacking.strategy import StackChoice
from tests.training.stacking.stack_experiment import stack_experiment
from tests.training.test_fold_config import experiment_on

RIGHT = PrecisionCheck('bf16', 'bf16', agreement=0.999, seconds=1.0)
LAYER = 'backbone.layer3.1.conv2.conv'


@pytest.fixture(scope='module')
def experiment(prepared_data, tiny_override):
    """In bf16, which torch computes on any processor; one fold of one epoch."""
    opened = experiment_on(
        prepared_data, overrides=[str(tiny_override)], cfg_options=['train_cfg.max_epochs=1'], folds=['s01']
    )
    return replace(opened, precision='bf16')


@pytest.fixture(scope='module')
def model(experiment):
    return build_model(experiment)


@pytest.fixture(scope='module')
def finished(experiment, tmp_path_factory):
    """The folder of a run with its only chosen fold."""
    work_dir = tmp_path_factory.mktemp('run')
    run_folds(experiment, RunSettings(0, work_dir))
    return work_dir


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, and a function that changes what its record says of the precision."""
    folder = shutil.copytree(finished, tmp_path / 'run')

    def noted(**changes):
        path = folder / 'record.json'
        record = read_record(path)
        record['precision'] = PrecisionCheck(**(vars(RIGHT) | changes)).record if changes else None
        path.write_text(json.dumps(record))
        return folder

    return noted


def test_what_was_decided_is_in_the_record_and_in_the_config_and_the_log_of_the_fold(finished):
    noted = read_record(finished / 'record.json')['precision']
    assert (noted['asked'], noted['used']) == ('bf16', 'bf16')
    assert LAYER in noted['fp32_layers']  # three pixels of kernel, two of map
    assert noted['agreement'] >= 0.99
    cfg = Config.fromfile(finished / 'folds/smic_s01/config.py')
    assert cfg.fp32_layers == noted['fp32_layers']
    log = (finished / 'folds/smic_s01/train.log').read_text()
    (line,) = (line for line in log.splitlines() if 'INFO - precision: ' in line)
    assert f'bf16, {len(noted["fp32_layers"])} layer' in line
    assert f'({noted["fp32_layers"][0]}' in line
    assert '; the gradients agree with fp32' in line


def test_the_comparison_sees_the_shape_of_the_clips_alone(experiment, model, finished):
    blind = replace(experiment, data=SimpleNamespace(shape=experiment.data.shape))
    assert check(blind, model).decision == read_record(finished / 'record.json')['precision']['decision']


@pytest.mark.slow
def test_a_worker_finds_the_same(experiment, model, finished, tmp_path):
    settled = settle_precision(experiment, model, None, apart=True)
    assert settled.check.decision == read_record(finished / 'record.json')['precision']['decision']


def test_a_finished_fold_is_not_checked_again(experiment, finished, monkeypatch):
    monkeypatch.setattr(run_model, 'check', lambda *args: pytest.fail('it was checked again'))
    before = read_record(finished / 'record.json')['precision']
    assert run_folds(experiment, RunSettings(0, finished))['precision'] == before
    assert needs_check(replace(experiment, chosen=experiment.folds), finished)
    assert not needs_check(replace(experiment, precision='fp32', chosen=experiment.folds), finished)


def test_a_run_goes_on_with_what_it_began_with_where_that_covers_what_is_found(experiment, run):
    folder = run(fp32_layers=(LAYER, 'neck.more'))
    found = replace(RIGHT, fp32_layers=(LAYER,))
    settled = with_decision(experiment, read_record(folder / 'record.json'), found)
    assert settled.check.fp32_layers == (LAYER, 'neck.more')
    begun = read_record(run(used='fp32', why='x') / 'record.json')
    assert with_decision(experiment, begun, found).precision == 'fp32'


@pytest.mark.parametrize('before', [{}, dict(fp32_layers=('neck.other',))])
def test_folds_of_another_decision_are_not_mixed_with(experiment, run, monkeypatch, before):
    monkeypatch.setattr(run_model, 'check', lambda *args: replace(RIGHT, fp32_layers=(LAYER,)))
    more = replace(experiment, chosen=experiment.folds)
    with pytest.raises(InputError, match=f'folds of another precision .*now bf16, 1 layer in fp32 .{LAYER}'):
        run_folds(more, RunSettings(0, run(**before)))


def test_a_fault_between_the_layers_takes_the_run_to_fp32(experiment, model, monkeypatch, tmp_path):
    found = Agreement((LAYER,), 0.999, ('neck', 0.5), mended=False)
    monkeypatch.setattr(run_model, 'compare_gradients', lambda *args: found)
    settled = settle_precision(experiment, model, None, apart=False)
    assert settled.precision == 'fp32'
    assert settled.check.line == (
        'precision: fp32 in place of bf16: its gradients disagree with fp32 (to 0.5000 at neck)'
    )


@pytest.mark.parametrize(('amp', 'found'), [('auto', ('fp32', 'stacked', 2)), (True, ('bf16', 'off', 1))])
def test_a_network_that_can_be_trained_from_memory_is_in_fp32_unless_asked_otherwise(amp, found, tmp_path, monkeypatch):
    experiment = replace(stack_experiment(tmp_path, 'one_hidden_layer'), precision='bf16')
    experiment.method.cfg.amp = amp  # not in a config: True is refused there without bf16 instructions
    monkeypatch.setattr('mer_bench.training.stacking.strategy.measure', lambda *args: StackChoice('stacked', 2))
    settled, choice, _ = settle_training(experiment, None, seed=0, stack='auto')
    assert (settled.precision, choice.way, choice.folds) == found
    assert settled.check.used == found[0]


def test_gradients_that_cannot_be_compared_are_not_trusted(experiment, model, monkeypatch):
    monkeypatch.setattr(run_model, 'compare_gradients', lambda *args: 1 / 0)
    found = check(experiment, model)
    assert (found.used, found.why) == (
        'fp32',
        'its gradients cannot be compared: ZeroDivisionError: division by zero',
    )


def test_gradients_are_compared_on_two_clips_where_more_do_not_fit_on_the_gpu(experiment, model, monkeypatch):
    def compare(model, inputs, *args):
        if len(inputs) > 2:
            raise torch.cuda.OutOfMemoryError
        return Agreement((), 0.999, ('', 0.99), mended=True)

    monkeypatch.setattr(run_model, 'compare_gradients', compare)
    assert check(experiment, model).used == 'bf16'


def test_a_comparison_that_ends_its_process_leads_to_fp32(experiment, model, monkeypatch, tmp_path):
    def die(*args):
        raise TerminatedWorkerError

    monkeypatch.setattr(run_model, 'in_workers', die)
    assert settle_precision(experiment, model, None, apart=True).precision == 'fp32'


def test_in_fp32_the_optimiser_does_not_bring_mixed_precision_back(experiment, tmp_path):
    cfg = experiment.method.cfg
    wrapper = dict(cfg.optim_wrapper, type='AmpOptimWrapper', dtype='bfloat16')
    method = replace(experiment.method, cfg=Config({**cfg.to_dict(), 'optim_wrapper': wrapper}))
    fallen = replace(experiment, method=method, precision='fp32', check=PrecisionCheck('bf16', 'fp32', why='x'))
    assert fold_config(fallen, experiment.folds[0], 0, tmp_path).optim_wrapper == cfg.optim_wrapper | dict(
        type='OptimWrapper'
    )


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        ({}, 'precision: bf16; the gradients agree with fp32, the least to 0.9990 (1 s)'),
        (
            dict(fp32_layers=('a', 'b')),
            'precision: bf16, 2 layers in fp32 (a, b); the gradients agree with fp32, the least to 0.9990 (1 s)',
        ),
        (
            dict(fp32_layers=('a', 'b', 'c')),
            'precision: bf16, 3 layers in fp32 (a, b, ...); the gradients agree with fp32, the least to 0.9990 (1 s)',
        ),
        (dict(used='fp32', why='a reason'), 'precision: fp32 in place of bf16: a reason'),
    ],
)
def test_the_line_in_the_log(changes, line):
    assert replace(RIGHT, **changes).line == line
