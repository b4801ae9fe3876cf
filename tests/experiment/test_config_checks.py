"""Keys and values of a config that are refused before any training, and what the label scheme fills in."""

from types import SimpleNamespace

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.config_files import arguments_of, parse_options
from mer_bench.experiment.experiment import TAKES_CHANNELS, check_mirroring
from mer_bench.experiment.method import load_method
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_casme2.py')
SMIC = str(ROOT / 'configs/mer_smic.py')
SCHEME = 'dataset,column,value,label\ncasme2,emotion,happiness,happy\ncasme2,emotion,disgust,{label}\n'


def test_classes_and_outputs_are_those_of_the_scheme():
    cfg = load_method(CONFIG, [], {'action_units': [4, 12]}).cfg
    assert cfg.classes == ['happiness', 'disgust', 'repression', 'surprise', 'others']
    assert (cfg.model.cls_head.num_classes, cfg.model.cls_head.num_action_units) == (5, 2)


def test_an_own_scheme_is_known_by_its_rules_not_its_place(tmp_path):
    digests = []
    for folder, label in (('a', 'not_happy'), ('b', 'not_happy'), ('c', 'disgusted')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'two.csv').write_text(SCHEME.format(label=label))
        method = load_method(CONFIG, [], {'label_scheme': str(tmp_path / folder / 'two.csv')})
        assert (method.scheme.name, method.cfg.classes) == ('two', ['happy', label])
        digests.append(method.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ({'label_scheme': 'casme2_6class'}, 'casme2_6class'),
        ({'class_weight': 2.0}, "class_weight must be 'balanced', a power of its weights between 0 and 1"),
        ({'dataset': 5}, 'dataset must be the name of the data in tables, got 5'),
        ({'label_scheme': ['casme2_5class']}, 'label_scheme must be a name or the path of a csv'),
        ({'model.cls_head.num_classes': 3}, 'cls_head.num_classes is 3, but the data give 5; leave this key out'),
        ({'model.cls_head.num_action_units': 3}, 'cls_head.num_action_units is 3, but the data give 0'),
        ({'action_units': [4, 4]}, 'action_units must be None or a list of different numbers'),
        ({'action_units': ['L4']}, 'action_units must be None or a list of different numbers'),
        ({'action_units': []}, 'action_units must be None or a list of different numbers'),
        (
            {'action_units': [4], 'model.data_preprocessor.mixup_alpha': 0.2},
            'units that are learnt cannot be mixed; set data_preprocessor.mixup_alpha=0',
        ),
        ({'folds': 'loco'}, 'folds: expected '),
        ({'classes': ['a', 'b']}, 'unknown config key classes'),
        *[
            (
                {f'{name}_dataloader.batch_size': size},
                f'{name}_dataloader.batch_size must be a whole number of at least 1',
            )
            for name in ('train', 'test')
            for size in (0, -4, 2.0, 'many', None, True)
        ],
        ({'train_dataloader.num_workers': -1}, 'train_dataloader.num_workers must be a whole number of at least 0'),
        ({'train_dataloader.drop_last': 3}, 'train_dataloader.drop_last must be True or False'),
        ({'test_dataloader.drop_last': True}, 'would leave clips without a prediction'),
        ({'train_dataloader.dataset.pipeline': []}, 'train_dataloader.dataset: expected dict(type=..., pipeline='),
        ({'model.backbone.pretrained': True}, 'expected the path of a checkpoint on this machine, got True'),
        ({'load_from': 'a.pth', 'model.backbone.pretrained': 'b.pth'}, 'load_from a.pth and pretrained b.pth; leave'),
        ({'model.backbone.type': None}, 'found no backbone.type'),
        ({'method': '..'}, 'method must be a name that can be that of a folder'),
        ({'_delete_': True}, '_delete_ would leave nothing of the config'),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(options, sentence):
    with pytest.raises(InputError) as error:
        load_method(CONFIG, [], options)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ('line', 'sentence'),
    [('classes = ["a"]', 'leave `classes` out'), ('label_scheme = None', 'expected a config with label_scheme')],
)
def test_a_config_of_another_kind_is_told(tmp_path, line, sentence):
    (tmp_path / 'own.py').write_text(f'_base_ = {CONFIG!r}\n{line}\n')
    with pytest.raises(InputError, match=sentence):
        load_method(str(tmp_path / 'own.py'))


