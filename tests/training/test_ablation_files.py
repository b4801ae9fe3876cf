"""The files of ablations/: one statement each, in the table of their page, and what they change."""

import ast
import re

import pytest

from mer_bench.errors import InputError
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.models.heads.multi_output_head import DECISIONS
from mer_bench.models.necks.attention_fusion import FUSIONS
from mer_bench.training.method import load_method
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


def test_missing_weights_are_told_in_one_sentence():
    with pytest.raises(InputError, match=r'no checkpoint weights/resnet50\.pth; give a \.pth'):
        read_weights(ablated('pretrained').model.backbone.pretrained)
