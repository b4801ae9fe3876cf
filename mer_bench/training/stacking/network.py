"""The networks of F folds: one recogniser as it is, or a stack of copies that computes all of them at once."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.func import functional_call, vmap

from mer_bench.models.clip_dropout import BatchDraws, set_draws
from mer_bench.training.stacking.batches import Batch
from mer_bench.training.stacking.norm import mask_norms


class SingleNetwork:
    """A recogniser as it is; F is 1.

    Attributes:
        weights: The module whose parameters are trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = copy.deepcopy(model).train()

    def __call__(self, clips: torch.Tensor, batch: Batch, moments: torch.Tensor, draws: BatchDraws) -> torch.Tensor:
        """See :meth:`StackedNetwork.__call__`."""
        return training_logits(self.weights, clips, batch.rows[0], moments[0], draws)[None]

    def state_of(self, fold: int) -> dict[str, torch.Tensor]:
        """Return the state_dict of a fold."""
        return self.weights.state_dict()


class StackedNetwork:
    """F copies of a recogniser, with parameters and buffers stacked along a new first dimension.

    Attributes:
        weights: The module whose parameters are trained. Its layers are of the recogniser's kinds, so that an optimiser
            can tell them apart; it computes nothing.
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
    """Return a copy of a model whose every parameter and buffer stands `folds` times along a new first dimension."""
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


def _call(skeleton: nn.Module, tensors: dict, inputs: torch.Tensor, **options) -> torch.Tensor:
    return functional_call(skeleton, tensors, (inputs,), options)
