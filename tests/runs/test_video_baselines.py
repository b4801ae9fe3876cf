"""The networks of MMAction2 in configs/baselines: their size, their input, and that they need no download."""

import copy
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

import mer_bench.registry  # noqa: F401
from tests.conftest import ROOT

# Millions of parameters and number of classes as MMAction2's model zoo states them (metafile.yml or README of each); of
# X3D-S as its paper does (the zoo: 3.79). TSM: the zoo's entry for Something-Something V2.
PUBLISHED = {
    'i3d_r50': (28.0, 400),
    'slowonly_r50': (32.45, 400),
    'r2plus1d_r34': (63.8, 400),
    'c3d': (78.4, 101),
    'x3d_s': (3.76, 400),
    'slowfast_r50': (34.5, 400),
    'csn_r50': (13.13, 400),
    'mvit_s': (34.5, 400),
    'swin3d_t': (28.2, 400),
    'uniformer_s': (21.4, 400),
    'tsn_r50': (24.33, 400),
    'tsm_r50': (23.87, 174),
}
NO_META = ('swin3d_t', 'uniformer_s')  # these compute with numbers of tensors while they are built


def settings(name):
    return Config.fromfile(ROOT / f'configs/baselines/{name}.py')


@lru_cache
def recogniser(name, num_classes):
    init_default_scope('mmaction')
    model = copy.deepcopy(settings(name).model.to_dict())
    del model['_delete_']
    model['data_preprocessor'] = dict(type='ActionDataPreprocessor')
    model['cls_head']['num_classes'] = num_classes
    with torch.device('cpu' if name in NO_META else 'meta'):
        return MODELS.build(ConfigDict(model)).to('meta').eval()


@pytest.mark.parametrize('name', PUBLISHED)
def test_a_network_has_its_published_parameters(name):
    millions, classes = PUBLISHED[name]
    parameters = sum(p.numel() for p in recogniser(name, classes).parameters())
    assert parameters == pytest.approx(millions * 1e6, rel=0.02)


@pytest.mark.parametrize('name', PUBLISHED)
def test_a_network_classifies_clips_of_its_input(name):
    model, view = recogniser(name, PUBLISHED[name][1]), settings(name).input
    frames = view.get('frames', 8)
    two_d = settings(name).model.type == 'Recognizer2D'
    shape = (2, frames, 3, view.size, view.size) if two_d else (2, 1, 3, frames, view.size, view.size)
    scores = model(torch.empty(shape, device='meta'), stage='head')
    scores = scores[0] if isinstance(scores, tuple) else scores
    assert scores.shape == (2, PUBLISHED[name][1])


@pytest.mark.parametrize('name', PUBLISHED)
def test_nothing_is_downloaded(name):
    parts = recogniser(name, PUBLISHED[name][1]).backbone.modules()
    wanted = {key: value for part in parts for key, value in vars(part).items() if key.startswith('pretrained')}
    assert not any(wanted.values()), wanted


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_scores_are_probabilities_and_one_class_is_counted(name):
    cfg = settings(name)
    assert cfg.model.cls_head.average_clips == 'prob'
    assert cfg.model.cls_head.topk == (1,)
    assert cfg.model.data_preprocessor.get('layout') == ('frames' if cfg.model.type == 'Recognizer2D' else None)
