"""How config and command line lead to prepared data."""

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from mer_bench.experiment.sources import data_sources, find_data
from tests.conftest import MOTION, ROOT, write_prepared_data
from tests.training.test_fold_config import experiment_on

COMPOSITE = str(ROOT / 'configs/mer_megc2019.py')


def test_every_root_has_its_source():
    roots, sources = find_data(load_method(COMPOSITE).cfg, None)
    assert roots == ['data/smic', 'data/casme2', 'data/samm']
    assert [source['dataset'] for source in sources] == ['smic', 'casme2', 'samm']
    assert sources[2]['prepare'] == 'mer-bench prepare samm --raw FOLDER_OF_SAMM'


def test_the_command_to_prepare_is_named_as_the_user_started_us(monkeypatch):
    monkeypatch.setattr('sys.argv', ['/somewhere/tools/train.py'])
    assert data_sources('samm', '')[0]['prepare'] == 'python tools/prepare.py samm --raw FOLDER_OF_SAMM'


def test_the_roots_of_the_command_line_take_their_place():
    roots, sources = find_data(load_method(COMPOSITE).cfg, ['a', 'b', 'c'])
    assert (roots, sources[0]['dataset']) == (['a', 'b', 'c'], 'smic')
    with pytest.raises(InputError, match=r'expected 3 data roots, one for each of smic, casme2, samm .*, got 1 \(a\)'):
        find_data(load_method(COMPOSITE).cfg, ['a'])


@pytest.mark.parametrize(
    ('datasets', 'config', 'names'),
    [
        (['casme2', 'samm'], 'mer_megc2019', 'mer_casme2_samm_3class'),  # of the same label scheme
        (['samm', 'casme2'], 'mer_cd6me', 'mer_casme2_samm_3class or mer_megc2018_cde or mer_megc2018_hde'),
        (['casme2'], 'mer_megc2018_cde', 'mer_casme2_objective'),
        (['smic'], 'mer_megc2019', 'mer_smic'),
    ],
)
def test_fewer_data_sets_than_the_config_s_are_answered_with_their_config(tmp_path, datasets, config, names):
    roots = [str(write_prepared_data(tmp_path / f'of {name}', subjects=1, dataset=name)) for name in datasets]
    with pytest.raises(InputError, match=f'; for these data use {names}$'):
        find_data(load_method(config).cfg, roots)


def test_a_data_set_without_a_source_is_named():
    with pytest.raises(InputError, match=r"data_source: expected one of .*casme2.*, got 'casmeII'"):
        find_data(load_method(COMPOSITE, [], {'data_source': 'casmeII', 'data_root': 'a'}).cfg, None)


def test_the_missing_data_set_of_a_composite_is_named(prepared_data, tmp_path):
    roots = [prepared_data, tmp_path / 'casme2', tmp_path / 'samm']
    with pytest.raises(InputError, match=r'no prepared data set casme2 .*Chinese Academy .*mer-bench prepare casme2 '):
        experiment_on(*roots, config=COMPOSITE)


def test_a_run_on_other_data_than_the_config_s_bears_their_name(tmp_path, tiny_override):
    root = write_prepared_data(tmp_path / 'vis', dataset='smic_vis')
    assert experiment_on(root, overrides=[str(tiny_override)]).method.cfg.dataset == 'smic_vis'


def test_a_composite_of_other_data_sets_is_refused(tmp_path):
    roots = [write_prepared_data(tmp_path / name, dataset=name) for name in ('smic', 'casme2', 'mmew')]
    with pytest.raises(InputError, match=r'expected prepared data of smic, casme2, samm, found smic, casme2, mmew'):
        experiment_on(*roots, config=COMPOSITE, cfg_options=['label_scheme=composite_4class'])


def test_the_backbone_cannot_have_other_channels_than_the_data(prepared_data, tiny_override):
    options = ['model.backbone.in_channels=2']
    with pytest.raises(InputError, match=r'in_channels is 2, but the clips have 3 channels \(u, v, strain\)'):
        experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=options)


