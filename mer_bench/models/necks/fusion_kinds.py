"""Attention of other papers in the place of AFF: squeeze and excitation, CBAM, selective kernels.

How each fuses a shallow and a deep map follows table 1 of Dai et al., WACV 2021, https://arxiv.org/abs/2009.14082:
the first two refine the deep map before the sum, the third selects between the maps. The papers' reduction is 16; here
it is that of the neck, so that only the kind of attention changes.
"""

import torch
from einops import rearrange
from mmcv.cnn import ConvModule
from torch import nn

from mer_bench.models.batch_norm import OneClipBatchNorm3d

CONV = {'type': 'Conv3d'}
NORM = {'type': OneClipBatchNorm3d}
MIN_WIDTH = 32  # L of equation 4 of SKNet


class SqueezeExcitation(nn.Module):
    """shallow + SE(deep): Hu et al., CVPR 2018, https://arxiv.org/abs/1709.01507, equations 2 to 4."""

    def __init__(self, channels: int, reduction: int) -> None:
        from timm.layers import SEModule  # timm takes a second to import

        super().__init__()
        self.attention = SEModule(channels, rd_channels=max(channels // reduction, 1))

    def forward(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        """Fuse two (N, channels, T, H, W) maps."""
        return shallow + over_pixels(self.attention, deep)


class CBAM(nn.Module):
    """shallow + CBAM(deep): Woo et al., ECCV 2018, https://arxiv.org/abs/1807.06521, equations 1 to 3.

    The 7x7 spatial attention looks at each frame by itself.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        from timm.layers.cbam import ChannelAttn

        super().__init__()
        self.channel_attention = ChannelAttn(channels, rd_channels=max(channels // reduction, 1))
        self.spatial = ConvModule(2, 1, (1, 7, 7), padding=(0, 3, 3), conv_cfg=CONV, norm_cfg=NORM, act_cfg=None)

    def forward(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        """Fuse two (N, channels, T, H, W) maps."""
        return shallow + self.spatial_attention(over_pixels(self.channel_attention, deep))

    def spatial_attention(self, x: torch.Tensor) -> torch.Tensor:
        """Weigh the pixels by mean and maximum over the channels; x, out: (N, channels, T, H, W)."""
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.spatial(pooled))


class SelectiveKernel(nn.Module):
    """2 (a * shallow + b * deep), a + b = 1: Li et al., CVPR 2019, https://arxiv.org/abs/1903.06586, equations 1 to 6.

    The two maps stand for the branches of two kernel sizes. The factor 2 is AFF's, not the paper's: even weights give
    the plain sum.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        width = max(channels // reduction, MIN_WIDTH)
        self.squeeze = ConvModule(channels, width, 1, conv_cfg=CONV, norm_cfg=NORM)
        self.select = nn.Conv3d(width, 2 * channels, 1, bias=False)

    def forward(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        """Fuse two (N, channels, T, H, W) maps."""
        shallow_weight, deep_weight = self.weights(shallow + deep)
        return 2 * (shallow_weight * shallow + deep_weight * deep)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """Return (2, N, channels, 1, 1, 1): for every channel the weights of the two maps, which add to 1."""
        pooled = x.mean(dim=(2, 3, 4), keepdim=True)
        logits = rearrange(self.select(self.squeeze(pooled)), 'n (maps c) t h w -> maps n c t h w', maps=2)
        return logits.softmax(dim=0)


def over_pixels(attention: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Apply channel attention of pictures to clips: it pools all pixels, whose order means nothing to it."""
    return attention(x.flatten(3)).view_as(x)
