"""--audit-epochs: the held-out clips are predicted after every epoch, and the training does not notice."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.curves import COLUMNS, CURVES, read_curves
from mer_bench.evaluation.epoch_audit import AUDIT, read_audit
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.runs.run_folder import pool_audits
from mer_bench.training import audit, fold, runner
from mer_bench.training.stacking.ststnet.kernel import unavailable
from tests.conftest import ROOT
from tests.training.stacking.stack_experiment import stack_experiment
from tests.training.test_fold_config import experiment_on

CLASSES = ['negative', 'positive', 'surprise']
LEARNS = """
train_cfg = dict(max_epochs=3)
train_dataloader = dict(batch_size=6)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
default_hooks = dict(checkpoint=dict(interval=1))
"""


@pytest.fixture(scope='module')
def experiment(tmp_path_factory):
    return stack_experiment(tmp_path_factory.mktemp('audit'), 'ststnet', LEARNS)


@pytest.fixture(scope='module')
def audited(experiment, tmp_path_factory):
    """A run by MMEngine's Runner, with its audit."""
    folder = tmp_path_factory.mktemp('off')
    with pytest.MonkeyPatch.context() as patch:
        noted = runner.note_epoch

        def note(place, epoch, rows, classes):
            pd.DataFrame(rows).to_csv(folder / f'{place.name[1:]}_{epoch + 1}.csv', index=False)
            noted(place, epoch, rows, classes)

        patch.setattr(runner, 'note_epoch', note)
        run_folds(experiment, RunSettings(0, folder, stack='off', audit_epochs=True))
    return folder


@pytest.fixture
def one(experiment):
    """The first fold alone."""
    return replace(experiment, chosen=experiment.folds[:1])


def same_file(name, run, other):
    """Whether the one fold of a run has the same file as that of another."""
    (folder,) = (run / 'folds').iterdir()
    return (folder / name).read_bytes() == (other / 'folds' / folder.name / name).read_bytes()


def test_the_last_epoch_is_what_the_run_predicts_and_earlier_ones_differ(audited):
    found, own = read_audit(audited / AUDIT, CLASSES), pd.read_csv(audited / 'predictions.csv')
    assert found.predictions(2)['y_pred'].tolist() == own['y_pred'].tolist()
    assert found.table['sample_id'].tolist() == own['sample_id'].tolist()
    assert (found.codes[:, 0] != found.codes[:, 2]).any()
    for folder in (audited / 'folds').iterdir():  # to these scores a temperature is fitted
        scores, own = np.load(folder / 'epoch_scores.npy')[:, 2], pd.read_csv(folder / 'predictions.csv')
        np.testing.assert_allclose(scores, own[[f'score_{name}' for name in CLASSES]], atol=1e-6)


def test_the_training_is_the_same_without_an_audit(one, audited, tmp_path):
    run_folds(one, RunSettings(0, tmp_path, stack='off'))
    assert same_file('predictions.csv', tmp_path, audited)


KERNEL = pytest.param('auto', marks=pytest.mark.skipif(unavailable() is not None, reason='no kernel here'))


def choosing(experiment, epochs):
    """The first folds alone, each with an epoch of its own that it has chosen."""
    folds = experiment.folds[: len(epochs)]
    choices = {
        fold.name: dict(inner=dict(candidate='any', epoch=epoch, uf1=[1.0]))
        for fold, epoch in zip(folds, epochs, strict=True)
    }
    return replace(experiment, chosen=folds, choices=choices)


