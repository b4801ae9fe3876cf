"""A run over two data sets with action units, one data set held out at a time: what it leaves behind."""

import pandas as pd
import pytest
from sklearn.metrics import f1_score

from mer_bench.runs import run as loso
from mer_bench.runs.run import RunSettings
from mer_bench.runs.run_folder import Run, pool_predictions
from tests.conftest import ROOT, write_prepared_data
from tests.training.test_fold_config import experiment_on

OPTIONS = ['label_scheme=megc2019_3class', 'folds=leave_one_dataset_out', 'action_units=[4,7,12]', 'dataset=two']


@pytest.fixture(scope='module')
def experiment(tiny_override, tmp_path_factory):
    folder = tmp_path_factory.mktemp('composite')
    emotions = ('negative', 'positive', 'others')  # published lists write CASME II so; others are not in the scheme
    roots = [
        write_prepared_data(folder / 'casme2', 2, dataset='casme2', emotions=emotions),
        write_prepared_data(folder / 'samm', 2, dataset='samm'),
    ]
    config = str(ROOT / 'configs/mer_megc2018_cde.py')
    return experiment_on(*roots, config=config, overrides=[str(tiny_override)], cfg_options=OPTIONS)


@pytest.fixture(scope='module')
def finished(experiment, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    return work_dir, loso.run_folds(experiment, RunSettings(0, work_dir))


def test_the_record_names_scheme_and_folds(finished):
    record = finished[1]
    assert record['protocol'] == 'leave one data set out, megc2019_3class, action units 4 7 12'
    assert record['label_scheme']['name'] == 'megc2019_3class'
    assert record['folds'] == {'total': 2, 'done': 2, 'missing': []}
    assert record['clips_per_class'] == {'negative': 6, 'positive': 6, 'surprise': 4}
    assert (record['n_clips'], record['n_subjects'], set(record['scores'])) == (16, 4, {'full', 'casme2', 'samm'})


def test_the_clips_that_were_not_used_are_listed(finished):
    dropped = pd.read_csv(finished[0] / 'dropped.csv')
    assert dropped['sample_id'].tolist() == ['casme2/s01/ot_0', 'casme2/s02/ot_0']
    assert dropped['reason'].str.contains('others').all()


def test_each_clip_was_tested_while_its_data_set_was_held_out(finished):
    table = pd.read_csv(finished[0] / 'predictions.csv')
    assert (table['fold'] == table['dataset']).all()
    assert len(table) == 16


def test_action_units_are_predicted_and_scored(finished):
    table = pd.read_csv(finished[0] / 'predictions.csv', dtype={'action_units': str})
    assert dict(zip(table['y_true'], table['action_units'], strict=True)) == {
        'negative': '4+7',
        'positive': '12',
        'surprise': '?',
    }
    assert table[['action_units_score_4', 'action_units_score_7', 'action_units_score_12']].stack().between(0, 1).all()
    units = finished[1]['action_units']['full']
    assert (units['n'], units['n_unknown']) == (16, 4)
    assert units['f1_per_unit']['12'] == f1_score(table['action_units'] == '12', table['action_units_score_12'] >= 0.5)


def test_the_summary_shows_both_tables(finished):
    text = Run(*finished).summary()
    assert 'leave one data set out, megc2019_3class' in text
    assert 'AU12' in text


def test_cells_of_action_units_and_names_stay_text(tmp_path):
    for name, cell in (('001', '4'), ('002', '')):
        row = dict(sample_id=f'{name}/07/1', dataset=name, subject='07', fold=name, y_true='x', y_pred='x')
        pd.DataFrame([row | dict(action_units=cell)]).to_csv(tmp_path / name, index=False)
    pooled = pool_predictions([tmp_path / '001', tmp_path / '002'])
    assert pooled['action_units'].tolist() == ['4', '']
    assert pooled[['dataset', 'subject', 'fold']].to_numpy().tolist() == [['001', '07', '001'], ['002', '07', '002']]
