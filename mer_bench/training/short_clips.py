"""Keeps 3D convolutions of clips that are shorter than the kernel away from bf16 on a CPU.

There the gradient of the weights, as oneDNN computes it under torch 2.15, read memory that nothing had written.
"""

from functools import wraps

import torch
from torch import nn


def compute_short_clips_in_fp32(model: nn.Module) -> None:
    """Let each 3D convolution take fp32 where its input has fewer frames than its kernel."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d) and module.kernel_size[0] > 1:
            module.forward = _guarded(module.forward, module.kernel_size[0])


def _guarded(forward, frames: int):
    @wraps(forward)
    def guarded(x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] >= frames:
            return forward(x)
        with torch.autocast('cpu', enabled=False):
            return forward(x.float())

    return guarded
