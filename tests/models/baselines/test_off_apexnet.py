from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine import Config

import mer_bench.registry  # noqa: F401
from mer_bench.models.baselines.off_apexnet import OFFApexNet

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/off_apexnet.py'


def test_parameters_are_those_of_the_papers_layers():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_')
    cfg.cls_head.num_classes = 3
    stream = 6 * (5 * 5 + 1) + 16 * (6 * 5 * 5 + 1)
    layers = 1024 * (2 * 16 * 7 * 7 + 1) + 1024 * (1024 + 1) + 3 * (1024 + 1)
    assert 2 * stream + layers == 2_664_475  # 2.66 million in the README of PRICAI2021-Off-TANet
    with torch.device('meta'):
        assert sum(p.numel() for p in MODELS.build(cfg).parameters()) == 2_664_475


def test_a_clip_gives_1024_features():
    assert OFFApexNet()(torch.zeros(3, 2, 1, 28, 28)).shape == (3, 1024)


def test_each_stream_sees_one_direction():
    net = OFFApexNet().eval()
    seen = {}
    net.horizontal.register_forward_pre_hook(lambda module, args: seen.update(u=args[0]))
    net.vertical.register_forward_pre_hook(lambda module, args: seen.update(v=args[0]))
    flow = torch.randn(2, 2, 1, 28, 28)
    net(flow)
    assert torch.equal(seen['u'], flow[:, 0])
    assert torch.equal(seen['v'], flow[:, 1])
