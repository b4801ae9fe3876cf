"""Which taps of the multi-scale blocks' kernels see data: each is moved, and the output of its block is compared."""

from itertools import product

import pytest
import torch

from tests.models.test_multiscale_resnet3d import OF_I3D, initialised

PUBLISHED = (16, 112, 112)  # frames, height and width of the configs


def idle_taps(shape, **kwargs):
    """The kernels that have taps which change nothing, with these taps, by stage; and what the blocks say of theirs."""
    backbone = initialised(base_channels=8, **kwargs).eval()
    idle, said = set(), set()
    with torch.no_grad():
        backbone(torch.zeros(1, 3, *shape))
        for name, block in backbone.multiscale.items():
            torch.nn.init.ones_(block.mix.norm.weight)
            x = torch.randn(1, block.mix.norm.num_features, *block.seen)
            before = block(x)
            for layer in (layer for branch in block.branches for layer in branch):
                kernel = layer.conv.kernel_size
                taps = product(*map(range, kernel))
                idle |= {(name, kernel, tap) for tap in taps if torch.equal(before, moved(block, x, layer, tap))}
            said |= {(name, kernel) for kernel in block.kernels_beyond()}
    return idle, said


def moved(block, x, layer, tap):
    """The output with other weights at one tap of a kernel, which are put back."""
    weights = layer.conv.weight.clone()
    layer.conv.weight[(..., *tap)] += 1e3 * torch.randn(weights.shape[:2])
    out = block(x)
    layer.conv.weight.copy_(weights)
    return out


@pytest.mark.parametrize('kernel_sizes', [(1, 3, 5), (7,)])
def test_each_tap_of_each_kernel_sees_data_at_the_published_setting(kernel_sizes):
    assert idle_taps(PUBLISHED, kernel_sizes=kernel_sizes) == (set(), set())


def test_in_the_former_trunk_the_outer_taps_in_time_did_nothing():
    idle, said = idle_taps(PUBLISHED, **OF_I3D, max_kernel_t=None, kernel_sizes=(5,))
    assert idle == {(f'layer{stage}', (5, 1, 1), (tap, 0, 0)) for stage in (1, 2, 3) for tap in (0, 4)}
    assert said == {(f'layer{stage}', (5, 1, 1)) for stage in (1, 2, 3)}


@pytest.mark.parametrize('shape', [(8, 56, 56), (4, 28, 28), (1, 40, 28)])
def test_the_blocks_name_the_kernels_that_are_too_large_for_a_clip(shape):
    idle, said = idle_taps(shape)
    assert said == {(name, kernel) for name, kernel, _ in idle}
    assert said


def test_a_block_changes_the_maps_of_its_stage_and_of_all_behind_it():
    backbone = initialised(base_channels=8, out_indices=(0, 1, 2, 3)).eval()
    clip = torch.randn(1, 3, *PUBLISHED)
    before = backbone(clip)
    torch.nn.init.ones_(backbone.multiscale['layer2'].mix.norm.weight)
    same = [torch.equal(a, b) for a, b in zip(before, backbone(clip), strict=True)]
    assert same == [True, False, False, False]
