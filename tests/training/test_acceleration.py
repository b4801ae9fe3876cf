"""Precision and memory layout change the last digits of a trained network, and nothing where they are off."""

import copy
import logging
from functools import cache

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn

import mer_bench.registry  # noqa: F401
from mer_bench.training.gradient_check import compare_gradients
from mer_bench.training.runner import accelerate, prefers_channels_last

CLASSES = 3
TOLERANCE = 0.01  # of a probability in bf16, which keeps 8 bits of every factor: 0.4 %


@pytest.fixture(scope='module', autouse=True)
def _quiet():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # no line per weight
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)


def network(precision='fp32', channels_last=False):
    """A small full model with the first weights of seed 0."""
    torch.manual_seed(0)
    cfg = dict(
        type='Recognizer3D',
        backbone=dict(type='MultiScaleResNet3d', depth=18, inflate=0, base_channels=8),
        neck=dict(type='AttentionFusion', in_channels=[16, 32, 64], channels=16),
        cls_head=dict(type='MultiOutputHead', num_classes=CLASSES, in_channels=[16] * 4, dropout_ratio=0.0),
    )
    model = MODELS.build(cfg)
    model.init_weights()
    accelerate(model, precision, channels_last, () if precision == 'fp32' else fp32_layers(channels_last))
    return model


@cache
def fp32_layers(channels_last):
    """Those that a training of the network would compute in fp32."""
    found = compare_gradients(network(), *clips(4, 0), 'bf16', channels_last)
    assert found.mended
    return found.fp32_layers


def clips(n, seed, frames=2):
    """Noise, and in one channel what tells the class."""
    inputs = 0.3 * torch.randn(n, 1, 3, frames, 28, 28, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % CLASSES
    inputs[torch.arange(n), 0, labels] += 1
    return inputs, [ActionDataSample().set_gt_label(int(label)) for label in labels]


def train(model, steps=20):
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        model.parse_losses(model(*clips(12, step), mode='loss'))[0].backward()
        optimizer.step()
    return model


@torch.no_grad()
def predict(model):
    """Class probabilities of 30 clips that were not trained on."""
    return torch.stack([sample.pred_score for sample in model.eval()(*clips(30, 1000), mode='predict')])


@pytest.fixture(scope='module')
def trained():
    """Weights and predictions of the plain network."""
    model = train(network())
    return copy.deepcopy(model.state_dict()), predict(model)


def test_the_trained_network_has_learnt_its_classes(trained):
    assert torch.equal(trained[1].argmax(1), torch.arange(30) % CLASSES)


@pytest.mark.parametrize(
    ('precision', 'channels_last', 'tolerance'),
    [('fp32', True, 1e-5), ('bf16', False, TOLERANCE), ('bf16', True, TOLERANCE)],
)
def test_a_trained_network_predicts_the_same_in_another_precision_or_layout(
    trained, precision, channels_last, tolerance
):
    model = network(precision, channels_last)
    model.load_state_dict(trained[0])
    scores = predict(model)
    assert torch.allclose(scores, trained[1], atol=tolerance, rtol=0)
    assert torch.equal(scores.argmax(1), trained[1].argmax(1))


def test_a_network_that_is_trained_in_bf16_learns_the_same_classes(trained):
    assert torch.equal(predict(train(network('bf16', channels_last=True))).argmax(1), trained[1].argmax(1))


def test_the_weights_are_those_of_the_plain_network(trained):
    fast = network('bf16', channels_last=True).state_dict()
    assert {weight.dtype for weight in fast.values()} == {torch.float32, torch.int64}
    plain = network().state_dict()
    assert all(torch.equal(fast[name], weight) for name, weight in plain.items())
    network().load_state_dict(fast)
    network('bf16', channels_last=True).load_state_dict(trained[0])


def seen_by_the_neck(model, mode):
    """A map that the backbone gives to the neck."""
    seen = []
    model.neck.register_forward_pre_hook(lambda neck, inputs: seen.append(inputs[0][0]))
    model.train(mode == 'loss')(*clips(4, 0), mode=mode)
    return seen[0]


@pytest.mark.parametrize('mode', ['loss', 'predict'])
@pytest.mark.parametrize(('precision', 'dtype'), [('fp32', torch.float32), ('bf16', torch.bfloat16)])
def test_training_and_test_have_the_chosen_precision(precision, dtype, mode):
    assert seen_by_the_neck(network(precision), mode).dtype == dtype


@pytest.mark.parametrize('mode', ['loss', 'predict'])
@pytest.mark.parametrize('channels_last', [True, False])
def test_training_and_test_have_the_chosen_layout(channels_last, mode):
    seen = seen_by_the_neck(network('fp32', channels_last), mode)
    assert seen.is_contiguous(memory_format=torch.channels_last_3d) is channels_last


def test_a_stock_network_with_a_stock_head_trains_and_predicts_in_bf16():
    backbone = dict(type='ResNet3d', depth=18, base_channels=8, pretrained=None, inflate=1, norm_eval=False)
    head = dict(type='I3DHead', num_classes=CLASSES, in_channels=64, average_clips='prob', topk=(1,))
    model = MODELS.build(dict(type='Recognizer3D', backbone=backbone, cls_head=head))
    accelerate(model, 'bf16', True)
    losses = model(*clips(4, 0, frames=8), mode='loss')
    assert losses['loss_cls'].dtype == torch.float32
    with torch.no_grad():
        scores = [sample.pred_score for sample in model.eval()(*clips(4, 0, frames=8), mode='predict')]
    assert torch.allclose(torch.stack(scores).sum(1), torch.ones(4))


def test_channels_come_last_by_themselves_where_3d_convolutions_gain_by_it():
    dense, grouped, flat = nn.Conv3d(4, 4, 1), nn.Conv3d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3)
    assert prefers_channels_last(dense, 'cuda', 'fp32')
    assert prefers_channels_last(dense, 'cpu', 'bf16')
    assert not prefers_channels_last(dense, 'cpu', 'fp32')
    assert not prefers_channels_last(nn.Sequential(dense, grouped), 'cuda', 'bf16')
    assert not prefers_channels_last(flat, 'cuda', 'bf16')


def test_the_same_settings_give_the_same_numbers():
    first, second = (train(network('bf16', True), steps=2).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
