import pytest
import torch
from torch import nn
from torch.func import vmap

from mer_bench.clip_random import BatchDraws
from mer_bench.training.stacking.network import MaskedNorm, SingleNetwork, mask_norms

KINDS = {nn.BatchNorm1d: (5, 3), nn.BatchNorm2d: (5, 3, 4, 2), nn.BatchNorm3d: (5, 3, 2, 4, 2)}


@pytest.mark.parametrize('kind', KINDS)
def test_norm_and_running_moments_are_those_of_the_clips_that_count(kind):
    x = torch.randn(KINDS[kind], dtype=torch.double) + 2
    plain, (masked,) = kind(3).double(), mask_norms(nn.Sequential(kind(3)).double())
    masked.mask = torch.tensor([1, 0, 1, 1, 0]).bool()
    torch.testing.assert_close(masked(x)[masked.mask], plain(x[masked.mask]))
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[name], tensor)


def test_gradients_are_those_of_numerical_differences():
    mask = torch.tensor([1.0, 0, 1, 1], dtype=torch.double)
    tensors = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in ((4, 2, 3, 3), (2,), (2,))]

    def counted(x, weight, bias):  # nothing reads the clips that do not count
        return MaskedNorm.apply(x, weight, bias, mask, 1e-5)[0] * mask.view(-1, 1, 1, 1)

    assert torch.autograd.gradcheck(counted, tensors)


def test_two_norms_in_a_stack_do_not_see_each_other():
    x, weight, bias = torch.randn(2, 4, 3, 5, 5), torch.rand(2, 3), torch.rand(2, 3)
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
    stacked, *_ = vmap(MaskedNorm.apply, in_dims=(0, 0, 0, 0, None))(x, weight, bias, mask, 1e-5)
    for i, clips in enumerate((4, 2)):
        alone = nn.functional.batch_norm(x[i, :clips], None, None, weight[i], bias[i], training=True)
        torch.testing.assert_close(stacked[i, :clips], alone)


class Pictures(nn.Module):
    """Takes (N, 1, C, 1, H, W); `flat` turns the maps of its convolution into features."""

    def __init__(self, flat):
        super().__init__()
        self.volume, self.conv, self.flat = nn.Conv3d(3, 3, 1), nn.Conv2d(3, 2, 3), flat

    def forward(self, x, stage):
        return self.flat(self.conv(self.volume(x[:, 0])[:, :, 0]))


@pytest.mark.parametrize(
    ('flat', 'laid'), [(lambda maps: maps.flatten(1), True), (lambda maps: maps.view(len(maps), -1), False)]
)
def test_channels_are_last_where_the_network_can_compute_so(flat, laid):
    network, clips, draws = SingleNetwork(Pictures(flat)), torch.randn(4, 3, 1, 5, 5), BatchDraws(torch.zeros(4), 0, 0)
    weight = network.weights.conv.weight
    network.lay_channels_last(clips, torch.tensor([0, 2]), torch.tensor([[0.0] * 3, [1.0] * 3]), draws)
    assert network.weights.conv.weight is weight  # as an optimiser knows it
    assert weight.is_contiguous(memory_format=torch.channels_last) == laid
    assert weight.is_contiguous() != laid
