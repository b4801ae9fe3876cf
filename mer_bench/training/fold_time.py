"""Computes a 3D convolution whose kernel is longer than its clip as a 2D convolution of all its frames at once.

A kernel of 3 on 2 frames needs 4 of its 6 products in time, on 1 frame 1 of 3; the others multiply padding. With the
frames as channels only the former are computed. oneDNN, besides, computes wrong gradients in bf16 for such kernels.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn


def fold_time(model: nn.Module) -> None:
    """Let every Conv3d of a network compute this way where it can; its weights and results are those it has."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module._conv_forward = partial(convolve, module)  # which can be copied and pickled


def folds(layer: nn.Module, x: torch.Tensor) -> bool:
    """Return whether a layer is a Conv3d with zero padding whose kernel is longer than the clips of x in time."""
    if not isinstance(layer, nn.Conv3d) or x.dim() != 5 or layer.padding_mode != 'zeros':
        return False
    if isinstance(layer.padding, str):  # 'same' or 'valid'
        return False
    length = layer.dilation[0] * (layer.kernel_size[0] - 1) + 1
    return x.shape[2] < length <= x.shape[2] + 2 * layer.padding[0]


def convolve(layer: nn.Conv3d, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Convolve as ``Conv3d._conv_forward``; the frames of a channel become channels where the layer :func:`folds`.

    Args:
        layer: Its stride, padding, dilation and groups.
        x: (N, C, T, H, W).
        weight: (C', C / groups, K, KH, KW).
        bias: (C',) or None.

    Returns:
        (N, C', T', H', W'), in the memory layout of x.
    """
    if not folds(layer, x):
        return type(layer)._conv_forward(layer, x, weight, bias)
    (stride, *strides), (padding, *paddings), (dilation, *dilations) = layer.stride, layer.padding, layer.dilation
    out, frames, taps = len(weight), x.shape[2], weight.shape[2]
    steps = (frames + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
    seen = [[tap_at(t + padding - step * stride, dilation, taps) for t in range(frames)] for step in range(steps)]
    if any(taps in row for row in seen):
        weight = F.pad(weight, (0, 0, 0, 0, 0, 1))
    chosen = torch.tensor(seen, device=weight.device).flatten()
    weight = weight.index_select(2, chosen).unflatten(2, (steps, frames)).transpose(1, 2)  # (C', T', C, T, KH, KW)
    weight = weight.flatten(2, 3).flatten(0, 1)
    bias = None if bias is None else bias.repeat_interleave(steps)
    y = F.conv2d(x.flatten(1, 2), weight, bias, strides, paddings, dilations, layer.groups)
    last = x.is_contiguous(memory_format=torch.channels_last_3d)
    layout = torch.channels_last_3d if last else torch.contiguous_format
    return y.unflatten(1, (out, steps)).contiguous(memory_format=layout)


def tap_at(distance: int, dilation: int, taps: int) -> int:
    """Return the tap so far from the first; `taps`, one of zeros, where there is none."""
    tap, rest = divmod(distance, dilation)
    return tap if not rest and 0 <= tap < taps else taps
