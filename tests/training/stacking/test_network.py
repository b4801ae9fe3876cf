import pytest
import torch
from torch import nn
from torch.func import vmap

from mer_bench.training.stacking.network import MaskedNorm, mask_norms

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