def assert_scored(run, audited, epochs):
    """Each fold of a run has the scores of a whole training after its epoch."""
    folders = sorted(run.glob('folds/*'))
    for folder, epoch in zip(folders, epochs, strict=True):
        found = pd.read_csv(folder / 'predictions.csv')
        whole = pd.read_csv(audited / f'{folder.name}_{epoch}.csv').sort_values('sample_id', ignore_index=True)
        pd.testing.assert_frame_equal(found, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('stack', ['off', 1, 3, KERNEL])
def test_a_fold_that_chose_its_epoch_is_scored_there(experiment, audited, tmp_path, stack):
    run_folds(choosing(experiment, (2, 1, 3)), RunSettings(0, tmp_path, stack=stack))
    assert_scored(tmp_path, audited, (2, 1, 3))


def test_a_fold_that_was_stopped_at_its_epoch_trains_no_further(experiment, audited, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.FoldRunner, 'test', lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_folds(choosing(experiment, (2,)), RunSettings(0, tmp_path, stack='off'))
    monkeypatch.undo()
    run_folds(choosing(experiment, (2,)), RunSettings(0, tmp_path, stack='off'))
    assert_scored(tmp_path, audited, (2,))


@pytest.mark.parametrize('stack', [1, 3, KERNEL])
def test_every_way_of_training_sees_the_same_epochs(one, audited, tmp_path, stack):
    run_folds(one, RunSettings(0, tmp_path, stack=stack, audit_epochs=True))
    assert same_file(AUDIT, tmp_path, audited)
    (name,) = (path.name for path in (tmp_path / 'folds').iterdir())
    curves = [read_curves(run / 'folds' / name / CURVES, COLUMNS) for run in (tmp_path, audited)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-3)
    assert curves[0]['epoch'].tolist() == [1, 2, 3]
    assert curves[0]['lr'].tolist() == [0.01] * 3


def test_a_training_that_was_stopped_after_its_audit_continues_without_a_gap(one, audited, tmp_path, monkeypatch):
    noted = runner.note_epoch

    def stop(folder, epoch, *predicted):
        noted(folder, epoch, *predicted)
        if epoch == 1:
            with open(folder / audit.NOTES, 'a') as file:
                file.write('\n\0\0: 1;\n2: 0 1')  # lines that a crash spoiled and cut off
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, 'note_epoch', stop)
    with pytest.raises(KeyboardInterrupt):
        run_folds(one, RunSettings(0, tmp_path, stack='off', audit_epochs=True))
    monkeypatch.undo()
    run_folds(one, RunSettings(0, tmp_path, stack='off', audit_epochs=True))
    assert same_file(AUDIT, tmp_path, audited)


@pytest.mark.parametrize(
    ('place', 'name'),
    [(fold, 'report_epoch'), (runner.FoldRunner, 'test')],  # amid the training; after it, with no epoch left
)
def test_a_fold_that_was_begun_without_an_audit_is_refused(one, tmp_path, monkeypatch, place, name):
    def stop(*args):
        if args[1:] != (1,):  # of an epoch it is the second, so that the first has a checkpoint
            raise KeyboardInterrupt

    monkeypatch.setattr(place, name, stop)
    with pytest.raises(KeyboardInterrupt):
        run_folds(one, RunSettings(0, tmp_path, stack='off'))
    monkeypatch.undo()
    (notes,) = [folder / audit.NOTES for folder in tmp_path.glob('folds/.*')]
    notes.write_text('0: 0 9 0 0 0 0;\n1: 0;\n')  # damaged: a class and clips that there are not
    with pytest.raises(InputError, match='begun without --audit-epochs'):
        run_folds(one, RunSettings(0, tmp_path, stack='off', audit_epochs=True))


def test_finished_folds_without_an_audit_are_refused(one, tmp_path):
    run_folds(one, RunSettings(0, tmp_path, stack=1))
    with pytest.raises(InputError, match='finished without an audit of its epochs; give another --work-dir'):
        run_folds(one, RunSettings(0, tmp_path, stack=1, audit_epochs=True))


def test_the_audit_of_a_run_is_always_that_of_its_folds(tmp_path):
    folds, pooled = [tmp_path / 'b.csv', tmp_path / 'a.csv'], tmp_path / AUDIT
    for path in folds:
        path.write_text(f'sample_id,predicted\n{path.stem},aa\n')
    pool_audits(folds, pooled)
    folds[0].write_text('sample_id,predicted\nb,abc\n')  # trained again, with other settings
    pool_audits(folds, pooled)
    assert pooled.read_text() == 'sample_id,predicted\na,aa\nb,abc\n'
    folds[1].unlink()  # trained again, without an audit
    pool_audits(folds, pooled)
    assert not pooled.exists()


def test_a_method_without_epochs_has_none_to_audit(prepared_data, tmp_path):
    majority = experiment_on(prepared_data, overrides=[str(ROOT / 'configs/baselines/majority.py')])
    with pytest.raises(InputError, match='majority has no epochs to audit'):
        run_folds(majority, RunSettings(0, tmp_path, audit_epochs=True))


def test_more_classes_than_letters_are_refused_before_the_training(one, tmp_path):
    cfg = copy.deepcopy(one.method.cfg)
    cfg.classes = [f'class{number}' for number in range(53)]
    with pytest.raises(InputError, match='expected at most 52 classes, got 53'):
        run_folds(replace(one, method=replace(one.method, cfg=cfg)), RunSettings(0, tmp_path, audit_epochs=True))
    assert not [*tmp_path.iterdir()]
