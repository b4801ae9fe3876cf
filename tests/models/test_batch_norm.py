import pytest
import torch
from torch import nn

from mer_bench.models.batch_norm import OneClipBatchNorm3d


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
