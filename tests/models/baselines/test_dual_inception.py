from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine import Config

import mer_bench.registry  # noqa: F401
from mer_bench.models.baselines.dual_inception import DualInception, Inception

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/dual_inception.py'


def inception(channels, width):
    """Parameters of a block, by hand: four 1x1, one 3x3 and one 5x5 convolution."""
    return 4 * width * (channels + 1) + width * (9 * width + 1) + width * (25 * width + 1)


def test_parameters_are_those_of_the_authors_program():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_')
    cfg.cls_head.num_classes = 3
    layers = 1024 * (2 * 64 * 7 * 7 + 1) + 3 * (1024 + 1)
    by_hand = 2 * (inception(1, 6) + inception(24, 16)) + layers
    assert by_hand == 6_449_867  # 6.45 million in the README of PRICAI2021-Off-TANet
    assert 2 * (inception(3, 6) + inception(24, 16)) + layers == by_hand + 96  # grey as three channels, in Keras
    with torch.device('meta'):
        assert sum(p.numel() for p in MODELS.build(cfg).parameters()) == by_hand


def test_a_clip_gives_1024_features():
    assert DualInception()(torch.zeros(3, 2, 1, 28, 28)).shape == (3, 1024)


def test_a_block_joins_four_branches_and_halves_the_map():
    assert Inception(1, 6)(torch.zeros(2, 1, 28, 28)).shape == (2, 24, 14, 14)


def test_branches_look_1_3_5_and_3_pixels_wide():
    widths = []
    for branch in Inception(1, 6).branches:
        x = torch.zeros(1, 1, 9, 9, requires_grad=True)
        for parameter in branch.parameters():
            torch.nn.init.ones_(parameter)
        branch(x)[0, 0, 4, 4].backward()
        touched = x.grad[0, 0].nonzero()
        widths.append(int(touched[:, 1].max() - touched[:, 1].min()) + 1)
    assert widths[:3] == [1, 3, 5]
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 3, 3] = 1.0  # a neighbour is seen through the pool
    pooled = Inception(1, 6).branches[3][0](x)
    assert pooled[0, 0, 4, 4] == 1


def test_first_biases_are_zero_and_weights_within_glorots_bound():
    layer = DualInception().layer[0]
    assert not layer.bias.any()
    assert layer.weight.abs().max() <= (6 / (6272 + 1024)) ** 0.5