@pytest.mark.parametrize('part', ['data_preprocessor', 'backbone', 'cls_head'])
def test_a_model_without_a_part_is_told(tmp_path, part):
    (tmp_path / 'own.py').write_text(f'model = dict({part}=None)')
    with pytest.raises(InputError, match=f'model: expected data_preprocessor, backbone, cls_head, found no {part}'):
        load_method(CONFIG, [str(tmp_path / 'own.py')])


def test_an_override_is_merged_and_named(tmp_path):
    method = load_method(SMIC, [str(ROOT / 'ablations/no_attention.py')], {'train_cfg.max_epochs': 3})
    assert method.name == 'multiscale_resnet3d50+no_attention+train_cfg.max_epochs=3'
    assert method.cfg.model.neck.attention is None
    assert method.cfg.train_cfg.max_epochs == 3


@pytest.mark.parametrize(
    ('change', 'key'),
    [
        ('modle = dict(neck=None)', 'modle (did you mean model'),
        ('model = dict(backbone=dict(kernal_sizes=None))', 'model.backbone.kernal_sizes (did you mean'),
        ('train_cfg = dict(epochs=2)', 'train_cfg.epochs (did you mean max_epochs?)'),
        ('xyz = 1', 'xyz; known here: '),
        ('val_cfg = dict(type="ValLoop")', 'val_cfg (did you mean'),
        ('randomness = dict(seed=5)', 'randomness; '),
        ('resume = True', 'resume; '),
    ],
)
def test_a_key_that_nothing_reads_is_refused(tmp_path, change, key):
    (tmp_path / 'wrong.py').write_text(change)
    with pytest.raises(InputError, match=r'wrong.py: unknown config key') as error:
        load_method(SMIC, [str(tmp_path / 'wrong.py')])
    assert key in str(error.value)


def test_an_argument_that_the_config_does_not_spell_out_is_accepted(tmp_path):
    options = {'model.backbone.norm_eval': True, 'param_scheduler.0.eta_min_ratio': 0.1}
    options |= {'train_dataloader.pin_memory': True, 'optim_wrapper.paramwise_cfg': {}, 'custom_hooks': []}
    cfg = load_method(SMIC, [], options).cfg
    assert cfg.model.backbone.norm_eval is True
    assert cfg.param_scheduler[0].eta_min_ratio == 0.1


def test_a_replaced_part_may_hold_anything(tmp_path):
    (tmp_path / 'other.py').write_text("model = dict(neck=dict(_delete_=True, type='Identity', anything=1))")
    assert load_method(SMIC, [str(tmp_path / 'other.py')]).cfg.model.neck == {'type': 'Identity', 'anything': 1}


@pytest.mark.parametrize(
    ('text', 'fault'),
    [(None, 'no such config file'), ('model = dict(', 'not a config that can be read'), ('a = b', 'not a config')],
)
def test_a_missing_or_broken_file_is_one_sentence(tmp_path, text, fault):
    path = tmp_path / 'broken.py'
    if text:
        path.write_text(text)
    with pytest.raises(InputError, match=fault):
        load_method(SMIC, [str(path)])


def test_options_are_read_as_mmengine_reads_them():
    assert parse_options(['a.b=1e-3', 'c=None', 'd=[1,2]', 'e=x']) == {'a.b': 1e-3, 'c': None, 'd': [1, 2], 'e': 'x'}
    with pytest.raises(InputError, match='--cfg-options lr: expected KEY=VALUE'):
        parse_options(['lr'])


def test_an_override_that_changes_nothing_is_refused(tmp_path):
    (tmp_path / 'same.py').write_text('model = dict(backbone=dict(depth=50))')
    with pytest.raises(InputError, match=r'same.py changes nothing of the config'):
        load_method(SMIC, [str(tmp_path / 'same.py')])


