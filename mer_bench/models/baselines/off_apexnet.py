"""OFF-ApexNet: two LeNet-like streams over the horizontal and the vertical flow from onset to apex.

Gan, Liong, Yau, Huang and Tan, "OFF-ApexNet on micro-expression recognition system", Signal Processing: Image
Communication 74, 2019, https://arxiv.org/abs/1805.08699. The authors publish no program; where the rest comes from is
named in configs/baselines/off_apexnet.py.
"""

import torch
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.clip_random import ClipDropout

MAP = 16 * 7 * 7  # values of a stream, from 28x28


@MODELS.register_module()
class OFFApexNet(nn.Module):
    """A stream per direction (5x5x6, pool, 5x5x16, pool), then two layers of 1024 on both; for 28x28 alone.

    Args:
        width: Units of each of the two layers.
        dropout_ratio: Dropout after each of them.
    """

    def __init__(self, width: int = 1024, dropout_ratio: float = 0.5) -> None:
        super().__init__()
        self.horizontal, self.vertical = self._stream(), self._stream()
        self.layers = nn.Sequential(
            nn.Linear(2 * MAP, width),
            nn.ReLU(),
            ClipDropout(dropout_ratio),
            nn.Linear(width, width),
            nn.ReLU(),
            ClipDropout(dropout_ratio),
        )

    @staticmethod
    def _stream() -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding='same'),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding='same'),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, 2, 1, 28, 28), the channels u and v. Out: (N, width)."""
        u, v = rearrange(x, 'n (c d) 1 h w -> c n d h w', c=2)
        return self.layers(torch.cat([self.horizontal(u), self.vertical(v)], dim=1))
