import copy
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine import Config

import mer_bench.registry  # noqa: F401
from mer_bench.models.baselines.ststnet import STSTNet

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/ststnet.py'


def test_parameters_are_those_of_the_authors_program():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_')
    cfg.cls_head.num_classes = 3
    convolutions = sum(filters * (3 * 3 * 3 + 1) for filters in (3, 5, 8))
    norms, classifier = 2 * 16, 3 * (5 * 5 * 16 + 1)
    assert convolutions + norms + classifier == 1683
    assert sum(p.numel() for p in MODELS.build(cfg).parameters()) == 1683


def test_the_streams_have_3_5_and_8_filters_and_see_all_channels():
    assert [stream[0].weight.shape[:2] for stream in STSTNet().streams] == [(3, 3), (5, 3), (8, 3)]


def test_a_picture_of_28_pixels_gives_16_maps_of_5():
    assert STSTNet()(torch.zeros(2, 3, 1, 28, 28)).shape == (2, 16, 5, 5)


def test_a_stream_is_convolution_relu_norm_pool_in_this_order():
    net = STSTNet().eval()
    stream = net.streams[1]
    stream[2].running_mean.fill_(0.5)
    x = torch.randn(1, 3, 28, 28)
    active = torch.nn.functional.conv2d(x, stream[0].weight, stream[0].bias, padding=2).relu()
    expected = torch.nn.functional.max_pool2d((active - 0.5) / (1 + 1e-5) ** 0.5, 3, 3, 1)
    assert torch.allclose(stream(x), expected, atol=1e-5)


def test_the_streams_side_by_side_train_as_each_alone():
    together = STSTNet(dropout_ratio=0.0).double()
    alone = copy.deepcopy(together)
    for norm in (stream[2] for net in (together, alone) for stream in net.streams):
        torch.nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(len(norm.weight)))
    clips = torch.randn(4, 3, 1, 28, 28, dtype=torch.double)
    expected = alone.pool(torch.cat([stream(clips[:, :, 0]) for stream in alone.streams], dim=1))
    torch.testing.assert_close(together(clips), expected)
    for name, tensor in alone.state_dict().items():  # with the running moments and the number of batches
        torch.testing.assert_close(together.state_dict()[name], tensor)


def test_a_frozen_norm_keeps_its_moments_in_training():
    net = STSTNet()
    norms = [stream[2] for stream in net.streams]
    norms[1].eval()
    net(torch.randn(4, 3, 1, 28, 28) + 1)
    assert [norm.running_mean.any().item() for norm in norms] == [True, False, True]
    assert [norm.num_batches_tracked.item() for norm in norms] == [1, 0, 1]
