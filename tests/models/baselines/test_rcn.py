from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine import Config

import mer_bench.registry  # noqa: F401
from mer_bench.models.baselines.rcn import RCN, RCNHead, RecurrentBlock, attention_map

OVERRIDES = Path(__file__).parents[3] / 'configs/baselines'
MAPS, POOL = 64, 7  # defaults of ModelTrain_Final.py
CLASSIFIER = 3 * (POOL * POOL * MAPS + 1)
BLOCK = (MAPS * (MAPS + 1) + 2 * MAPS) + (MAPS * (9 * MAPS + 1) + 2 * MAPS)
PLAIN = MAPS * (25 * 3 + 1) + 2 * MAPS
WIDE = MAPS * (9 * 3 + 1) + 2 * MAPS


def build(name):
    cfg = Config.fromfile(OVERRIDES / f'{name}.py').model
    cfg.pop('_delete_')
    cfg.cls_head.num_classes = 3
    return MODELS.build(cfg)


def logits(model, clips):
    return model.cls_head(model.backbone(clips))


@pytest.mark.parametrize(
    ('name', 'parameters'), [('rcn_a', 55_747), ('rcn_s', 55_747), ('rcn_w', 52_675), ('rcn_f', 52_675)]
)
def test_parameters_are_those_of_the_authors_program(name, parameters):
    stem = WIDE if name in ('rcn_w', 'rcn_f') else PLAIN
    assert stem + BLOCK + CLASSIFIER == parameters
    assert sum(p.numel() for p in build(name).parameters()) == parameters


@pytest.mark.parametrize('name', ['rcn_a', 'rcn_s', 'rcn_w', 'rcn_f'])
def test_a_clip_gives_a_logit_per_class_and_every_weight_learns(name):
    model = build(name)
    out = logits(model, torch.randn(4, 3, 1, 28, 28))
    assert out.shape == (4, 3)
    out.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert all(p.grad.any() for p in model.parameters() if p.dim() > 1)


@pytest.mark.parametrize('name', ['rcn_a', 'rcn_f'])
def test_a_clip_without_motion_gives_finite_logits(name):
    assert logits(build(name).eval(), torch.zeros(1, 3, 1, 28, 28)).isfinite().all()


def test_the_wide_stem_looks_with_dilation_1_2_and_3():
    net = RCN(stem='wide')
    assert [stream[0].dilation[0] for stream in net.stem.streams] == [1, 2, 3]
    assert [stream[0].out_channels for stream in net.stem.streams] == [16, 8, 8]
    assert net(torch.zeros(2, 3, 1, 28, 28))[1].shape == (2, 32, 5, 5)


def test_recurrent_steps_share_their_weights():
    block = RecurrentBlock(4).eval()
    x = torch.randn(1, 4, 6, 6)
    second = block.recurrent(x + block.feedforward(x))
    assert torch.equal(block(x), block.downsample(block.recurrent(x + second)))


def test_shortcuts_sum_all_steps_before():
    block = RecurrentBlock(4, shortcuts=True).eval()
    x = torch.randn(1, 4, 6, 6)
    first = block.feedforward(x)
    second = block.recurrent(x + first)
    third = block.recurrent(x + first + second)
    assert torch.equal(block(x), block.downsample(block.recurrent(x + first + second + third)))


def test_attention_is_the_mean_class_activation_from_0_to_1():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])  # one channel
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]])
    # classes: (x - 1) / 3 and (4 - x) / 3; their mean is 1/2 everywhere
    assert torch.allclose(attention_map(maps, weight), torch.full((1, 1, 2, 2), 0.5))
    assert torch.allclose(attention_map(maps, weight[:1]).flatten(), torch.tensor([0, 1 / 3, 2 / 3, 1]))


def test_rcn_a_weighs_the_maps_by_the_attention_of_the_stem():
    head = RCNHead(3, in_channels=2, pool_size=2, attention='after').eval()
    stem, deep = torch.rand(2, 1, 2, 2, 2)
    weighted = deep * attention_map(stem, head.fc_cls.weight)
    assert torch.allclose(head((stem, deep)), head.fc_cls(weighted.flatten(1)))


def test_unknown_parts_are_named():
    with pytest.raises(ValueError, match=r"'plain' or 'wide'.*'deep'"):
        RCN(stem='deep')
    with pytest.raises(ValueError, match=r"'after' or 'inside'.*'before'"):
        RCNHead(3, attention='before')
