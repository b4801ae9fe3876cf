"""All folds on the tiny data set: what a stop, an order or a second run may not change."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.record import read_record
from mer_bench.runs import record as run_record
from mer_bench.runs import run as loso
from mer_bench.runs import workers as fold_workers
from mer_bench.runs.checkpoints import predict_with_checkpoints
from mer_bench.training import fold
from tests.conftest import write_prepared_data
from tests.training.test_fold_config import experiment_on


@pytest.fixture(scope='module')
def experiment(prepared_data, tiny_override):
    return experiment_on(prepared_data, overrides=[str(tiny_override)])


def test_every_clip_is_predicted_once_by_the_fold_that_held_it_out(finished_run, experiment):
    table = pd.read_csv(finished_run / 'predictions.csv')
    assert table['sample_id'].tolist() == experiment.data.annotations['sample_id'].tolist()
    assert (table['fold'] == table['subject']).all()
    emotions = experiment.data.annotations.set_index('sample_id')['emotion']
    assert (table.set_index('sample_id')['y_true'] == emotions).all()


def test_scores_of_every_output_are_in_the_table(finished_run):
    table = pd.read_csv(finished_run / 'predictions.csv')
    for output in ('', 'scale0_', 'scale2_', 'fused_'):
        block = table[[f'{output}score_{name}' for name in ('negative', 'positive', 'surprise')]]
        assert block.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


def test_the_record_says_what_was_run(finished_run):
    record = json.loads((finished_run / 'record.json').read_text())
    assert record['complete']
    assert record['folds'] == {'total': 3, 'done': 3, 'missing': []}
    assert record['clips_per_class'] == {'negative': 6, 'positive': 6, 'surprise': 6}
    assert record['subjects_per_class'] == {'negative': 3, 'positive': 3, 'surprise': 3}
    assert (record['synthetic'], record['epoch_rule'], record['source']) == (True, 'last', 'reproduced')
    assert record['scores']['full']['n'] == 18
    assert record['seconds']['train'] > 0


def test_clips_that_are_too_short_for_a_kernel_are_said_in_one_line(experiment, tmp_path, capsys):
    note = loso.run_folds(replace(experiment, chosen=experiment.folds[:1]), 0, tmp_path)['note_on_model']
    assert '3x1x1, 5x1x1 on 1x8x8 after stage 1' in note  # clips of two frames
    assert capsys.readouterr().err.count(f'{note}\n') == 1


def test_a_finished_fold_leaves_its_predictions_config_and_log(finished_run):
    names = {path.name for path in (finished_run / 'folds' / 'smic_s01').iterdir()}
    assert names == {'predictions.csv', 'config.py', 'train.log', 'fold.json', 'checkpoint.pth'}


def test_folds_in_another_order_and_one_by_one_give_the_same_bytes(
    finished_run, prepared_data, tiny_override, tmp_path
):
    for name in ('s03', 's01'):
        one = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=[name])
        record = loso.run_folds(one, 0, tmp_path)
    assert (record['complete'], record['folds']['missing'], record['scores']) == (False, ['smic/s02'], None)
    loso.run_folds(experiment_on(prepared_data, overrides=[str(tiny_override)]), 0, tmp_path)
    assert (tmp_path / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_training_stopped_between_epochs_continues_to_the_same_bytes(finished_run, experiment, tmp_path, monkeypatch):
    reported = []

    def stop_in_second_epoch(folder, epoch):
        reported.append(epoch)
        if reported == [0, 1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(fold, 'report_epoch', stop_in_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        loso.run_folds(experiment, 0, tmp_path)
    loso.run_folds(experiment, 0, tmp_path)
    assert reported[3:5] == [1, 2]  # the first epoch was not trained again
    assert (tmp_path / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


@pytest.mark.slow
def test_two_folds_at_a_time_give_the_same_bytes(finished_run, experiment, tmp_path):
    loso.run_folds(experiment, 0, tmp_path, jobs=2)
    assert (tmp_path / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_finished_run_is_not_trained_again(finished_run, experiment, monkeypatch):
    monkeypatch.setattr(fold_workers, 'run_group', lambda *args: pytest.fail('a finished fold was trained again'))
    scores = json.loads((finished_run / 'record.json').read_text())['scores']
    assert loso.run_folds(experiment, 0, finished_run)['scores'] == scores


def test_another_seed_gives_other_numbers(finished_run, experiment, tmp_path):
    loso.run_folds(experiment, 1, tmp_path)
    columns = ['score_negative', 'score_positive']
    first, second = (pd.read_csv(folder / 'predictions.csv')[columns] for folder in (finished_run, tmp_path))
    assert not first.equals(second)


@pytest.mark.parametrize(
    ('seed', 'options', 'part'), [(1, [], 'seed'), (0, ['optim_wrapper.optimizer.lr=0.1'], 'config')]
)
def test_a_folder_of_other_settings_is_not_mixed_with(finished_run, prepared_data, tiny_override, seed, options, part):
    other = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=options)
    with pytest.raises(InputError, match=f'folds of another {part}'):
        loso.run_folds(other, seed, finished_run)


def test_saved_checkpoints_give_the_same_predictions(finished_run, experiment, tmp_path):
    predict_with_checkpoints(experiment, finished_run, tmp_path / 'again.csv')
    assert (tmp_path / 'again.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_run_without_checkpoints_is_told_apart(prepared_data, tiny_override, tmp_path):
    one = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'])
    with pytest.raises(InputError, match=r'no record\.json in'):
        predict_with_checkpoints(one, tmp_path, tmp_path / 'out.csv')
    loso.run_folds(one, 0, tmp_path)
    with pytest.raises(InputError, match=r'checkpoint\.pth for smic/s01; train into a new --work-dir'):
        predict_with_checkpoints(one, tmp_path, tmp_path / 'out.csv')
    with pytest.raises(InputError, match=r'smic/s01 is finished without a checkpoint; give another --work-dir'):
        loso.run_folds(one, 0, tmp_path, save_checkpoints=True)


def test_checkpoints_are_scored_on_the_data_they_belong_to(finished_run, tiny_override, tmp_path):
    other = experiment_on(write_prepared_data(tmp_path / 'other', clip_len=1), overrides=[str(tiny_override)])
    with pytest.raises(
        InputError, match=r'another flow store \(.*; give the config, overrides and data of its training'
    ):
        predict_with_checkpoints(other, finished_run, tmp_path / 'out.csv')


def test_parts_of_a_model_that_do_not_fit_are_one_sentence(prepared_data, tiny_override, tmp_path):
    (tmp_path / 'head.py').write_text("model = dict(cls_head=dict(_delete_=True, type='I3DHead', in_channels=8))")
    overrides = [str(tiny_override), str(tmp_path / 'head.py')]
    with pytest.raises(InputError, match=r'the parts of this model.* do not fit together: .*; correct config or ov'):
        run_record.start_record(experiment_on(prepared_data, overrides=overrides), 0)


@pytest.mark.parametrize('option', ['optimizer.lr=abc', 'optimizer.lr=nan', 'optimizer.type=Nothing', 'type=Nothing'])
def test_an_optimiser_that_cannot_be_built_is_one_sentence(prepared_data, tiny_override, option):
    wrong = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=[f'optim_wrapper.{option}'])
    with pytest.raises(InputError, match=r'optim_wrapper cannot be built: .*; correct config or override$'):
        run_record.start_record(wrong, 0)


def test_a_schedule_that_cannot_be_built_is_one_sentence(prepared_data, tiny_override, tmp_path):
    options = ['param_scheduler.0.type=Nothing']
    wrong = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'], cfg_options=options)
    with pytest.raises(InputError, match=r'param_scheduler cannot be built: .*Nothing'):
        loso.run_folds(wrong, 0, tmp_path)


def test_other_settings_are_refused_before_gradients_are_compared(finished_run, experiment, monkeypatch):
    monkeypatch.delattr(loso, 'settle_precision')
    with pytest.raises(InputError, match='holds folds of another seed'):
        loso.run_folds(experiment, 1, finished_run)


def test_a_training_that_diverges_is_no_finished_fold(prepared_data, tiny_override, tmp_path):
    options = ['optim_wrapper.optimizer.lr=1e20', 'optim_wrapper.clip_grad=None']
    wild = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'], cfg_options=options)
    with pytest.raises(InputError, match='the training of fold smic/s01 diverged'):
        loso.run_folds(wild, 0, tmp_path)
    assert not (tmp_path / 'folds/smic_s01').exists()


def test_the_record_names_the_circumstances_of_every_fold(finished_run, experiment, monkeypatch, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / 'run')
    for name, commit in (('s01', 'abc'), ('s02', 'def'), ('s03', 'abc')):
        path = run / f'folds/smic_{name}/fold.json'
        path.write_text(json.dumps(json.loads(path.read_text()) | {'commit': commit}))
    monkeypatch.setattr(run_record, 'commit', lambda: 'nothing was trained by this one')
    assert loso.run_folds(experiment, 0, run)['commit'] == 'abc, def'


def test_a_run_does_not_go_on_with_other_threads(finished_run, prepared_data, tiny_override):
    other = experiment_on(prepared_data, overrides=[str(tiny_override)], threads=2)
    with pytest.raises(InputError, match='holds folds of another device'):
        loso.run_folds(other, 0, finished_run)
    experiment_on(prepared_data)  # one thread again


def test_a_machine_without_git_can_train(experiment, monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert run_record.commit() is None


def test_a_finished_run_in_a_folder_that_cannot_be_written_to_is_read(finished_run, experiment, monkeypatch):
    monkeypatch.setattr(loso.os, 'access', lambda path, mode: False)  # root may write everywhere but on such a disk
    monkeypatch.setattr(loso, 'locked', lambda *args: pytest.fail('it was to be written to'))
    record = loso.run_folds(experiment, 0, finished_run)
    assert record == read_record(finished_run / 'record.json')
    with pytest.raises(InputError, match=r'holds folds of another seed \(0, now 1\)'):
        loso.run_folds(experiment, 1, finished_run)
