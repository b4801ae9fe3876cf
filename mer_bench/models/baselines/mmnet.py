"""MMNet: where and how the face moves from onset to apex, https://arxiv.org/abs/2201.05297.

Li et al., IJCAI 2022; what the paper leaves open is from the authors' code, muse1998/MMNet (CASME2_5.py).
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError

GRID = 14  # of both branches where they meet
STRIDE = 16  # of the main branch


@MODELS.register_module()
class MMNet(nn.Module):
    """Continuous-attention blocks on the change of the frame, plus positions of the face from a small transformer.

    Args:
        widths: Channels of the four continuous-attention blocks.
        stem_width: Channels of the first convolution.
        depth: Layers of the position calibration module.
        num_heads: Its heads.
        mlp_ratio: Width of the hidden layer of each of its feed-forward parts over its input's.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (128, 128, 256, 512),
        stem_width: int = 180,
        depth: int = 2,
        num_heads: int = 4,
        mlp_ratio: float = 4,
    ) -> None:
        from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD  # timm takes a second to import
        from timm.models.vision_transformer import VisionTransformer

        super().__init__()
        self.register_buffer('mean', torch.tensor(IMAGENET_DEFAULT_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(IMAGENET_DEFAULT_STD).view(3, 1, 1), persistent=False)
        self.stem = conv_norm_act(3, stem_width, stride=2)
        self.conv = conv_norm_act(stem_width, widths[0], stride=1)
        self.blocks = nn.ModuleList(
            ContinuousAttention(width_in, width, stride)
            for width_in, width, stride in zip((widths[0], *widths[:-1]), widths, (1, 2, 2, 2), strict=True)
        )
        for module in (*self.conv.modules(), *self.blocks.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
        self.position_calibration = VisionTransformer(
            img_size=GRID,
            patch_size=1,
            embed_dim=widths[-1],
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            class_token=False,
            global_pool='',
            num_classes=0,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features of onset and apex.

        Args:
            x: (N, 2, 1, 224, 224) grey levels of the apex from 0 to 255, and their change since the onset.

        Returns:
            (N, D, 14, 14), D the last of `widths`: motion patterns plus positions.
        """
        if x.shape[1:] != (2, 1, GRID * STRIDE, GRID * STRIDE):
            raise InputError(
                f'MMNet: expected grey and change of one frame of {GRID * STRIDE}x{GRID * STRIDE}, got '
                f'{"x".join(map(str, x.shape[1:]))} (channels, frames, height, width); set '
                f"input = dict(channels=['grey', 'change'], frames='apex', size={GRID * STRIDE}, normalise=False)"
            )
        apex, change = (level.expand(-1, 3, -1, -1) / 255 for level in x.squeeze(2).split(1, dim=1))
        onset = (apex - change - self.mean) / self.std
        return self.motion(change / self.std) + self.position(onset)

    def motion(self, change: torch.Tensor) -> torch.Tensor:
        """Main branch: (N, 3, H, W) difference of the normalised frames -> (N, D, H / 16, W / 16)."""
        x, attention = self.conv(self.stem(change)), None
        for block in self.blocks:
            x, attention = block(x, attention)
        return x

    def position(self, onset: torch.Tensor) -> torch.Tensor:
        """Position calibration: (N, 3, H, W) normalised onset frame -> (N, D, 14, 14)."""
        small = F.interpolate(onset, (GRID, GRID), mode='bilinear', align_corners=False)
        return rearrange(self.position_calibration(small), 'n (h w) c -> n c h w', h=GRID)


def conv_norm_act(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class ContinuousAttention(nn.Module):
    """Residual block whose spatial attention is multiplied by that of the block before it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Of the first convolution, and of the max pooling that brings the given attention to this grid.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            conv_norm_act(in_channels, out_channels, stride),
            nn.Conv2d(out_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.downsample = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))
        self.pool = nn.MaxPool2d(3, stride=stride, padding=1)
        self.attention = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, x: torch.Tensor, prior: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the attended map (N, D, H', W') and its attention (N, 1, H', W') in (0, 1).

        Args:
            x: (N, C, H, W).
            prior: (N, 1, H, W) attention of the block before; None for the first block.
        """
        x = F.relu(self.residual(x) + self.downsample(x))
        attention = self.attention(torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1))
        if prior is not None:
            attention = attention * self.pool(prior)
        return x * attention, attention
