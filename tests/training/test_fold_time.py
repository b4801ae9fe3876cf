"""A convolution whose kernel is longer than its clip gives what torch gives, and torch is given none."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mer_bench.training.fold_time import fold_time, folds


def results(layer, x):
    """The output, and the gradients of input, kernel and bias for a fixed gradient of the output."""
    y = layer(x)
    gradient = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
    return y, *torch.autograd.grad(y, [x, *layer.parameters()], gradient)


@pytest.mark.parametrize('frames', [1, 2, 3])
@pytest.mark.parametrize(
    'settings',
    [
        dict(kernel_size=3, padding=1),
        dict(kernel_size=3, padding=1, stride=2),
        dict(kernel_size=(5, 3, 3), padding=(2, 1, 1), stride=(2, 1, 2), groups=2),
        dict(kernel_size=(5, 1, 1), padding=(4, 0, 0), dilation=(2, 1, 1), bias=False),
        dict(kernel_size=(7, 3, 5), padding=(3, 2, 2), stride=(3, 1, 1), dilation=(1, 2, 1)),
    ],
)
def test_output_and_gradients_are_those_of_conv3d(settings, frames, monkeypatch):
    layer = nn.Conv3d(4, 6, **settings).double()
    x = torch.randn(2, 4, frames, 6, 7, dtype=torch.float64, requires_grad=True)
    expected = results(layer, x)
    if frames < layer.kernel_size[0]:
        monkeypatch.setattr(F, 'conv3d', None)
    fold_time(layer)
    for ours, theirs in zip(results(layer, x), expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_result_has_the_layout_of_the_input_and_copies_compute_alike():
    layer = nn.Conv3d(4, 6, 3, padding=1)
    fold_time(layer)
    x = torch.randn(2, 4, 2, 5, 5)
    last = x.contiguous(memory_format=torch.channels_last_3d)
    assert layer(x).is_contiguous()
    assert layer(last).is_contiguous(memory_format=torch.channels_last_3d)
    twin = copy.deepcopy(layer)
    nn.init.zeros_(twin.weight)
    assert not torch.allclose(twin(x), layer(x))


@pytest.mark.parametrize(
    'settings', [dict(padding=(0, 1, 1)), dict(padding=1, padding_mode='replicate'), dict(padding='same')]
)
def test_other_paddings_are_left_to_torch(settings):
    x, layer = torch.randn(2, 4, 2, 5, 5), nn.Conv3d(4, 6, 3, **settings)
    assert not folds(layer, x)
