"""Size and arithmetic of a recogniser."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def complexity(model: nn.Module, input_shape: Sequence[int]) -> tuple[int, int]:
    """Count parameters, and the FLOPs of one forward pass of one clip through backbone, neck and head.

    A multiply and an add are 2 FLOPs. Convolutions and matrix products count; norms, activations and pooling do not.

    Args:
        model: A built Recognizer3D or Recognizer2D; left unchanged, each module in its mode.
        input_shape: (C, T, H, W) of the clip.

    Returns:
        parameters, flops.
    """
    modes = [(module, module.training) for module in model.modules()]
    clip = torch.zeros(1, 1, *input_shape, device=next(model.parameters()).device)
    if hasattr(model.data_preprocessor, 'arrange'):
        clip = model.data_preprocessor.arrange(clip)
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(clip, stage='head')
    for module, training in modes:
        module.training = training
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops()
