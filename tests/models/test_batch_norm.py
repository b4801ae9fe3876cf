import pytest
import torch
from torch import nn

from mer_bench.models.backbones.multiscale_resnet3d import OneClipBatchNorm3d


def test_one_value_per_channel_is_normalised_by_the_running_statistics():
    norm = OneClipBatchNorm3d(2).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.fill_(4.0)
    out = norm(torch.tensor([5.0, 2.0]).view(1, 2, 1, 1, 1))
    assert torch.allclose(out.flatten(), torch.tensor([2.0, 0.0]), atol=1e-5)
    assert norm.running_mean.tolist() == [1.0, 2.0]


@pytest.mark.parametrize('shape', [(2, 3, 1, 1, 1), (1, 3, 1, 1, 2), (4, 3, 2, 5, 5)])
@pytest.mark.parametrize('training', [True, False])
def test_everywhere_else_it_is_batch_norm(shape, training):
    ours, stock = OneClipBatchNorm3d(3).train(training), nn.BatchNorm3d(3).train(training)
    x = torch.randn(shape)
    assert torch.equal(ours(x), stock(x))
    assert torch.equal(ours.running_var, stock.running_var)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('momentum', [0.3, None])
def test_with_channels_last_it_is_batch_norm_also_below_a_relu_in_place(training, momentum):
    norms = [cls(3, momentum=momentum).train(training) for cls in (OneClipBatchNorm3d, nn.BatchNorm3d)]
    maps = [torch.randn(4, 3, 2, 5, 5, generator=torch.Generator().manual_seed(0)).requires_grad_() for _ in norms]
    laid = [x.to(memory_format=torch.channels_last_3d) for x in maps]
    ours, stock = (torch.relu_(norm(x)) for norm, x in zip(norms, laid, strict=True))
    assert torch.equal(ours, stock)
    assert ours.is_contiguous(memory_format=torch.channels_last_3d)
    for out in (ours, stock):
        (out**2).sum().backward()
    assert torch.equal(maps[0].grad, maps[1].grad)
    assert torch.equal(norms[0].weight.grad, norms[1].weight.grad)
    assert torch.equal(norms[0].running_mean, norms[1].running_mean)
