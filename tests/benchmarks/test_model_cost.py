import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks import model_cost
from benchmarks.model_cost import CONFIG, count, is_channels_last, measure, outside_products, training_step

SMALLEST = dict(config=CONFIG, size=28, clip_len=5, batch=2, rounds=1, threads=1, device='cpu')


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class OneConvolution(nn.Module):
    """A recogniser of one convolution without bias, whose FLOPs are known by hand."""

    def __init__(self, channels=4):
        super().__init__()
        self.conv = nn.Conv3d(3, channels, 1, bias=False)
        self.data_preprocessor, self.cls_head = None, nn.Identity()

    def forward(self, clips, samples=None, mode=None, stage=None):
        return self.conv(clips[:, 0]).sum()

    def parse_losses(self, loss):
        return loss, {}


def test_the_backward_of_weights_alone_doubles_the_flops():
    cost = count(OneConvolution(), (3, 5, 28, 28))
    forward = 2 * 3 * 4 * 5 * 28 * 28
    assert cost == {'parameters': 12, 'flops': forward, 'flops_step': 2 * forward}


def test_the_memory_layout_is_read_from_the_network():
    model = OneConvolution()
    assert not is_channels_last(nn.Sequential(nn.Conv3d(2, 2, 3)))
    assert is_channels_last(nn.Sequential(nn.Conv3d(2, 2, 3)).to(memory_format=torch.channels_last_3d))
    training_step(model, torch.zeros(2, 1, 3, 5, 28, 28))()
    assert model.conv.weight.grad is not None


def test_the_time_outside_convolutions_and_products_is_what_they_do_not_take(monkeypatch):
    model, clock = OneConvolution(), itertools.count()
    step = training_step(model, torch.zeros(2, 1, 3, 5, 28, 28))
    monkeypatch.setattr(model_cost.time, 'perf_counter', lambda: next(clock))  # a second for each look
    share = outside_products(step)
    end = next(clock) - 1
    assert share == 1 - 2 / end  # forward and backward of the convolution take a second each


def test_ratios_are_of_what_they_say(monkeypatch):
    runs = {'full_fp32_contiguous': [8.0], 'full_as_trained': [4.0], 'plain_as_trained': [2.0], 'i3d_as_trained': [1.0]}
    networks = {'full': OneConvolution(8), 'plain': OneConvolution(4), 'i3d': OneConvolution(2)}
    monkeypatch.setattr(model_cost, 'build_models', lambda config: networks)
    monkeypatch.setattr(model_cost, 'interleave', lambda steps, rounds: {name: runs[name] for name in steps})
    result = measure(SimpleNamespace(**SMALLEST, precision='bf16', channels_last='yes'))
    assert result['settings']['channels_last'] is True
    assert result['ratios']['speedup']['median'] == 2.0
    assert result['ratios']['blocks']['median'] == 2.0
    assert result['ratios']['trunk']['median'] == 4.0
    assert result['clips_per_second']['plain_as_trained'] == 1.0
    full, plain, i3d = result['models'].values()
    assert result['work']['full_as_trained'] == {'flops': 2 * full['flops_step'], 'precision': 'bf16'}
    assert result['work']['full_fp32_contiguous']['precision'] == 'fp32'
    assert result['work']['plain_as_trained']['flops'] == 2 * plain['flops_step']
    assert result['work']['i3d_as_trained']['flops'] == 2 * i3d['flops_step']
    assert [full['parameters'] / other['parameters'] for other in (plain, i3d)] == [2.0, 4.0]
