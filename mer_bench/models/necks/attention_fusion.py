"""Attentional feature fusion of stage maps: Dai et al., WACV 2021, https://arxiv.org/abs/2009.14082.

Attention of other papers can replace AFF: squeeze and excitation, CBAM, selective kernels. They fuse a shallow and a
deep map as in table 1 of Dai et al.: the first two refine the deep map before the sum, the third selects between
the maps. The papers' reduction is 16; here it is that of the neck, so that only the kind of attention changes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import nn

from mer_bench.errors import InputError
from mer_bench.models.backbones.multiscale_resnet3d import OneClipBatchNorm3d

CONV = {'type': 'Conv3d'}
NORM = {'type': OneClipBatchNorm3d}
MIN_WIDTH = 32  # L of equation 4 of SKNet


class MultiScaleChannelAttention(nn.Module):
    """MS-CAM (section 3.1): a gate in (0, 1) from local and global channel context.

    Args:
        channels: Channels of the maps.
        reduction: Those over the bottleneck's.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.local_context = self._bottleneck(channels, reduction)
        self.global_context = self._bottleneck(channels, reduction)

    @staticmethod
    def _bottleneck(channels: int, reduction: int) -> nn.Sequential:
        width = max(channels // reduction, 1)
        return nn.Sequential(
            ConvModule(channels, width, 1, conv_cfg=CONV, norm_cfg=NORM),
            ConvModule(width, channels, 1, conv_cfg=CONV, norm_cfg=NORM, act_cfg=None),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x, out: (N, channels, T, H, W)."""
        pooled = x.mean(dim=(2, 3, 4), keepdim=True)
        return torch.sigmoid(self.local_context(x) + self.global_context(pooled))


class Sum(nn.Module):
    """No attention: the plain sum."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()

    def forward(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        return shallow + deep


class AFF(nn.Module):
    """Attentional fusion (equation 3): 2 (g * shallow + (1 - g) * deep), g = MS-CAM(shallow + deep).

    The factor 2 is in the authors' code, not in the paper: an even gate of 1/2 gives the plain sum.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.integrate = Sum(channels, reduction)
        self.attention = MultiScaleChannelAttention(channels, reduction)

    def forward(self, shallow: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        gate = self.attention(self.integrate(shallow, deep))
        return 2 * (gate * shallow + (1 - gate) * deep)


class IterativeAFF(AFF):
    """iAFF (equation 4): the first integration of the two maps is an attentional fusion itself.

    Both steps have AFF's factor 2, unlike the authors' iAFF, so that only the attention changes here.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__(channels, reduction)
        self.integrate = AFF(channels, reduction)


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

    The 7x7 spatial attention looks at one frame at a time.
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

    The two maps replace the branches of two kernel sizes. The factor 2 is AFF's, not the paper's: even weights give
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


# Another attention joins as an entry: (channels, reduction) -> module of (shallow, deep) maps of one shape.
FUSIONS = {
    None: Sum,
    'aff': AFF,
    'iaff': IterativeAFF,
    'sk': SelectiveKernel,
    'cbam': CBAM,
    'se': SqueezeExcitation,
}


@MODELS.register_module()
class AttentionFusion(BaseModule):
    """Brings the stage maps to one width and grid, and fuses them pairwise from deep to shallow.

    Args:
        in_channels: Channels of each stage map, shallow to deep; an int for a single map.
        channels: Width of the fused maps.
        attention: ``'aff'``, ``'iaff'``, ``'sk'``, ``'cbam'``, ``'se'``, or None for the plain sum.
        reduction: Width over that of the attention's bottleneck.
        grid_index: The stage map whose (T, H, W) grid all maps take.
        return_scales: True returns every map, False the fused one alone, as stock heads expect.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int = 256,
        attention: str | None = 'aff',
        reduction: int = 4,
        grid_index: int = 1,
        return_scales: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if attention not in FUSIONS:
            raise InputError(f'attention must be one of {list(FUSIONS)}, got {attention!r}')
        in_channels = [in_channels] if isinstance(in_channels, int) else in_channels
        self.grid_index = min(grid_index, len(in_channels) - 1)
        self.return_scales = return_scales
        self.projections = nn.ModuleList(ConvModule(c, channels, 1, conv_cfg=CONV, norm_cfg=NORM) for c in in_channels)
        self.fusions = nn.ModuleList(FUSIONS[attention](channels, reduction) for _ in in_channels[1:])

    def forward(
        self, feats: torch.Tensor | Sequence[torch.Tensor], data_samples: list | None = None
    ) -> tuple[tuple[torch.Tensor, ...] | torch.Tensor, dict]:
        """Fuse.

        Args:
            feats: One (N, C_i, T_i, H_i, W_i) map per stage, shallow to deep, or a single map.
            data_samples: Not used.

        Returns:
            The scale maps and, last, the fused map, all (N, channels, T, H, W), or the fused map alone; and
            an empty dict of auxiliary losses.
        """
        feats = [feats] if isinstance(feats, torch.Tensor) else feats
        grid = feats[self.grid_index].shape[2:]
        maps = [to_grid(project(x), grid) for project, x in zip(self.projections, feats, strict=True)]
        fused = maps[-1]
        for fuse, shallow in zip(self.fusions, maps[-2::-1], strict=True):
            fused = fuse(shallow, fused)
        return ((*maps, fused) if self.return_scales else fused), {}


def to_grid(x: torch.Tensor, grid: torch.Size) -> torch.Tensor:
    """Each cell of the grid becomes the mean of the cells it covers, whether the grid is coarser or finer."""
    return x if x.shape[2:] == grid else F.adaptive_avg_pool3d(x, grid)
