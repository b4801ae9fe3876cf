"""Methods of scikit-learn over the folds of a protocol."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.files import write_array, write_json
from mer_bench.models.classical import ESTIMATORS
from mer_bench.runs.run import run_folds
from mer_bench.training.sklearn.estimator_fold import FEATURES, WAY, shared_fit
from mer_bench.training.sklearn.shared_fit import BLOCK, GRAM, PLAIN
from tests.conftest import ROOT

OVERRIDE = """
steps = [dict(type='StandardScaler'), dict(type='LogisticRegression', C=1e-3)]
model = dict(_delete_=True, type='Pipeline', steps=steps)
del steps
input = dict(frames='apex', size=8)
"""


SVM = OVERRIDE.replace("type='StandardScaler'), dict(type='LogisticRegression', C=1e-3", "type='SVC', kernel='linear'")
RIDGE = OVERRIDE.replace("'LogisticRegression', C=1e-3", "'RidgeClassifier', alpha=30.0").replace(
    "'StandardScaler'", "'StandardScaler', with_std=False"
)


@pytest.fixture
def experiment(tmp_path, prepared_data):
    return opened(tmp_path, prepared_data, OVERRIDE)


def opened(folder, data, text):
    override = folder / 'a_linear_model.py'
    override.write_text(text)
    return open_experiment(
        RunOptions(
            config=str(ROOT / 'configs/mer_smic.py'),
            overrides=[str(override)],
            cfg_options=[],
            data_root=[str(data)],
            folds=[],
            device='cpu',
            threads=1,
        )
    )


def test_predictions_are_those_of_scikit_learns_own_loop(experiment, tmp_path):
    """One scaler and one model a fold, each fitted without the held-out subject."""
    record = run_folds(experiment, 0, tmp_path / 'run')
    ours = pd.read_csv(tmp_path / 'run/predictions.csv').set_index('sample_id')
    clips = experiment.data.annotations
    stored = np.load(f'{clips["store"].iloc[0]}/flow.npy')[clips['row']]
    half = np.float32([8 / 32, 8 / 32, 1]).reshape(1, 3, 1, 1)
    # the apex of two frames is the first; means of 4x4 pixels, motion in pixels of the coarser grid
    features = stored[:, :, 0].astype(np.float32).reshape(-1, 3, 8, 4, 8, 4).mean((3, 5)) * half
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, random_state=0))
    theirs = cross_val_predict(
        model, features.reshape(len(clips), -1), clips['label'], groups=clips['subject'], cv=LeaveOneGroupOut()
    )
    assert ours.loc[clips['sample_id'], 'y_pred'].tolist() == theirs.tolist()
    assert record['complete']
    assert record['parameters'] is None


@pytest.mark.parametrize(
    ('text', 'model', 'method', 'way'),
    [
        (OVERRIDE, make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)), 'predict_proba', PLAIN),
        (SVM, SVC(kernel='linear'), 'decision_function', GRAM),
        (RIDGE, RidgeClassifier(alpha=30.0), 'decision_function', PLAIN),  # without the formula of all folds
    ],
)
def test_scores_are_means_over_a_clip_and_its_mirrored_copy(tmp_path, prepared_data, text, model, method, way):
    text = text.replace("frames='apex', size=8", "frames='apex', mirror_test=True")
    experiment = opened(tmp_path, prepared_data, text)
    assert run_folds(experiment, 0, tmp_path / 'run')['fit'] == way
    ours = pd.read_csv(tmp_path / 'run/predictions.csv').set_index('sample_id')
    clips, classes = experiment.data.annotations, experiment.method.cfg.classes
    stored = np.load(f'{clips["store"].iloc[0]}/flow.npy')[clips['row']][:, :, 0].astype(np.float32)
    copies = stored[..., ::-1] * np.float32([-1, 1, 1]).reshape(3, 1, 1)
    stored, copies = (values.reshape(len(clips), -1) for values in (stored, copies))
    expected = np.zeros((len(clips), len(classes)))
    for train, test in LeaveOneGroupOut().split(stored, groups=clips['subject']):
        score = getattr(model.fit(stored[train], clips['label'].iloc[train]), method)
        order = [[*model.classes_].index(name) for name in classes]
        expected[test] = ((score(stored[test]) + score(copies[test])) / 2)[:, order]
    scores = ours.loc[clips['sample_id'], [f'score_{name}' for name in classes]].to_numpy()
    np.testing.assert_allclose(scores, expected, atol=2e-4)
    assert ours.loc[clips['sample_id'], 'y_pred'].tolist() == np.array(classes)[scores.argmax(1)].tolist()


@pytest.mark.parametrize(('text', 'way'), [(SVM, GRAM), (RIDGE, BLOCK)])
def test_folds_share_what_they_can_unless_it_is_turned_off(tmp_path, prepared_data, text, way):
    method = opened(tmp_path, prepared_data, text)
    records = {word: run_folds(method, 0, tmp_path / word, stack=word) for word in ('auto', 'off')}
    assert {word: record['fit'] for word, record in records.items()} == {'auto': way, 'off': PLAIN}
    assert records['auto']['scores'] == records['off']['scores']
    shared, alone = (pd.read_csv(tmp_path / word / 'predictions.csv') for word in records)
    pd.testing.assert_frame_equal(shared, alone, atol=1e-6)


def test_a_run_goes_on_the_other_way(tmp_path, prepared_data):
    """Both give the same predictions, and each fold says which way it was fitted."""
    method = opened(tmp_path, prepared_data, RIDGE)
    run_folds(replace(method, chosen=method.folds[:1]), 0, tmp_path / 'run', stack='off')
    assert run_folds(method, 0, tmp_path / 'run')['fit'] == f'{PLAIN}, {BLOCK}'


def test_the_name_is_that_of_the_override_alone(experiment):
    assert experiment.method.name == 'a_linear_model'


def test_a_second_call_continues_and_leaves_no_features(experiment, tmp_path):
    first = run_folds(experiment, 0, tmp_path / 'run')
    again = run_folds(experiment, 0, tmp_path / 'run')
    assert first['scores'] == again['scores']
    assert not list((tmp_path / 'run').glob('.features*'))


def test_features_are_computed_anew_after_a_failure(experiment, tmp_path, monkeypatch):
    """What stopped the first attempt may be mended by then."""
    monkeypatch.setattr('mer_bench.runs.run.run_missing', lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_folds(experiment, 0, tmp_path / 'run')
    assert not list((tmp_path / 'run').glob('.features*'))


def test_there_is_no_checkpoint_to_keep(experiment, tmp_path):
    with pytest.raises(InputError, match='leave --save-checkpoints out'):
        run_folds(experiment, 0, tmp_path / 'run', save_checkpoints=True)


def test_a_whole_run_imports_no_torch(tmp_path, prepared_data):
    """Importing it takes longer than the run."""
    arguments = [ROOT / 'configs/mer_smic.py', '--override', ROOT / 'configs/baselines/linear_svm.py']
    arguments += ['--data-root', prepared_data, '--work-dir', tmp_path / 'run', '--jobs', 2]
    code = 'import sys; from mer_bench.cli.train import main; main(sys.argv[1:]); print("torch" in sys.modules)'
    command = [sys.executable, '-c', code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith('predictions.csv\nFalse\n'), done.stderr


def test_a_worker_finds_a_descriptor_of_a_users_module(tmp_path, prepared_data, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ESTIMATORS, '_module_dict', ESTIMATORS.module_dict.copy())
    (tmp_path / 'own_descriptor.py').write_text(
        'from mer_bench.models.classical import ESTIMATORS\n'
        'from mer_bench.models.classical.flatten import Flatten\n'
        "ESTIMATORS.register_module('OwnDescriptor', module=type('OwnDescriptor', (Flatten,), {}))\n"
    )
    steps = RIDGE.replace('[dict', "[dict(type='OwnDescriptor'), dict", 1)
    method = opened(tmp_path, prepared_data, f"custom_imports = dict(imports=['own_descriptor'])\n{steps}")
    # as in a process that did not read the config
    del sys.modules['own_descriptor'], ESTIMATORS.module_dict['OwnDescriptor']
    assert run_folds(method, 0, tmp_path / 'run')['complete']


def test_other_features_in_the_same_file_are_not_mistaken(tmp_path, experiment):
    """A second attempt may write other features where those of the first were."""
    write_json(tmp_path / WAY, dict(fit=PLAIN))
    for value in (1.0, 2.0):
        write_array(tmp_path / FEATURES, np.full((2, 3), value, np.float32))
        assert shared_fit(experiment, 0, tmp_path).features[0, 0] == value
        assert shared_fit(experiment, 0, tmp_path) is shared_fit(experiment, 0, tmp_path)
