"""Precision and memory layout: they make a network faster on its device, and change only the last digits."""

from collections.abc import Callable, Collection
from functools import wraps

import torch
from torch import nn

from mer_bench.training.device import DTYPES


def prefers_channels_last(model: nn.Module, device: str, precision: str) -> bool:
    """Return what `channels_last='auto'` means for a network: True for 3D convolutions without groups, if faster.

    On a CPU in fp32 it was 1.07 times faster for 3x16x112x112, but 0.8 times for 3x8x32x32. Convolutions in groups
    have no kernels of this layout and would be copied there and back.
    """
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv3d)]
    return bool(convolutions) and all(c.groups == 1 for c in convolutions) and (device != 'cpu' or precision != 'fp32')


def accelerate(model: nn.Module, precision: str, channels_last: str | bool, fp32_layers: Collection[str] = ()) -> None:
    """Let a recogniser compute in a precision and a memory layout, in training and in test; its state_dict is the same.

    Call it after the weights are drawn or loaded, since random numbers are drawn in the order of memory.

    Args:
        model: On its device.
        precision: fp32, bf16 or fp16: of convolutions and matrix products; norms, losses and weights stay in fp32.
        channels_last: True, False or 'auto', see :func:`prefers_channels_last`.
        fp32_layers: Names of the modules that always compute in fp32.
    """
    device = next(model.parameters()).device.type
    if channels_last == 'auto':
        channels_last = prefers_channels_last(model, device, precision)
    if channels_last:
        lay_channels_last(model, fp32_layers if device == 'cpu' else ())
    if DTYPES[precision] is None:
        return
    # in training and in test alike, so that a network is tested as it was trained
    model.forward = torch.autocast(device, DTYPES[precision])(model.forward)
    model.cls_head.register_forward_hook(logits_in_fp32)
    for name in fp32_layers:
        layer = model.get_submodule(name)
        layer.forward = in_fp32(layer.forward, device)


def in_fp32(forward: Callable, device: str) -> Callable:
    """Return the forward pass of a layer that computes in fp32, also under autocast.

    On a CPU it computes in contiguous memory, which is faster there, see :func:`prefers_channels_last`.
    """

    def as_fp32(value: object) -> object:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value.float().contiguous() if device == 'cpu' else value.float()

    @wraps(forward)
    def computed(*args, **kwargs):
        args = [as_fp32(value) for value in args]
        kwargs = {name: as_fp32(value) for name, value in kwargs.items()}
        with torch.autocast(device, enabled=False):
            return forward(*args, **kwargs)

    return computed


def lay_channels_last(model: nn.Module, but: Collection[str] = ()) -> None:
    """Store the kernels of the 3D convolutions with channels last, except some; inputs and outputs follow them."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv3d) and name not in but:
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last_3d)


def logits_in_fp32(head: nn.Module, inputs: tuple, logits: object) -> object:
    """A forward hook: MMAction2's heads compute their accuracy with NumPy, which has no bf16."""
    return logits.float() if isinstance(logits, torch.Tensor) else logits
