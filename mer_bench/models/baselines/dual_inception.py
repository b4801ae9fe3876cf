"""Dual-Inception: two streams of two inception blocks over the horizontal and the vertical flow.

Zhou, Mao and Xue, "Dual-Inception Network for Cross-Database Micro-Expression Recognition", FG 2019,
https://doi.org/10.1109/FG.2019.8756579. Layers: the authors' repository xly135846/MEGC2019 (Keras). Blocks: Szegedy et
al., https://arxiv.org/abs/1409.4842.
"""

import torch
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

MAP = 64 * 7 * 7  # values of a stream, from 28x28


class Inception(nn.Module):
    """1x1, 1x1 and 3x3, 1x1 and 5x5, pool and 1x1: four branches of `width` filters; joined and halved by a pool."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                conv(in_channels, width, 1),
                nn.Sequential(conv(in_channels, width, 1), conv(width, width, 3)),
                nn.Sequential(conv(in_channels, width, 1), conv(width, width, 5)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, width, 1)),
            ]
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, in_channels, H, W). Out: (N, 4 width, H / 2, W / 2)."""
        return self.pool(torch.cat([branch(x) for branch in self.branches], dim=1))


def conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Return a convolution that keeps the size, and a ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size, padding='same'), nn.ReLU())


@MODELS.register_module()
class DualInception(nn.Module):
    """Two streams of inception blocks with 6 and 16 filters a branch, then one layer of 1024 on both; for 28x28 alone.

    First weights are Glorot's and first biases zero, as Keras draws them.

    Args:
        width: Units of the layer.
    """

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.horizontal, self.vertical = self._stream(), self._stream()
        self.layer = nn.Sequential(nn.Linear(2 * MAP, width), nn.ReLU())
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    @staticmethod
    def _stream() -> nn.Sequential:
        return nn.Sequential(Inception(1, 6), Inception(24, 16), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, 2, 1, 28, 28), the channels u and v. Out: (N, width)."""
        u, v = rearrange(x, 'n (c d) 1 h w -> c n d h w', c=2)
        return self.layer(torch.cat([self.horizontal(u), self.vertical(v)], dim=1))
