"""Stacked folds through run_folds: against MMEngine's Runner, and what a stop or a fault leaves."""

import json
import re

import pandas as pd
import pytest
import torch
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.runs.checkpoints import predict_with_checkpoints
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training.fold_folder import CHECKPOINT
from mer_bench.training.stacking import data
from mer_bench.training.stacking import group as stack_group
from mer_bench.training.stacking.strategy import StackChoice
from mer_bench.training.stacking.ststnet import kernel
from mer_bench.training.stacking.ststnet.kernel import unavailable
from tests.training.stacking.stack_experiment import EVERYTHING, build_model, stack_experiment

KERNEL = """
train_cfg = dict(max_epochs=2)
train_dataloader = dict(batch_size=6)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('stack')


@pytest.fixture(scope='module')
def experiment(folder):
    return stack_experiment(folder, 'ststnet')


@pytest.fixture(scope='module')
def stacked(experiment, folder):
    """A run in stacks of three with checkpoints, and its record."""
    return folder / 'stacked', run_folds(experiment, RunSettings(0, folder / 'stacked', save_checkpoints=True, stack=3))


def scores(run):
    return pd.read_csv(run / 'predictions.csv').filter(like='score_').to_numpy()


def same_predictions(run, other):
    """Compare the folds that both have."""
    folds = [path.name for path in (run / 'folds').iterdir() if (other / 'folds' / path.name).exists()]
    assert folds
    for name in folds:
        first, second = (pd.read_csv(folder / 'folds' / name / 'predictions.csv') for folder in (run, other))
        assert first['y_pred'].tolist() == second['y_pred'].tolist()
        columns = first.filter(like='score_').columns
        assert first[columns].to_numpy() == pytest.approx(second[columns].to_numpy(), abs=1e-5)


@pytest.mark.slow
def test_stacks_and_lean_training_predict_what_the_runner_predicts(folder, stacked, tmp_path):
    one = stack_experiment(folder, 'ststnet', folds=['smic/s01'])  # in a padded stack
    run_folds(one, RunSettings(0, tmp_path / 'off', stack='off'))
    run_folds(one, RunSettings(0, tmp_path / 'lean', stack=1))
    same_predictions(stacked[0], tmp_path / 'off')
    same_predictions(tmp_path / 'lean', tmp_path / 'off')
    assert scores(stacked[0]).std() > 0.05


@pytest.mark.slow
@pytest.mark.skipif(unavailable() is not None, reason='the kernel of STSTNet cannot be built here')
def test_the_compiled_kernel_is_chosen_where_it_fits_and_predicts_what_the_runner_predicts(folder, tmp_path):
    one = stack_experiment(tmp_path, 'ststnet', KERNEL, folds=['smic/s01'])
    assert run_folds(one, RunSettings(0, tmp_path / 'auto'))['stack']['way'] == 'compiled'
    run_folds(one, RunSettings(0, tmp_path / 'off', stack='off'))
    same_predictions(tmp_path / 'auto', tmp_path / 'off')


@pytest.mark.slow
def test_stacks_and_the_runner_test_on_mirrored_copies_too(folder, stacked, tmp_path):
    """The training is the same, so the scores differ because of the copies alone."""
    one = stack_experiment(tmp_path, 'ststnet', f'{EVERYTHING}\ninput = dict(mirror_test=True)', folds=['smic/s01'])
    run_folds(one, RunSettings(0, tmp_path / 'off', stack='off'))
    run_folds(one, RunSettings(0, tmp_path / 'lean', stack=1))
    same_predictions(tmp_path / 'lean', tmp_path / 'off')
    mirrored, plain = (scores(run / 'folds/smic_s01') for run in (tmp_path / 'off', stacked[0]))
    assert abs(mirrored - plain).max() > 1e-3


def test_a_stacked_fold_leaves_what_a_fold_of_the_runner_leaves(stacked, experiment):
    run, record = stacked
    assert record['complete']
    assert (record['stack']['way'], record['stack']['folds'], record['stack']['asked']) == ('stacked', 3, 3)
    fold = run / 'folds/smic_s01'
    assert {path.name for path in fold.iterdir()} == {
        'predictions.csv', 'config.py', 'train.log', 'fold.json', 'curves.csv', CHECKPOINT
    }  # fmt: skip
    result = json.loads((fold / 'fold.json').read_text())
    assert (result['n_train'], result['n_test'], result['stack']) == (14, 6, dict(way='stacked', folds=3))
    assert (fold / 'train.log').read_text().count('loss') == 2
    for log in (fold / 'train.log', stacked[0] / 'train.log'):
        assert re.match(r'mer_\w+, ststnet\S*, .*seed 0, cpu, 1 thread a training, stacked\n', log.read_text())
    assert Config.fromfile(fold / 'config.py').train_dataloader.dataset.subjects == [
        'casme2/s01',
        'casme2/s02',
        'smic/s02',
    ]
    assert (fold / CHECKPOINT).stat().st_size < 50_000  # of one fold, not of the stack


def test_checkpoints_of_a_stack_give_its_predictions(stacked, experiment, tmp_path):
    predict_with_checkpoints(experiment, stacked[0], tmp_path / 'again.csv')
    again = pd.read_csv(tmp_path / 'again.csv').filter(like='score_').to_numpy()
    assert again == pytest.approx(scores(stacked[0]), abs=1e-6)


def test_a_stopped_run_continues_with_the_missing_stacks(stacked, experiment, tmp_path, monkeypatch):
    reports = []

    def stop_in_the_second_stack(folder, epoch):
        reports.append(folder.name)
        if len(reports) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(stack_group, 'report_epoch', stop_in_the_second_stack)
    monkeypatch.setattr(stack_group, 'SECONDS_BETWEEN_REPORTS', 1000)
    with pytest.raises(KeyboardInterrupt):
        run_folds(experiment, RunSettings(0, tmp_path, stack=3))
    finished = {path.name for path in (tmp_path / 'folds').glob('[!.]*')}
    assert finished == {'casme2_s01', 'casme2_s02', 'smic_s01'}
    run_folds(experiment, RunSettings(0, tmp_path, stack=3))
    assert {*reports[4:]} == {'.smic_s02'}
    assert scores(tmp_path) == pytest.approx(scores(stacked[0]), abs=1e-6)  # the last one was alone in both


def test_a_stack_that_does_not_fit_on_the_gpu_is_halved(experiment, tmp_path, monkeypatch):
    sizes, train = [], stack_group.train_folds

    def train_two_at_most(stack, report, audit):
        sizes.append(len(stack.folds))
        if len(stack.folds) > 2:
            raise torch.cuda.OutOfMemoryError
        return train(stack, report, audit)

    monkeypatch.setattr(stack_group, 'train_folds', train_two_at_most)
    results = stack_group.run_group(experiment, experiment.folds, 0, tmp_path, False, StackChoice('stacked', 4))
    assert sizes == [4, 2, 2]
    assert [result['stack']['folds'] for result in results] == [2, 2, 2, 2]


def test_a_fold_that_diverges_takes_no_other_with_it(experiment, tmp_path, monkeypatch):
    train = stack_group.train_folds

    def spoil_one(stack, report, audit):
        weights, losses = train(stack, report, audit)
        weights[1]['cls_head.fc_cls.bias'].fill_(float('nan'))
        return weights, losses

    monkeypatch.setattr(stack_group, 'train_folds', spoil_one)
    with pytest.raises(InputError, match='the training of fold casme2/s02 diverged'):
        run_folds(experiment, RunSettings(0, tmp_path, stack=4))
    finished = {path.name for path in (tmp_path / 'folds').glob('[!.]*')}
    assert finished == {'casme2_s01', 'smic_s01', 'smic_s02'}


def test_folds_during_which_the_data_change_are_not_kept(tmp_path, monkeypatch):
    experiment = stack_experiment(tmp_path, 'ststnet', EVERYTHING)
    table = tmp_path / 'smic/annotations.csv'
    monkeypatch.setattr(stack_group, 'report_epoch', lambda folder, epoch: table.write_text(table.read_text() + '\n'))
    with pytest.raises(InputError, match='changed during the run'):
        run_folds(experiment, RunSettings(0, tmp_path / 'run', stack=4))
    assert not [*(tmp_path / 'run/folds').iterdir()]


def test_a_process_opens_a_run_once_and_another_seed_again(experiment, tmp_path, monkeypatch):
    seeds, build = [], data.build_fresh_runner

    def build_and_count(cfg, scratch, dtype):
        seeds.append(cfg.randomness.seed)
        return build(cfg, scratch, dtype)

    monkeypatch.setattr(data, 'build_fresh_runner', build_and_count)
    for seed in (0, 1):
        for fold in experiment.folds[:2]:
            work_dir = tmp_path / f'seed{seed}'
            stack_group.run_group(experiment, [fold], seed, work_dir, False, StackChoice('sequential'))
    assert seeds == [0, 1]


def test_a_process_opens_a_run_again_after_its_weights_changed(tmp_path):
    file = tmp_path / 'weights.pth'
    experiment = stack_experiment(tmp_path, 'ststnet', f'{EVERYTHING}\nload_from = {str(file)!r}')
    weights = build_model(experiment).state_dict()
    fold, started = experiment.folds[0], []
    for bias in (1.0, 2.0):
        torch.save(weights | {'cls_head.fc_cls.bias': torch.full((3,), bias)}, file)
        for _ in range(2):
            stack = data.open_folds(experiment, [fold], 0, tmp_path / 'run', tmp_path / 'scratch')
            started.append(stack.runner)
        assert stack.runner.model.cls_head.fc_cls.bias.tolist() == [bias] * 3
    assert len({*map(id, started)}) == 2


def test_the_way_is_measured_once_a_run(tmp_path, monkeypatch):
    experiment = stack_experiment(tmp_path, 'one_hidden_layer', folds=['smic/s01'])
    first = run_folds(experiment, RunSettings(0, tmp_path / 'run'))['stack']
    assert first['way'] == min(first['seconds'], key=first['seconds'].get)
    monkeypatch.setattr('mer_bench.training.stacking.strategy.measure', lambda *args: pytest.fail('measured again'))
    second = stack_experiment(tmp_path, 'one_hidden_layer', folds=['smic/s02'])
    assert run_folds(second, RunSettings(0, tmp_path / 'run'))['stack'] == first
    assert not data._shared


def test_a_kernel_that_this_machine_lacks_is_replaced_by_plain_training(monkeypatch):
    monkeypatch.setattr(kernel, 'unavailable', lambda: 'no C++ compiler')
    assert stack_group.find_trainer('compiled') == ('sequential', stack_group.train_folds)
    assert stack_group.find_trainer('stacked') == ('stacked', stack_group.train_folds)
