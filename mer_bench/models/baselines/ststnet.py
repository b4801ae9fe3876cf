"""STSTNet: three shallow streams over horizontal flow, vertical flow and optical strain.

Liong, Gan, See, Khor and Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019, https://arxiv.org/abs/1902.03634. Layers, their order and paddings: the Python program in the
authors' repository christy1206/STSTNet.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.clip_random import ClipDropout


@MODELS.register_module()
class STSTNet(nn.Module):
    """Streams of 3, 5 and 8 filters, each on all channels; joined and averaged to 5x5 for pictures of 28x28.

    Args:
        filters: Filters of each stream.
        dropout_ratio: Dropout at the end of each stream.
    """

    def __init__(self, filters: Sequence[int] = (3, 5, 8), dropout_ratio: float = 0.5) -> None:
        super().__init__()
        self.streams = nn.ModuleList(self._stream(width, dropout_ratio) for width in filters)
        self.pool = nn.AvgPool2d(2)

    @staticmethod
    def _stream(width: int, dropout_ratio: float) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(3, width, 3, padding=2),
            nn.ReLU(),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(3, padding=1),
            ClipDropout(dropout_ratio),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, 3, 1, H, W), the channels u, v and strain. Out: (N, 16, H', W'), 5x5 from 28x28."""
        x = rearrange(x, 'n c 1 h w -> n c h w')
        return self.pool(torch.cat([stream(x) for stream in self.streams], dim=1))