def test_places_do_not_change_what_a_method_is():
    assert load_method(SMIC, [], {'data_root': 'elsewhere'}).text == load_method(SMIC).text


@pytest.mark.parametrize(
    ('config', 'options', 'rule'),
    [
        ('smic', {'folds.type': 'group_kfold', 'folds.n_splits': 5}, {'type': 'group_kfold', 'n_splits': 5}),
        ('smic', {'folds': 'leave_one_dataset_out'}, {'type': 'leave_one_dataset_out'}),
        ('dfme', {'folds': 'loso'}, {'type': 'loso'}),
        ('dfme', {'folds.type': 'loso'}, {'type': 'loso'}),
        ('dfme', {'folds.n_splits': 5}, {'type': 'group_kfold', 'n_splits': 5}),
    ],
)
def test_the_rule_of_the_folds_is_replaced_as_a_whole(config, options, rule):
    assert load_method(str(ROOT / f'configs/mer_{config}.py'), [], options).cfg.folds == rule


@pytest.mark.parametrize('text', ["'loso'", "dict(type='loso')", "dict(_delete_=True, type='loso')"])
def test_a_rule_of_folds_has_one_form(tmp_path, text):
    (tmp_path / 'own.py').write_text(f'_base_ = {SMIC!r}\nfolds = {text}\n')
    assert load_method(str(tmp_path / 'own.py')).digest == load_method(SMIC).digest
    (tmp_path / 'loso.py').write_text(f'folds = {text}')
    with pytest.raises(InputError, match=r'loso\.py changes nothing of the config'):
        load_method(SMIC, [str(tmp_path / 'loso.py')])
    dfme = load_method(str(ROOT / 'configs/mer_dfme.py'), [str(tmp_path / 'loso.py')])
    assert dfme.cfg.folds == {'type': 'loso'}


def test_other_data_sources_are_named_in_the_data_set():
    composite = str(ROOT / 'configs/mer_megc2019.py')
    assert load_method(composite, [], {'data_source': ['samm', 'casme2']}).cfg.dataset == 'casme2+samm'
    assert load_method(composite, [], {'data_source': ['samm', 'smic', 'casme2']}).cfg.dataset == 'megc2019'
    assert load_method(composite, [], {'data_source': ['samm', 'casme2'], 'dataset': 'two'}).cfg.dataset == 'two'


@pytest.mark.parametrize('backbone', TAKES_CHANNELS)
def test_what_is_known_of_a_backbone_is_what_its_class_takes(backbone):
    assert TAKES_CHANNELS[backbone] == ('in_channels' in arguments_of(backbone))


def test_keys_of_input_that_no_config_sets_are_known():
    method = load_method(SMIC, [], {'input.centre': True, 'input.mirror_test': True})
    assert (method.cfg.input.centre, method.cfg.input.mirror_test) == (True, True)
    assert method.digest != load_method(SMIC).digest
    with pytest.raises(InputError, match=r'unknown config key input.centred \(did you mean centre\?\)'):
        load_method(SMIC, [], {'input.centred': True})


def test_a_preprocessor_that_does_not_mirror_is_refused_where_a_test_asks_for_it():
    cfg = load_method(SMIC, [], {'input.mirror_test': True}).cfg
    check_mirroring(cfg, SimpleNamespace(mirror_train=False, mirror_test=True))
    cfg.model.data_preprocessor.type = 'ActionDataPreprocessor'
    with pytest.raises(InputError, match='expected the data preprocessor FlowDataPreprocessor, got ActionData'):
        check_mirroring(cfg, SimpleNamespace(mirror_train=False, mirror_test=True))
    check_mirroring(cfg, SimpleNamespace(mirror_train=False, mirror_test=False))


def test_a_test_on_mirrored_clips_that_no_record_would_name_is_refused():
    cfg = load_method(SMIC, [], {'model.data_preprocessor.mirror_test': True}).cfg
    with pytest.raises(InputError, match=r'set input.mirror_test=True instead'):
        check_mirroring(cfg, SimpleNamespace(mirror_train=False, mirror_test=False))
    check_mirroring(cfg, SimpleNamespace(mirror_train=False, mirror_test=True))
