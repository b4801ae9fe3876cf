"""The files of ablations/: one statement each, in the table of their page, and what they change."""

import ast
import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.models.heads import DECISIONS
from mer_bench.models.necks.attention_fusion import FUSIONS
from tests.conftest import ROOT

FILES = sorted((ROOT / 'ablations').glob('*.py'))
FULL = str(ROOT / 'configs/mer_smic.py')


def ablated(name):
    return load_method(FULL, [str(ROOT / f'ablations/{name}.py')]).cfg


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_an_ablation_is_one_assignment(path):
    (statement,) = ast.parse(path.read_text(encoding='utf-8')).body
    assert isinstance(statement, ast.Assign)
    assert '\n' not in path.read_text(encoding='utf-8').strip()


def test_the_page_names_every_file():
    page = (ROOT / 'ablations/README.md').read_text(encoding='utf-8')
    rows = [line.split('|')[2] for line in page.splitlines() if line.startswith('| ')][1:]
    named = {name for row in rows for name in re.findall(r'`([a-z_0-9]+)`', row)}
    assert named == {path.stem for path in FILES}


def test_every_attention_and_every_decision_has_its_file():
    full = load_method(FULL).cfg.model
    attentions = {ablated(path.stem).model.neck.attention for path in FILES if 'attention' in path.stem}
    assert attentions | {full.neck.attention} == {*FUSIONS}
    decisions = {ablated(path.stem).model.cls_head.decision for path in FILES if path.stem.startswith('decision')}
    assert decisions | {full.cls_head.decision} == {*DECISIONS}


@pytest.mark.parametrize(
    ('name', 'kernels'),
    [
        ('kernels_1', (1,)),
        ('kernels_3', (3,)),
        ('kernels_5', (5,)),
        ('kernels_1_3', (1, 3)),
        ('kernels_1_3_5_7', (1, 3, 5, 7)),
    ],
)
def test_the_kernels_are_those_of_the_name(name, kernels):
    assert tuple(ablated(name).model.backbone.kernel_sizes) == kernels


@pytest.mark.parametrize(
    ('name', 'stages'),
    [
        ('blocks_stage1', (1,)),
        ('blocks_stage2', (2,)),
        ('blocks_stage3', (3,)),
        ('blocks_stages_1_2', (1, 2)),
        ('blocks_stages_2_3', (2, 3)),
        ('blocks_all_stages', (1, 2, 3, 4)),
    ],
)
def test_the_stages_are_those_of_the_name(name, stages):
    assert tuple(stage + 1 for stage in ablated(name).model.backbone.multiscale_stages) == stages


def parameters(cfg):
    """Of the blocks and of the whole model."""
    init_default_scope('mmaction')
    with torch.device('meta'):
        model = MODELS.build({**cfg.model, 'cls_head': {**cfg.model.cls_head, 'num_classes': 3}})
    return [sum(p.numel() for p in part.parameters()) for part in (model.backbone.multiscale, model)]


def test_the_control_of_one_kernel_has_the_parameters_of_the_full_model():
    blocks, model = parameters(ablated('kernels_3_matched'))
    full_blocks, full_model = parameters(load_method(FULL).cfg)
    assert model == pytest.approx(full_model, rel=0.01)
    assert blocks == pytest.approx(full_blocks, rel=0.001)
    assert (blocks, full_blocks) == (1_911_176, 1_909_312)  # as its file says


def test_trunk_i3d_is_the_trunk_of_the_baseline():
    baseline = load_method(FULL, [str(ROOT / 'configs/baselines/i3d_r50.py')]).cfg.model.backbone
    ours = ablated('trunk_i3d').model.backbone
    for key in ('conv1_kernel', 'conv1_stride_t', 'pool1_stride_t', 'inflate'):
        assert ours[key] == baseline[key]
    assert (ours.with_pool2, ours.temporal_strides, ours.inflate_style) == (True, (1, 1, 1, 1), '3x1x1')  # ResNet3d's


def test_trunk_i3d_dense_differs_from_it_in_strides_of_time_alone():
    ours, dense = (ablated(name).model.backbone for name in ('trunk_i3d', 'trunk_i3d_dense'))
    differing = {key for key in ours if ours[key] != dense[key]}
    assert differing == {'conv1_stride_t', 'pool1_stride_t', 'with_pool2', 'max_kernel_t'}
    assert (dense.conv1_stride_t, dense.pool1_stride_t, dense.with_pool2) == (1, 1, False)


def test_missing_weights_are_told_in_one_sentence():
    with pytest.raises(InputError, match=r'no checkpoint weights/resnet50\.pth; give a \.pth'):
        read_weights(ablated('pretrained').model.backbone.pretrained)
