"""RCN-A, -S, -W and -F: a recurrent convolutional network with parameter-free modules, for small flow maps.

Xia, Peng, Khor, Feng and Zhao, "Revealing the Invisible with Model and Data Shrinking for Composite-database
Micro-expression Recognition", IEEE TIP 29, 2020, https://arxiv.org/abs/2006.09674. Layers and first weights: MeNets.py
in the authors' repository xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec.

    -A  attention: maps are weighted by what the classifier would see in the maps before the recurrent block
    -S  shortcuts: each recurrent step sees the sum of all steps before it
    -W  wide expansion: the first layer is three dilated ones side by side
    -F  all three, the attention inside the recurrent block
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.clip_random import ClipDropout
from mer_bench.errors import InputError
from mer_bench.models.heads import FlatHead

EPS = 1e-6


class PlainStem(nn.Sequential):
    """5x5 without padding, halved by a pool."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 5), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2), ClipDropout()
        )


class WideStem(nn.Module):
    """Wide expansion: 3x3 with dilation 1, 2 and 3 on a half, a quarter and a quarter of the channels, stride 3."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        widths = (channels // 2, channels // 4, channels // 4)
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels, width, 3, stride=3, padding=dilation, dilation=dilation),
                nn.ReLU(),
                nn.BatchNorm2d(width),
                ClipDropout(),
            )
            for dilation, width in enumerate(widths, start=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([stream(x) for stream in self.streams], dim=1)


class RecurrentBlock(nn.Module):
    """A 1x1 step, then steps of one 3x3 convolution whose weights and norm are shared; halved by a pool.

    Args:
        channels: Channels, in and out.
        shortcuts: Each step sees the input and all steps before it, and there is one step more; else the input and the
            last step.
    """

    def __init__(self, channels: int, shortcuts: bool = False) -> None:
        super().__init__()
        self.shortcuts = shortcuts
        self.feedforward = step(channels, 1)
        self.recurrent = step(channels, 3)
        self.downsample = nn.Sequential(nn.MaxPool2d(2), ClipDropout())

    def forward(self, x: torch.Tensor, attention: torch.Tensor | float = 1.0) -> torch.Tensor:
        """x: (N, channels, H, W); attention: (N, 1, H, W), a weight of the first step. Out: half as high and wide."""
        first = attention * self.feedforward(x)
        second = self.recurrent(x + first)
        if not self.shortcuts:
            return self.downsample(self.recurrent(x + second))
        third = self.recurrent(x + first + second)
        return self.downsample(self.recurrent(x + first + second + third))


def step(channels: int, kernel_size: int) -> nn.Sequential:
    """Return a convolution that keeps the size, its norm and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2), nn.BatchNorm2d(channels), nn.ReLU()
    )


def attention_map(maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return where the classes of a linear classifier look, between 0 and 1, as the mean over the classes.

    Each class gets the mean over the channels of weight times map, shifted and scaled to run from 0 to 1 (to 0 alone
    where it is flat).

    Args:
        maps: (N, C, H, W).
        weight: (classes, C * H * W), of the classifier.

    Returns:
        (N, 1, H, W).
    """
    weight = rearrange(weight, 'k (c h w) -> k c h w', h=maps.shape[2], w=maps.shape[3])
    cams = torch.einsum('nchw,kchw->nkhw', maps, weight) / maps.shape[1]
    cams = cams - cams.amin((2, 3), keepdim=True)
    return (cams / cams.amax((2, 3), keepdim=True).clamp_min(EPS)).mean(1, keepdim=True)


def init_as_published(module: nn.Module) -> None:
    """Draw first weights: convolutions as He et al. for the values that go out, linear layers with deviation 0.01."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)


@MODELS.register_module()
class RCN(nn.Module):
    """The first layer and, where it needs no attention, the recurrent block.

    Args:
        stem: 'plain' or 'wide'.
        block: 'recurrent', 'shortcuts', or None: the head has the block.
        in_channels: Channels of the flow maps.
        channels: Channels of all maps inside.
    """

    def __init__(
        self, stem: str = 'plain', block: str | None = 'recurrent', in_channels: int = 3, channels: int = 32
    ) -> None:
        super().__init__()
        if stem not in ('plain', 'wide') or block not in ('recurrent', 'shortcuts', None):
            raise InputError(
                f"RCN: expected stem 'plain' or 'wide' and block 'recurrent', 'shortcuts' or None, got {stem!r} and "
                f'{block!r}; correct the config'
            )
        self.stem = (PlainStem if stem == 'plain' else WideStem)(in_channels, channels)
        self.block = None if block is None else RecurrentBlock(channels, shortcuts=block == 'shortcuts')
        init_as_published(self)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """x: (N, in_channels, 1, H, W). Out: the (N, channels, h, w) map of the stem, and that of the block."""
        maps = self.stem(rearrange(x, 'n c 1 h w -> n c h w'))
        return (maps,) if self.block is None else (maps, self.block(maps))


@MODELS.register_module()
class RCNHead(FlatHead):
    """A linear classifier on the map of the block at pool_size x pool_size, and the attention that it gives.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the maps.
        pool_size: Their size before the classifier.
        attention: None; 'after': the map of the stem gives the attention for that of the block (RCN-A); 'inside': the
            block is part of the head, and the map of the stem gives the attention for its first step (RCN-F).
        **kwargs: As in FlatHead.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 32, pool_size: int = 5, attention: str | None = None, **kwargs
    ) -> None:
        super().__init__(num_classes, in_channels * pool_size**2, **kwargs)
        if attention not in (None, 'after', 'inside'):
            raise InputError(f"attention: expected None, 'after' or 'inside', got {attention!r}; correct the config")
        self.attention = attention
        self.pool = nn.AdaptiveAvgPool2d(pool_size)
        self.block = RecurrentBlock(in_channels, shortcuts=True) if attention == 'inside' else None
        init_as_published(self)

    def forward(self, x: tuple[torch.Tensor, ...], **kwargs) -> torch.Tensor:
        """x: maps of :class:`RCN`. Out: (N, num_classes) float32 logits."""
        maps = self.pool(x[-1]) if self.block is None else self.pool(self.attend_inside(x[0]))
        if self.attention == 'after':
            maps = maps * attention_map(self.pool(x[0]), self.fc_cls.weight)
        return super().forward(maps)

    def attend_inside(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the map of the block for the (N, C, h, w) map of the stem."""
        attention = attention_map(self.pool(maps), self.fc_cls.weight)
        return self.block(maps, F.interpolate(attention, maps.shape[2:]))
