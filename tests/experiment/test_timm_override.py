import copy
from functools import lru_cache

import pytest
import timm
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError
from mer_bench.experiment.timm_override import timm_override

timm_override = lru_cache(timm_override)

# Millions of parameters with the classifier of 1000 classes, as torchvision documents them (ViT-S/16: Steiner et al.,
# TMLR 2022, table 2, 22 M), the channels before the classifier, and the layout of the features.
NETWORKS = {
    'resnet18': (11.69, 512, 'NCHW'),
    'efficientnet_b0': (5.29, 1280, 'NCHW'),
    'vit_small_patch16_224': (22, 384, 'NLC'),
    'swin_tiny_patch4_window7_224': (28.29, 768, 'NHWC'),
    'convnext_tiny': (28.59, 768, 'NCHW'),
}


def recogniser(override):
    init_default_scope('mmaction')
    model = copy.deepcopy(override['model'])
    del model['_delete_']
    del model['data_preprocessor']['layout']
    model['data_preprocessor']['type'] = 'ActionDataPreprocessor'
    del model['data_preprocessor']['flip_prob']
    model['cls_head']['num_classes'] = 3
    return MODELS.build(ConfigDict(model))


@pytest.mark.parametrize('name', NETWORKS)
def test_a_network_has_its_published_parameters_less_the_classifier(name):
    published, channels, layout = NETWORKS[name]
    override = timm_override(f'timm_{name}')
    with torch.device('meta'):
        backbone = recogniser(override).backbone
    parameters = sum(p.numel() for p in backbone.parameters())
    assert parameters == pytest.approx(published * 1e6 - (channels + 1) * 1000, rel=0.02)
    assert override['model']['cls_head']['in_channels'] == channels
    assert override['model']['backbone']['feature_shape'] == layout
    assert override['input'] == dict(size=112)


@pytest.mark.parametrize('name', NETWORKS)
def test_a_network_classifies_the_frames_of_a_clip(name):
    with torch.device('meta'):
        model = recogniser(timm_override(f'timm_{name}')).eval()
        scores = model(torch.empty(2, 4, 3, 112, 112), stage='head')
    assert scores.shape == (2, 3)


def test_the_frames_are_averaged():
    override = timm_override('timm_resnet18')
    model = recogniser(override).eval()
    clips = torch.randn(1, 4, 3, 32, 32)
    with torch.no_grad():
        scores = model(clips, stage='head')
        feats = timm.layers.SelectAdaptivePool2d(flatten=True)(model.backbone.forward_features(clips[0]))
        expected = model.cls_head.fc_cls(feats.mean(0, keepdim=True))
    assert torch.allclose(scores, expected, atol=1e-5)


def test_a_network_that_takes_no_small_picture_gets_its_own_size():
    assert timm_override('timm_hiera_tiny_224')['input'] == dict(size=224)  # a grid of fixed size


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match='no model timm_resnet81 \\(did you mean timm_resnet'):
        timm_override('timm_resnet81')


def test_several_feature_maps_are_refused():
    with pytest.raises(InputError, match='timm_crossvit_tiny_240: expected a network with one map'):
        timm_override('timm_crossvit_tiny_240')
