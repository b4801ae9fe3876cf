"""Dropout whose mask belongs to the clip, so that a training does not depend on what is trained beside it."""

from dataclasses import dataclass

import torch
from torch import nn

from mer_bench.clip_random import clip_uniform

FIRST_STREAM = 1000  # lower ones belong to augmentation


@dataclass
class BatchDraws:
    """What the masks of a batch are drawn from.

    Attributes:
        keys: (N,) int32, one a clip.
        seed: Of the run.
        epoch: Counted from 0.
        rows: Which of the keys are the batch, (B,) int64; None: all, in their order.
        masks: Those that were drawn for all keys, by layer; kept where `rows` picks from them again and again.
        layer: How many layers of this forward pass have drawn.
    """

    keys: torch.Tensor
    seed: int
    epoch: int
    rows: torch.Tensor | None = None
    masks: dict[int, torch.Tensor] | None = None
    layer: int = 0

    def fits(self, x: torch.Tensor) -> bool:
        """Say whether these can be the draws of a batch, and not those of one of another size that was before."""
        return self.rows is not None or len(self.keys) == len(x)

    def keep(self, shape: torch.Size, ratio: float) -> torch.Tensor:
        """Return which values stay, (B, *shape) bool, for the next layer of the forward pass."""
        layer, self.layer = self.layer, self.layer + 1
        masks = {} if self.masks is None else self.masks
        if layer not in masks:
            uniform = clip_uniform(self.keys, self.seed, self.epoch, FIRST_STREAM + layer, shape.numel())
            masks[layer] = (uniform >= ratio).view(len(self.keys), *shape)
        return masks[layer] if self.rows is None else masks[layer][self.rows]


_current: BatchDraws | None = None


def set_draws(draws: BatchDraws | None) -> None:
    """Say what the next forward pass in training draws from; None: torch's own generator."""
    global _current
    _current = draws


class ClipDropout(nn.Dropout):
    """nn.Dropout of (N, ...) features that draws from :func:`set_draws`; where nothing is set it is nn.Dropout."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p or _current is None or not _current.fits(x):
            return super().forward(x)
        return x * (_current.keep(x.shape[1:], self.p).to(x.dtype) / (1 - self.p))
