"""The networks of F folds: a single recogniser, or a stack of copies that are computed together."""

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from mer_bench.clip_random import BatchDraws, set_draws
from mer_bench.training.stacking.data import Batch

STANDARD = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SingleNetwork:
    """A recogniser as it is; F is 1.

    Attributes:
        weights: The module whose parameters are trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = copy.deepcopy(model).train()

    def lay_channels_last(self, *step: object) -> None:
        """Store pictures with all channels of a position together, if the network computes this step in that way.

        On a CPU, torch's pools and norms are vectorised over channels alone. A `view` of the maps may need them as
        they were.

        Args:
            step: clips, rows, moments and draws of :func:`training_logits`.
        """
        trial = copy.deepcopy(self.weights)
        _lay_channels_last(trial)
        with suppress(RuntimeError), torch.no_grad():
            training_logits(trial, *step)
            _lay_channels_last(self.weights)

    def __call__(self, clips: torch.Tensor, batch: Batch, moments: torch.Tensor, draws: BatchDraws) -> torch.Tensor:
        """See :meth:`StackedNetwork.__call__`."""
        return training_logits(self.weights, clips, batch.rows[0], moments[0], draws)[None]

    def state_of(self, fold: int) -> dict[str, torch.Tensor]:
        """Return the state_dict of a fold."""
        return self.weights.state_dict()


class StackedNetwork:
    """F copies of a recogniser, with parameters and buffers stacked along a new first dimension.

    Attributes:
        weights: The module whose parameters are trained. It computes nothing; its layers have the recogniser's classes,
            so that an optimiser can treat them differently.
    """

    def __init__(self, model: nn.Module, folds: int) -> None:
        self.skeleton = copy.deepcopy(model).train()
        self.norms = mask_norms(self.skeleton)
        self.weights = stack_weights(model, folds)

    def __call__(self, clips: torch.Tensor, batch: Batch, moments: torch.Tensor, draws: BatchDraws) -> torch.Tensor:
        """Return the logits of a step in training, (F, B, classes).

        Args:
            clips: (N, C, T, H, W), those of all folds.
            batch: Which of them each fold takes.
            moments: (F, 2, C), mean and deviation of each channel.
            draws: What dropout draws from, for all clips.
        """

        def one_fold(tensors: dict, rows: torch.Tensor, mask: torch.Tensor | None, moments: torch.Tensor):
            for norm in self.norms:
                norm.mask = mask
            network = partial(_call, self.skeleton, tensors)
            return training_logits(network, clips, rows, moments, draws)

        tensors = {**dict(self.weights.named_parameters()), **dict(self.weights.named_buffers())}
        in_dims = (0, 0, None if batch.mask is None else 0, 0)
        return vmap(one_fold, in_dims)(tensors, batch.rows, batch.mask, moments)

    def state_of(self, fold: int) -> dict[str, torch.Tensor]:
        """Return the state_dict of a fold."""
        return {name: tensor[fold] for name, tensor in self.weights.state_dict().items()}


def stack_weights(model: nn.Module, folds: int) -> nn.Module:
    """Return a copy of a model with every parameter and buffer repeated `folds` times along a new first dimension."""
    stacked = copy.deepcopy(model)
    for module in stacked.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    several = tensor.detach().expand(folds, *tensor.shape).clone()
                    is_parameter = isinstance(tensor, nn.Parameter)
                    tensors[name] = nn.Parameter(several, tensor.requires_grad) if is_parameter else several
    return stacked


def training_logits(
    network: Callable[..., torch.Tensor],
    clips: torch.Tensor,
    rows: torch.Tensor,
    moments: torch.Tensor,
    draws: BatchDraws,
) -> torch.Tensor:
    """Take the clips `rows`, normalise them and return the (B, classes) logits of a recogniser in training."""
    mean, std = moments.view(2, -1, 1, 1, 1)
    set_draws(replace(draws, rows=rows))
    try:
        return network(((clips[rows] - mean) / std)[:, None], stage='head')  # one crop
    finally:
        set_draws(None)


def _lay_channels_last(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last)


def _call(skeleton: nn.Module, tensors: dict, inputs: torch.Tensor, **options) -> torch.Tensor:
    return functional_call(skeleton, tensors, (inputs,), options)


class MaskedNorm(torch.autograd.Function):
    """Normalises with the moments of the clips that count, joined from the moments of each clip.

    The gradient of the clips that do not count is what comes in, scaled: zero, since no loss sees them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, ...]:
        """x: (B, C, ...); weight, bias: (C,); mask: (B,) of 0 and 1. Out: as x; mean and biased variance, (C,)."""
        share = mask / mask.sum()
        means, variances = clip_moments(x)
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


def clip_moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and biased variance of each channel of each clip, (B, C); x: (B, C, ...)."""
    if x.dim() == 2:
        return x, torch.zeros_like(x)
    x = x.flatten(2)
    if x.device.type != 'cpu':
        return torch.var_mean(x, dim=2, correction=0)[::-1]
    means = x.mean(2)  # on a CPU ten times faster than torch.var_mean
    return means, torch.linalg.vector_norm(x - means[..., None], dim=2).square() / x.shape[2]


def _along(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return (C,) values in a shape that broadcasts along the channels of x."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


class FoldNorm(_BatchNorm):
    """nn.BatchNorm of one fold of a stack; `mask` selects the clips that count; None: all."""

    mask: torch.Tensor | None = None

    def _check_input_dim(self, x: torch.Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, C, ...)."""
        if not self.training:
            return super().forward(x)
        mask = x.new_ones(len(x)) if self.mask is None else self.mask.to(x.dtype)
        out, mean, var = MaskedNorm.apply(x, self.weight, self.bias, mask, self.eps)
        with torch.no_grad():
            count = mask.sum() * x[0, 0].numel()
            self.num_batches_tracked.add_(1)
            for running, moment in ((self.running_mean, mean), (self.running_var, var * count / (count - 1))):
                running.mul_(1 - self.momentum).add_(moment * self.momentum)
        return out


def mask_norms(model: nn.Module) -> list[FoldNorm]:
    """Turn the batch norms of a model into :class:`FoldNorm` in place, keeping their weights, and return them."""
    norms = [module for module in model.modules() if type(module) in STANDARD]
    for norm in norms:
        norm.__class__ = FoldNorm
    return norms
