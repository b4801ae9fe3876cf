"""STSTNet: three shallow streams over horizontal flow, vertical flow and optical strain.

Liong, Gan, See, Khor and Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019, https://arxiv.org/abs/1902.03634. Layers, their order and paddings: the Python program in the
authors' repository christy1206/STSTNet.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn
from torch.func import functional_call

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
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(3, padding=1),
            ClipDropout(dropout_ratio),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, 3, 1, H, W), the channels u, v and strain. Out: (N, 16, H', W'), 5x5 from 28x28."""
        x = rearrange(x, 'n c 1 h w -> n c h w')
        if not all(stream[2].training for stream in self.streams):  # or some norms are frozen
            return self.pool(torch.cat([stream(x) for stream in self.streams], dim=1))
        # the streams side by side: the same sums, but of 16 channels, which fill the vectors of a processor
        convs, (relu, *_), norms, (pool, *_), dropouts = zip(*self.streams, strict=True)
        weight, bias = (torch.cat([getattr(conv, name) for conv in convs]) for name in ('weight', 'bias'))
        x = relu(F.conv2d(x, weight, bias, padding=convs[0].padding))
        x = pool(norm_together(norms, x)).split([len(norm.bias) for norm in norms], dim=1)
        return self.pool(torch.cat([dropout(part) for dropout, part in zip(dropouts, x, strict=True)], dim=1))


def norm_together(norms: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Apply batch norms in training, of one setting, to the channels of (N, C, H, W) that follow one another."""
    first, *others = norms
    names = 'weight', 'bias', 'running_mean', 'running_var'
    joined = {name: torch.cat([getattr(norm, name) for norm in norms]) for name in names}
    x = functional_call(first, joined, x)
    for name in names[2:]:
        for norm, part in zip(norms, joined[name].split([len(norm.bias) for norm in norms]), strict=True):
            getattr(norm, name).copy_(part)
    for norm in others:
        norm.num_batches_tracked.add_(1)
    return x
