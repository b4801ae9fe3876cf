"""One hidden layer on the values of a clip: how much of a score needs no convolution at all."""

import torch
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError


@MODELS.register_module()
class OneHiddenLayer(nn.Module):
    """A linear layer and ReLU on all values of a clip.

    Args:
        in_features: Values of a clip, channels x frames x height x width.
        hidden: Width of the layer.
    """

    def __init__(self, in_features: int, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(in_features, hidden), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, T, H, W) -> (N, hidden)."""
        values, expected = x[0].numel(), self.layers[1].in_features
        if values != expected:
            raise InputError(
                f'OneHiddenLayer: expected {expected} values of a clip, got {values}; set model.backbone.in_features='
                f'{values} (--cfg-options)'
            )
        return self.layers(x)
