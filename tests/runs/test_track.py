"""--track: the curves of finished folds in TensorBoard's files, once each, whatever happens around them."""

from dataclasses import replace

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mer_bench.errors import InputError
from mer_bench.runs import run as whole_run
from mer_bench.runs import track
from mer_bench.runs.run import RunSettings, run_folds


def events(run):
    return {path: path.stat().st_mtime_ns for path in run.glob('track/tensorboard/*/events*')}


def test_each_fold_is_a_run_with_its_curves_and_is_written_once(run, experiment):
    before = {path: path.read_bytes() for path in run.glob('*.*')}
    run_folds(experiment, RunSettings(0, run, track='tensorboard'))
    assert before == {path: path.read_bytes() for path in run.glob('*.*')}  # predictions and record are as they were
    written = events(run)
    assert sorted(path.parent.name for path in written) == ['smic_s01', 'smic_s02', 'smic_s03']
    for path in written:
        found, curves = EventAccumulator(str(path)), pd.read_csv(run / 'folds' / path.parent.name / 'curves.csv')
        found.Reload()
        assert sorted(found.Tags()['scalars']) == ['loss', 'lr', 'train_accuracy']
        points = [(event.step, event.value) for event in found.Scalars('loss')]
        assert points == [pytest.approx(point) for point in curves[['epoch', 'loss']].itertuples(index=False)]
    run_folds(experiment, RunSettings(0, run, track='tensorboard'))
    assert events(run) == written


def test_a_fold_is_written_when_it_is_finished_not_after_the_last(experiment, tmp_path, monkeypatch):
    calls, names = [], [fold.name for fold in experiment.folds]
    monkeypatch.setattr(whole_run, 'track_folds', lambda *args: calls.append([fold.name for fold in args[-1]]))
    run_folds(replace(experiment, chosen=experiment.folds[:1]), RunSettings(0, tmp_path, track='tensorboard'))
    assert calls == [names[:1], names]


def test_a_fold_that_was_trained_again_replaces_its_run(run, experiment):
    run_folds(experiment, RunSettings(0, run, track='tensorboard'))
    written, folder = events(run), run / 'track/tensorboard/smic_s02'
    with open(folder / 'curves.csv', 'a') as file:  # it was written for other curves
        file.write('9,9,9,9\n')
    run_folds(experiment, RunSettings(0, run, track='tensorboard'))
    assert len(events(run)) == 3
    assert {path.parent.name for path in {*events(run)} - {*written}} <= {'smic_s02'}
    assert (folder / 'curves.csv').read_bytes() == (run / 'folds/smic_s02/curves.csv').read_bytes()


def test_a_tool_that_fails_ends_no_run(run, experiment, monkeypatch, capsys):
    monkeypatch.setattr(track, 'open_backend', lambda *args: 1 / 0)
    assert run_folds(experiment, RunSettings(0, run, track='tensorboard'))['complete']
    assert '--track tensorboard: ZeroDivisionError: division by zero; run the same' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('tool', 'sentence'),
    [('wandb', 'wandb is not installed; run `pip install wandb`'), ('aim', 'expected tensorboard, wandb, mlflow')],
)
def test_a_tool_that_is_not_there_is_one_sentence(monkeypatch, tmp_path, tool, sentence):
    monkeypatch.setattr(track, 'find_spec', lambda name: None)
    with pytest.raises(InputError, match=sentence):
        RunSettings(0, tmp_path, track=tool)


def test_a_method_without_epochs_has_nothing_to_track(experiment, tmp_path):
    estimator = replace(experiment, method=replace(experiment.method, is_estimator=True))
    with pytest.raises(InputError, match='has no epochs, so no learning curves; leave --track out'):
        run_folds(estimator, RunSettings(0, tmp_path, track='tensorboard'))
