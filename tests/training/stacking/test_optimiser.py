import torch
from torch import nn

from mer_bench.training.stacking.optimiser import FoldOptimWrapper


def test_each_fold_is_clipped_by_its_own_norm():
    grads = torch.randn(3, 4, 2) * torch.tensor([0.01, 1.0, 100.0]).view(3, 1, 1), torch.randn(3, 5)
    stacked = [nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    wrapper = FoldOptimWrapper(torch.optim.SGD(stacked, lr=1.0), clip_grad=dict(max_norm=1.5))
    for parameter, grad in zip(stacked, grads, strict=True):
        parameter.grad = grad.clone()
    wrapper.step()
    for fold in range(3):
        alone = [nn.Parameter(torch.zeros_like(grad[fold])) for grad in grads]
        for parameter, grad in zip(alone, grads, strict=True):
            parameter.grad = grad[fold].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.5)
        for together, single in zip(stacked, alone, strict=True):
            torch.testing.assert_close(together[fold].detach(), -single.grad)
