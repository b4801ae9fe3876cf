"""What the label scheme fills in, and values that are refused before any training."""

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_casme2.py')
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
    [('classes = ["a"]', 'leave `classes` out'), ('label_scheme = None', 'a config with label_scheme was expected')],
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
