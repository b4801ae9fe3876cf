"""Label scheme, annotations or flow that change while folds are trained: nothing is mixed."""

import json
import shutil

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.experiment import experiment as opening
from mer_bench.runs import run as loso
from mer_bench.runs.run import RunSettings
from mer_bench.training import fold
from tests.conftest import write_prepared_data
from tests.training.test_fold_config import experiment_on

SCHEME = 'dataset,column,value,label\nsmic,emotion,negative,a\nsmic,emotion,positive,b\nsmic,emotion,surprise,{last}\n'


@pytest.fixture
def scheme(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text(SCHEME.format(last='b'))
    return path


@pytest.fixture
def experiment(tiny_override, scheme, tmp_path):
    root = write_prepared_data(tmp_path / 'smic')
    options = [f'label_scheme={scheme}']
    return experiment_on(root, overrides=[str(tiny_override)], cfg_options=options, folds=['s01'])


def edit_scheme(folder):
    (folder / 'own.csv').write_text(SCHEME.format(last='c'))


def remove_scheme(folder):
    (folder / 'own.csv').unlink()


def prepare_anew(folder):
    shutil.rmtree(folder / 'smic')
    write_prepared_data(folder / 'smic', relabel={2: 'surprise'})


def prepare_other_flow(folder):
    shutil.rmtree(folder / 'smic/store')
    shutil.move(write_prepared_data(folder / 'other', clip_len=1) / 'store', folder / 'smic/store')


CHANGES = [edit_scheme, remove_scheme, prepare_anew, prepare_other_flow]


@pytest.mark.parametrize('change', CHANGES)
def test_a_fold_is_not_begun_on_other_data_than_the_run(experiment, tmp_path, change):
    change(tmp_path)
    part = f'the label scheme {tmp_path}/own.csv' if 'scheme' in change.__name__ else 'the prepared data in '
    with pytest.raises(InputError, match=f'{part}.* changed during the run; restore it'):
        fold.run_fold(experiment, experiment.chosen[0], 0, tmp_path / 'run', False)
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('change', CHANGES)
def test_a_fold_during_which_they_change_is_not_kept(experiment, tmp_path, monkeypatch, change):
    monkeypatch.setattr(fold, 'report_epoch', lambda folder, epoch: change(tmp_path) if epoch == 2 else None)
    with pytest.raises(InputError, match='changed during the run'):
        loso.run_folds(experiment, RunSettings(0, tmp_path / 'run'))
    assert not [*(tmp_path / 'run/folds').iterdir()]


def test_a_scheme_that_changes_before_the_data_are_opened_is_not_used(scheme, prepared_data, tmp_path, monkeypatch):
    find = opening.find_data
    monkeypatch.setattr(opening, 'find_data', lambda *given: edit_scheme(tmp_path) or find(*given))
    with pytest.raises(InputError, match=f'the label scheme {scheme} changed while it was read; run the same command'):
        experiment_on(prepared_data, overrides=['majority'], cfg_options=[f'label_scheme={scheme}'])


def test_folds_of_other_clips_or_labels_are_not_scored(prepared_data, tiny_override, tmp_path):
    experiment = experiment_on(prepared_data, overrides=[str(tiny_override)])
    loso.run_folds(experiment, RunSettings(0, tmp_path))
    path = tmp_path / 'folds/smic_s02/predictions.csv'
    noted = json.loads(path.with_name('fold.json').read_text())
    del noted['predictions_digest'], noted['digest']  # as of a fold of an earlier version
    path.with_name('fold.json').write_text(json.dumps(noted))
    table = pd.read_csv(path)
    table.replace({'y_true': 'negative'}, 'positive').to_csv(path, index=False)
    with pytest.raises(InputError, match=r'found another label, .* for smic/s02/ne_0; give another --work-dir'):
        loso.run_folds(experiment, RunSettings(0, tmp_path))
    table[1:].to_csv(path, index=False)
    with pytest.raises(InputError, match=r'no prediction or no such clip for smic/s02/ne_0'):
        loso.run_folds(experiment, RunSettings(0, tmp_path))
