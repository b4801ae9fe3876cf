"""All folds on the tiny data set: what a stop, an order or a second run may not change."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.experiment import provenance
from mer_bench.experiment.experiment import RunOptions
from mer_bench.files import sealed, write_json
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.results.record import read_record, write_record
from mer_bench.runs import run as whole_run
from mer_bench.runs.checkpoints import predict_with_checkpoints
from mer_bench.runs.run import RunSettings
from mer_bench.runs.run_folder import Run, write_scheme
from mer_bench.runs.train import train
from mer_bench.training import fold
from tests.conftest import ROOT, write_prepared_data
from tests.training.test_fold_config import experiment_on

CASME2 = str(ROOT / 'configs/mer_casme2_3class.py')


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
    one = replace(experiment, chosen=experiment.folds[:1])
    note = whole_run.run_folds(one, RunSettings(0, tmp_path))['note_on_model']
    assert '3x1x1, 5x1x1 on 1x8x8 after stage 1' in note  # clips of two frames
    assert capsys.readouterr().err.count(f'{note}\n') == 1


def test_a_finished_fold_leaves_its_predictions_config_and_log(finished_run):
    names = {path.name for path in (finished_run / 'folds' / 'smic_s01').iterdir()}
    assert names == {'predictions.csv', 'config.py', 'train.log', 'fold.json', 'curves.csv', 'checkpoint.pth'}


def test_folds_in_another_order_and_one_by_one_give_the_same_bytes(
    finished_run, prepared_data, tiny_override, tmp_path
):
    for name in ('s03', 's01'):
        one = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=[name])
        record = whole_run.run_folds(one, RunSettings(0, tmp_path))
    assert (record['complete'], record['folds']['missing'], record['scores']) == (False, ['smic/s02'], None)
    whole_run.run_folds(experiment_on(prepared_data, overrides=[str(tiny_override)]), RunSettings(0, tmp_path))
    assert (tmp_path / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_training_stopped_between_epochs_continues_to_the_same_bytes(finished_run, experiment, tmp_path, monkeypatch):
    reported = []

    def stop_in_second_epoch(folder, epoch):
        reported.append(epoch)
        if reported == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(fold, 'report_epoch', stop_in_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        whole_run.run_folds(experiment, RunSettings(0, tmp_path))
    whole_run.run_folds(experiment, RunSettings(0, tmp_path))
    assert reported[2:4] == [2, 1]  # the first epoch was not trained again
    for name in ('predictions.csv', 'curves.csv', 'folds/smic_s01/curves.csv'):  # each epoch once
        assert (tmp_path / name).read_bytes() == (finished_run / name).read_bytes()


@pytest.mark.slow
def test_two_folds_at_a_time_give_the_same_bytes(finished_run, experiment, tmp_path):
    whole_run.run_folds(experiment, RunSettings(0, tmp_path, jobs=2))
    assert (tmp_path / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_finished_run_is_not_trained_again(finished_run, experiment, monkeypatch):
    monkeypatch.setattr(whole_run, 'run_missing', lambda *args: pytest.fail('a finished fold was trained again'))
    monkeypatch.setattr('mer_bench.runs.model.build_model', lambda experiment: pytest.fail('a model was built'))
    monkeypatch.setattr('mer_bench.evaluation.metrics.score_table', lambda *args: pytest.fail('it was scored again'))
    before = (finished_run / 'record.json').stat()
    assert whole_run.run_folds(experiment, RunSettings(0, finished_run)) == read_record(finished_run / 'record.json')
    assert (finished_run / 'record.json').stat().st_mtime_ns == before.st_mtime_ns


def test_a_run_that_goes_on_reads_its_record_once(prepared_data, tmp_path, monkeypatch):
    read, reads = provenance.read_record, []
    monkeypatch.setattr(provenance, 'read_record', lambda path: reads.append(path) or read(path))
    for count, folds in ((0, ['s01']), (1, ['s02']), (2, ['s01', 's02'])):  # begun, continued, read
        whole_run.run_folds(experiment_on(prepared_data, overrides=['majority'], folds=folds), RunSettings(0, tmp_path))
        assert len(reads) == count


def test_another_seed_gives_other_numbers(finished_run, experiment, tmp_path):
    whole_run.run_folds(experiment, RunSettings(1, tmp_path))
    columns = ['score_negative', 'score_positive']
    first, second = (pd.read_csv(folder / 'predictions.csv')[columns] for folder in (finished_run, tmp_path))
    assert not first.equals(second)


@pytest.mark.parametrize(
    ('seed', 'options', 'part'), [(1, [], 'seed'), (0, ['optim_wrapper.optimizer.lr=0.1'], 'config')]
)
def test_a_folder_of_other_settings_is_not_mixed_with(finished_run, prepared_data, tiny_override, seed, options, part):
    other = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=options)
    with pytest.raises(InputError, match=f'folds of another {part}'):
        whole_run.run_folds(other, RunSettings(seed, finished_run))


def test_saved_checkpoints_give_the_same_predictions(finished_run, experiment, tmp_path):
    predict_with_checkpoints(experiment, finished_run, tmp_path / 'again.csv')
    assert (tmp_path / 'again.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_run_without_checkpoints_is_refused_by_a_test_of_checkpoints(prepared_data, tiny_override, tmp_path):
    one = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'])
    with pytest.raises(InputError, match=r'no record\.json in'):
        predict_with_checkpoints(one, tmp_path, tmp_path / 'out.csv')
    whole_run.run_folds(one, RunSettings(0, tmp_path))
    with pytest.raises(
        InputError, match=r'checkpoint\.pth, missing in 1 of 1, such as smic/s01; train into a new --work-dir'
    ):
        predict_with_checkpoints(one, tmp_path, tmp_path / 'out.csv')
    with pytest.raises(InputError, match=r'smic/s01 is finished without a checkpoint; give another --work-dir'):
        whole_run.run_folds(one, RunSettings(0, tmp_path, save_checkpoints=True))


def test_checkpoints_are_scored_on_the_data_they_belong_to(finished_run, tiny_override, tmp_path):
    other = experiment_on(write_prepared_data(tmp_path / 'other', clip_len=1), overrides=[str(tiny_override)])
    with pytest.raises(
        InputError, match=r'another flow store \(.*; give the config, overrides and data of its training'
    ):
        predict_with_checkpoints(other, finished_run, tmp_path / 'out.csv')


def test_a_schedule_that_cannot_be_built_is_one_sentence(prepared_data, tiny_override, tmp_path):
    options = ['param_scheduler.0.type=Nothing']
    wrong = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'], cfg_options=options)
    with pytest.raises(InputError, match=r'param_scheduler cannot be built: .*Nothing'):
        whole_run.run_folds(wrong, RunSettings(0, tmp_path))


def test_other_settings_are_refused_before_gradients_are_compared(finished_run, experiment, monkeypatch):
    monkeypatch.delattr('mer_bench.runs.model.settle_precision')
    with pytest.raises(InputError, match='holds folds of another seed'):
        whole_run.run_folds(experiment, RunSettings(1, finished_run))


def test_a_training_that_diverges_is_no_finished_fold(prepared_data, tiny_override, tmp_path):
    options = ['optim_wrapper.optimizer.lr=1e20', 'optim_wrapper.clip_grad=None']
    wild = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'], cfg_options=options)
    with pytest.raises(InputError, match='the training of fold smic/s01 diverged'):
        whole_run.run_folds(wild, RunSettings(0, tmp_path))
    assert not (tmp_path / 'folds/smic_s01').exists()


def test_the_record_names_the_circumstances_of_every_fold(finished_run, experiment, monkeypatch, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / 'run')
    for name, commit in (('s01', 'abc'), ('s02', 'def'), ('s03', 'abc')):
        path = run / f'folds/smic_{name}/fold.json'
        write_json(path, sealed(json.loads(path.read_text()) | {'commit': commit}))
    monkeypatch.setattr(provenance, 'commit', lambda: 'nothing was trained by this one')
    assert whole_run.run_folds(experiment, RunSettings(0, run))['commit'] == 'abc, def'


def test_a_run_does_not_go_on_with_other_threads(finished_run, prepared_data, tiny_override):
    other = experiment_on(prepared_data, overrides=[str(tiny_override)], threads=2)
    with pytest.raises(InputError, match='holds folds of another device'):
        whole_run.run_folds(other, RunSettings(0, finished_run))
    experiment_on(prepared_data)  # one thread again


def test_a_finished_run_in_a_folder_that_cannot_be_written_to_is_read(finished_run, experiment, monkeypatch):
    monkeypatch.setattr(
        whole_run.os, 'access', lambda path, mode: False
    )  # root may write everywhere but on such a disk
    monkeypatch.setattr(whole_run, 'locked', lambda *args: pytest.fail('it was to be written to'))
    record = whole_run.run_folds(experiment, RunSettings(0, finished_run))
    assert record == read_record(finished_run / 'record.json')
    with pytest.raises(InputError, match=r'holds folds of another seed \(0, now 1\)'):
        whole_run.run_folds(experiment, RunSettings(1, finished_run))


def test_the_scheme_of_a_run_can_be_used_again(tmp_path):
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=('disgust', 'happiness', 'surprise'))
    first = experiment_on(root, config=CASME2)
    write_scheme(first, tmp_path)
    again = experiment_on(root, config=CASME2, cfg_options=[f'label_scheme={tmp_path}/label_scheme.csv'])
    assert again.method.scheme.rules == first.method.scheme.rules
    assert again.method.cfg.classes == first.method.cfg.classes
    assert again.data.annotations['label'].equals(first.data.annotations['label'])


def test_clips_left_out_by_name_are_in_a_table_beside_it(tmp_path):
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=('disgust', 'happiness', 'surprise'))
    (tmp_path / 'own.csv').write_text('dataset,column,value,label\ncasme2,emotion,disgust,a\ncasme2,emotion,*,b\n')
    (tmp_path / 'excluded_clips.csv').write_text(
        'scheme,dataset,subject,clip,reason\nown,casme2,s02,di_0,"blurred, says a paper"\n'
    )
    data = experiment_on(root, config=CASME2, cfg_options=[f'label_scheme={tmp_path}/own.csv'])
    write_scheme(data, tmp_path / 'run')
    again = load_scheme(tmp_path / 'run/label_scheme.csv')
    assert again.excluded == (('casme2/s02/di_0', 'blurred, says a paper'),)
    assert again.digest == data.method.scheme.digest


def scored(run):
    return json.loads((run / 'record.json').read_text())['scores']


@pytest.mark.parametrize('name', ['predictions.csv', 'record.json'])
def test_a_finished_run_whose_table_or_scores_were_changed_is_scored_again(finished_run, experiment, tmp_path, name):
    run = shutil.copytree(finished_run, tmp_path / 'run', ignore=shutil.ignore_patterns('*.pth'))
    right = (run / 'predictions.csv').read_bytes(), scored(run)
    if name == 'record.json':
        record = read_record(run / name)
        record['scores']['full']['uf1'] /= 2
        write_record(run / name, record)
    else:
        (run / name).write_bytes(right[0].replace(b'negative,negative', b'negative,positive'))
    whole_run.run_folds(experiment, RunSettings(0, run))
    assert ((run / 'predictions.csv').read_bytes(), scored(run)) == right


def test_the_log_of_a_fold_begins_with_the_run_and_that_of_the_run_has_a_line_a_fold(finished_run):
    first = (finished_run / 'folds/smic_s01/train.log').read_text().splitlines()[0]
    assert first.endswith('mer_smic, multiscale_resnet3d50+tiny, fold smic/s01, seed 0, cpu, 1 thread a training')
    lines = (finished_run / 'train.log').read_text().splitlines()
    assert lines[0] == 'mer_smic, multiscale_resnet3d50+tiny, seed 0, cpu, 1 thread a training'
    assert [line.split()[2] for line in lines[1:]] == ['smic/s01:', 'smic/s02:', 'smic/s03:']


def test_a_run_has_a_table_of_its_subjects(finished_run):
    run = Run(finished_run, read_record(finished_run / 'record.json'))
    table, predictions = run.per_subject(), pd.read_csv(finished_run / 'predictions.csv')
    assert table['subject'].tolist() == ['smic/s01', 'smic/s02', 'smic/s03']
    assert table['clips'].tolist() == [6, 6, 6]
    first = predictions[predictions['subject'] == 'smic/s01']
    hits = first['y_true'] == first['y_pred']
    assert table['accuracy'][0] == hits.mean()
    assert table['recall_negative'][0] == hits[first['y_true'] == 'negative'].mean()


def test_a_run_that_lacks_folds_has_no_predictions(finished_run):
    record = read_record(finished_run / 'record.json') | dict(complete=False, folds=dict(total=3, done=1))
    with pytest.raises(InputError, match=r'1 of 3 folds are finished .*: train the other folds first'):
        _ = Run(finished_run, record).predictions


def test_a_seed_of_numpy_is_recorded_as_a_number(prepared_data, tmp_path):
    options = RunOptions(str(ROOT / 'configs/mer_smic.py'), ['majority'], data_root=[str(prepared_data)])
    train(options, RunSettings(np.int64(1), tmp_path, jobs=1))
    assert json.loads((tmp_path / 'record.json').read_text())['seed'] == 1


@pytest.mark.parametrize('wrong', [dict(seed=True), dict(seed=1.0), dict(jobs=True), dict(stack=True), dict(stack=0)])
def test_settings_that_are_no_whole_numbers_are_refused(wrong):
    with pytest.raises(InputError, match=r'expected .*a whole number .*; correct it'):
        RunSettings(**dict(seed=0, work_dir=None) | wrong)


def test_the_settings_and_the_strategy_of_a_run_need_no_torch():
    code = 'import sys, mer_bench.runs.run as run; run.StackChoice("off"); print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'False\n'
