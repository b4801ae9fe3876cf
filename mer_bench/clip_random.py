"""Random numbers that belong to a clip, and the dropout that draws from them.

The numbers are functions of seed, epoch, clip, stream and place only.
They do not depend on the other clips of a batch, on their order, on worker processes, on the device, or on how many
folds are trained together. The mixing function is lowbias32 (Wellons, https://nullprogram.com/blog/2018/07/31/), all
of it in 32-bit integers that wrap around, so that every device gives the same bits.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

BITS = 24  # of a uniform number: what float32 holds exactly
GOLDEN = 0x9E3779B9  # 2**32 over the golden ratio: spreads the places
MULTIPLIERS = (0x7FEB352D, 0x846CA68B)
FIRST_STREAM = 1000  # of dropout; lower ones belong to augmentation


def clip_keys(sample_ids: Iterable[str]) -> torch.Tensor:
    """Return one key a clip, (N,) int32: the CRC-32 of its sample_id."""
    return torch.from_numpy(np.array([zlib.crc32(name.encode()) for name in sample_ids], np.uint32).view(np.int32))


def salt(seed: int, epoch: int, stream: int) -> int:
    """Return an int32 that differs between seeds, epochs and streams (one for each kind of draw)."""
    return _signed(int(np.random.SeedSequence([seed, epoch, stream]).generate_state(1)[0]))


def clip_uniform(keys: torch.Tensor, seed: int, epoch: int, stream: int, count: int) -> torch.Tensor:
    """Draw `count` uniform numbers for each clip.

    Args:
        keys: (...) int32, see :func:`clip_keys`.
        seed: Of the run.
        epoch: Counted from 0.
        stream: Which draw of the epoch it is.
        count: Numbers a clip.

    Returns:
        (..., count) float32 in [0, 1), multiples of 2**-24.
    """
    return clip_bits(keys, seed, epoch, stream, count).float() * 2.0**-BITS


def clip_bits(keys: torch.Tensor, seed: int, epoch: int, stream: int, count: int) -> torch.Tensor:
    """Draw as :func:`clip_uniform`, but return the numbers times 2**24, (..., count) int32."""
    places = torch.arange(count, dtype=torch.int32, device=keys.device) * _signed(GOLDEN)
    return _shift(mix(mix(keys ^ salt(seed, epoch, stream))[..., None] + places), 32 - BITS)


def mix(words: torch.Tensor) -> torch.Tensor:
    """lowbias32 of int32 words, read as unsigned."""
    first, second = map(_signed, MULTIPLIERS)
    words = (words ^ _shift(words, 16)).mul_(first)
    words = words.bitwise_xor_(_shift(words, 15)).mul_(second)
    return words.bitwise_xor_(_shift(words, 16))


def _shift(words: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right as unsigned numbers are shifted."""
    return (words >> bits).bitwise_and_(2 ** (32 - bits) - 1)


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word


def least_kept(ratio: float) -> int:
    """Return the smallest number of :func:`clip_bits` that dropout of this ratio, in float32, keeps."""
    return math.ceil(float(np.float32(ratio)) * 2**BITS)


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
            bits = clip_bits(self.keys, self.seed, self.epoch, FIRST_STREAM + layer, shape.numel())
            masks[layer] = (bits >= least_kept(ratio)).view(len(self.keys), *shape)
        return masks[layer] if self.rows is None else masks[layer][self.rows]


_current: BatchDraws | None = None


def set_draws(draws: BatchDraws | None) -> None:
    """Set what the next forward pass in training draws from; None: torch's own generator."""
    global _current
    _current = draws


@contextmanager
def part_of_draws(part: slice) -> Iterator[None]:
    """Let the forward passes of the block draw for some clips of the batch, what each would draw in the whole batch."""
    whole = _current
    set_draws(whole and replace(whole, keys=whole.keys[part], layer=0))
    try:
        yield
    finally:
        set_draws(whole)


class ClipDropout(nn.Dropout):
    """nn.Dropout of (N, ...) features that draws from :func:`set_draws`; plain nn.Dropout if nothing is set."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p or _current is None or not _current.fits(x):
            return super().forward(x)
        return x * (_current.keep(x.shape[1:], self.p).to(x.dtype) / (1 - self.p))