def test_folds_follow_the_rule_of_the_config(tmp_path, tiny_override):
    roots = [write_prepared_data(tmp_path / name, dataset=name) for name in ('smic', 'casme2', 'samm')]
    rule = ['folds=leave_one_dataset_out']
    folds = experiment_on(*roots, config=COMPOSITE, overrides=[str(tiny_override)], cfg_options=rule).folds
    assert [fold.name for fold in folds] == ['casme2', 'samm', 'smic']
    assert folds[0].test_subjects == ('casme2/s01', 'casme2/s02', 'casme2/s03')


def describe(**source):
    return {'owner': 'me', 'prepare': 'python own.py', **source}


def test_a_source_may_be_described(tmp_path):
    (tmp_path / 'own.py').write_text(f"data_source = ['smic', {describe(dataset='mine')}]")
    cfg = load_method(COMPOSITE, [str(tmp_path / 'own.py')]).cfg
    assert find_data(cfg, ['a', 'b'])[1][1] == describe(dataset='mine')
    assert cfg.dataset == 'mine+smic'


@pytest.mark.parametrize('source', [describe(), describe(dataset='a', owners='b'), {'owner': 'me'}, 3])
def test_a_source_that_is_not_described_in_full_is_refused(tmp_path, source):
    (tmp_path / 'own.py').write_text(f"data_source = ['smic', {source}]")
    with pytest.raises(InputError, match=r'data_source: expected one of .*, or dict\(dataset=NAME, owner=.*, got '):
        load_method(COMPOSITE, [str(tmp_path / 'own.py')])


def test_a_csv_may_hold_any_data_set(tmp_path, tiny_override):
    roots = [write_prepared_data(tmp_path / name, 2, dataset=name) for name in ('smic', 'mydata')]
    rules = ['dataset,column,value,label', *(f'{n},emotion,{v},{v}' for n in ('smic', 'mydata') for v in MOTION)]
    (tmp_path / 'both.csv').write_text('\n'.join(rules))
    options = [f'label_scheme={tmp_path}/both.csv', 'data_source=[smic,csv]']
    experiment = experiment_on(*roots, overrides=[str(tiny_override)], cfg_options=options)
    assert experiment.method.cfg.dataset == 'mydata+smic'
    named = experiment_on(*roots, overrides=[str(tiny_override)], cfg_options=[*options, 'dataset=both'])
    assert named.method.cfg.dataset == 'both'


def test_missing_data_with_a_named_folder_says_to_check_the_path(tmp_path):
    with pytest.raises(InputError, match=r'^check the path first; no prepared data set csv .*csv --sheet FILE --fram'):
        experiment_on(tmp_path / 'nowhere', cfg_options=['data_source=csv'])
    with pytest.raises(InputError, match=r'^no prepared data set smic'):
        experiment_on(cfg_options=[f'data_root={tmp_path}/nowhere'])


@pytest.mark.parametrize(
    ('units', 'sentence'),
    [([2, 4, 99], 'expected each on a clip, found none with 2, 99 in'), ([1, 2], 'expected each on a clip')],
)
def test_action_units_that_no_clip_shows_are_refused(prepared_data, units, sentence):
    with pytest.raises(InputError, match=f'action_units: {sentence}'):
        experiment_on(prepared_data, cfg_options=[f'action_units={units}'])


def test_data_without_known_action_units_are_refused(tmp_path):
    root = write_prepared_data(tmp_path / 'smic', emotions=('surprise',))  # '?'
    with pytest.raises(InputError, match='expected clips whose action units are known, found none in'):
        experiment_on(root, cfg_options=['action_units=[1,2]'])


def test_a_network_is_not_trained_on_mirrored_copies_beside_its_clips(prepared_data):
    with pytest.raises(InputError, match=r'set model\.data_preprocessor\.flip_prob=0\.5 instead'):
        experiment_on(prepared_data, cfg_options=['input.mirror_train=True'])
