"""Dropout whose mask belongs to the clip, so that training is independent of what is trained at the same time."""

from dataclasses import dataclass

import torch
from torch import nn

from mer_bench.clip_random import clip_uniform

FIRST_STREAM = 1000  # lower ones belong to augmentation


@dataclass
class BatchDraws:
    """What determines the dropout masks of a batch.

    Attributes:
        keys: (N,) int32, one per clip, see :func:`clip_keys`.
        seed: Seed of the run.
        epoch: Counted from 0.
        rows: (B,) int64, which of the keys are the batch; None: all, in their order.
        masks: Masks drawn for all keys, by layer; kept if `rows` picks from them repeatedly.
        layer: Number of layers of this forward pass that have drawn.
    """

    keys: torch.Tensor
    seed: int
    epoch: int
    rows: torch.Tensor | None = None
    masks: dict[int, torch.Tensor] | None = None
    layer: int = 0

    def fits(self, x: torch.Tensor) -> bool:
        """Return whether these can be the draws of a batch, and not those of an earlier one of another size."""
        return self.rows is not None or len(self.keys) == len(x)

    def keep(self, shape: torch.Size, ratio: float) -> torch.Tensor:
        """Return which values to keep, (B, *shape) bool, for the next layer of the forward pass."""
        layer, self.layer = self.layer, self.layer + 1
        masks = {} if self.masks is None else self.masks
        if layer not in masks:
            uniform = clip_uniform(self.keys, self.seed, self.epoch, FIRST_STREAM + layer, shape.numel())
            masks[layer] = (uniform >= ratio).view(len(self.keys), *shape)
        return masks[layer] if self.rows is None else masks[layer][self.rows]


_current: BatchDraws | None = None


def set_draws(draws: BatchDraws | None) -> None:
    """Set what the next forward pass in training draws from; None: torch's own generator."""
    global _current
    _current = draws


class ClipDropout(nn.Dropout):
    """nn.Dropout of (N, ...) features that draws from :func:`set_draws`; plain nn.Dropout if nothing is set."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p or _current is None or not _current.fits(x):
            return super().forward(x)
        return x * (_current.keep(x.shape[1:], self.p).to(x.dtype) / (1 - self.p))
