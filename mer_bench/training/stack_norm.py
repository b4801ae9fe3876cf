"""Batch norm over the real clips of a padded batch."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

STANDARD = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class MaskedNorm(torch.autograd.Function):
    """Normalises with the moments of the clips that count; one pass over the values for the moments of each clip.

    The gradient of the clips that do not count is what comes in, scaled: zero, since no loss sees them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, ...]:
        """x: (B, C, ...); weight, bias: (C,); mask: (B,) of 0 and 1. Out: as x; mean and biased variance, (C,)."""
        share = mask / mask.sum()
        if x.dim() > 2:
            variances, means = torch.var_mean(x.flatten(2), dim=2, correction=0)
        else:
            variances, means = torch.zeros_like(x), x
        mean = share @ means
        var = share @ (variances + (means - mean).square())
        scale = weight * (var + eps).rsqrt()
        shift = bias - mean * scale
        return torch.addcmul(_along(shift, x), x, _along(scale, x)), mean, var

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple) -> None:
        x, weight, _, mask, eps = inputs
        _, mean, var = output
        ctx.mark_non_differentiable(mean, var)
        ctx.save_for_backward(x, weight, mask, mean, (var + eps).rsqrt())

    @staticmethod
    def backward(ctx, grad: torch.Tensor, _mean: None, _var: None) -> tuple[torch.Tensor | None, ...]:
        x, weight, mask, mean, invstd = ctx.saved_tensors
        dims = [0, *range(2, x.dim())]
        count = mask.sum() * (x[0, 0].numel())
        grad_bias = grad.sum(dims)
        grad_weight = ((grad * x).sum(dims) - mean * grad_bias) * invstd
        scale = weight * invstd
        slope = -scale * invstd * grad_weight / count
        level = -scale * grad_bias / count - slope * mean
        counts = mask.view(-1, *[1] * (x.dim() - 1))
        others = torch.addcmul(_along(level, x) * counts, x, _along(slope, x) * counts)
        return torch.addcmul(others, grad, _along(scale, x)), grad_weight, grad_bias, None, None


def _along(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Lay (C,) values along the channels of x."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


class FoldNorm(_BatchNorm):
    """nn.BatchNorm of one fold of a stack; `mask` says which clips count, None: all."""

    mask: torch.Tensor | None = None

    def _check_input_dim(self, x: torch.Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, C, ...)."""
        if not self.training or self.mask is None:
            return super().forward(x)
        mask = self.mask.to(x.dtype)
        out, mean, var = MaskedNorm.apply(x, self.weight, self.bias, mask, self.eps)
        with torch.no_grad():
            count = mask.sum() * x[0, 0].numel()
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        return out


def mask_norms(model: nn.Module) -> list[FoldNorm]:
    """Turn the batch norms of a model into :class:`FoldNorm`, with the weights that they have, and return them."""
    norms = [module for module in model.modules() if type(module) in STANDARD]
    for norm in norms:
        norm.__class__ = FoldNorm
    return norms
