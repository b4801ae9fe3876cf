"""Which taps of the multi-scale blocks' kernels see data: each is moved, and the maps of the network are compared."""

from itertools import product

import pytest
import torch
from test_multiscale_resnet3d import OF_I3D, initialised

PUBLISHED = (16, 112, 112)  # frames, height and width of the configs


def idle_taps(shape, base_channels=4, **kwargs):
    """The kernels that have taps which change nothing, with these taps, by stage; and what the blocks say of theirs."""
    backbone = initialised(base_channels=base_channels, **kwargs).eval()
    for block in backbone.multiscale.values():
        torch.nn.init.ones_(block.mix.norm.weight)
    clip = torch.randn(1, 3, *shape)
    with torch.no_grad(), backbone.watch_blocks() as sizes:
        before = backbone(clip)
        idle = {
            (name, layer.conv.kernel_size, tap)
            for name, block in backbone.multiscale.items()
            for branch in block.branches
            for layer in branch
            for tap in product(*map(range, layer.conv.kernel_size))
            if same(before, moved(backbone, clip, layer.conv.weight[(..., *tap)]))
        }
    said = {(name, k) for name, block in backbone.multiscale.items() for k in block.kernels_beyond(sizes[name])}
    return idle, said


def moved(backbone, clip, tap):
    """The maps with other weights at one tap of a kernel, which are put back."""
    weights = tap.clone()
    tap += 1e3 * torch.randn(tap.shape)
    maps = backbone(clip)
    tap.copy_(weights)
    return maps


def same(before, after):
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize('kernel_sizes', [(1, 3, 5), (7,)])
def test_each_tap_of_each_kernel_sees_data_at_the_published_setting(kernel_sizes):
    assert idle_taps(PUBLISHED, kernel_sizes=kernel_sizes) == (set(), set())


def test_in_the_former_trunk_the_outer_taps_in_time_did_nothing():
    idle, said = idle_taps(PUBLISHED, **OF_I3D, max_kernel_t=None, kernel_sizes=(5,))
    assert idle == {(f'layer{stage}', (5, 1, 1), (tap, 0, 0)) for stage in (1, 2, 3) for tap in (0, 4)}
    assert said == {(f'layer{stage}', (5, 1, 1)) for stage in (1, 2, 3)}


@pytest.mark.parametrize('shape', [(8, 56, 56), (4, 28, 28), (1, 40, 28)])
def test_the_blocks_name_the_kernels_that_are_too_large_for_a_clip(shape):
    idle, said = idle_taps(shape, base_channels=8)
    assert said == {(name, kernel) for name, kernel, _ in idle}
    assert said
