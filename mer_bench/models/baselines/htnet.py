"""HTNet: transformers in ever fewer and wider blocks of the face, https://arxiv.org/abs/2307.14637.

Wang et al., Neurocomputing 2024; what the paper leaves open is from the authors' code, wangzhifengharrison/HTNet,
which follows the nested transformer of Zhang et al., https://arxiv.org/abs/2105.12723.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError

IMAGE_SIZE = 28
AREA = 14
# Row and column of the middle of left eye, left lip corner, right eye, right lip corner in a 28x28 picture of a face:
# what the authors' code takes where no face is found, kept 7 pixels from the border and cut to whole pixels.
CENTRES = ((9, 11), (21, 10), (10, 21), (20, 21))


@MODELS.register_module()
class HTNet(nn.Module):
    """Four areas of the face as patches; self-attention within blocks of patches that merge from level to level.

    With patches of 7 pixels every block holds one patch, as published: the first level sees 16 patches apart, the
    second 4, the last one; only the aggregation between levels lets them interact.

    Args:
        in_channels: Channels of the flow picture.
        patch_size: Height and width of a patch in pixels; `num_levels` halvings must leave a patch.
        dim: Width of the first level; each later one has twice as many.
        heads: Heads of the first level; each later one has twice as many.
        block_repeats: Transformer layers of each level.
        mlp_ratio: Width of the hidden layer of each feed-forward part over its input's.
    """

    def __init__(
        self,
        in_channels: int = 3,
        patch_size: int = 7,
        dim: int = 256,
        heads: int = 3,
        block_repeats: Sequence[int] = (2, 2, 10),
        mlp_ratio: int = 4,
    ) -> None:
        super().__init__()
        self.blocks = [2**level for level in reversed(range(len(block_repeats)))]  # a side
        if IMAGE_SIZE % (patch_size * self.blocks[0]):
            raise InputError(
                f'HTNet: expected patches of which {IMAGE_SIZE} pixels hold a multiple of {self.blocks[0]}, got '
                f'{patch_size} pixels and {len(block_repeats)} levels; change patch_size or block_repeats'
            )
        block_len = (IMAGE_SIZE // patch_size // self.blocks[0]) ** 2
        dims = [dim * 2**i for i in range(len(block_repeats))]
        self.patch_size = patch_size
        self.patch_embed = nn.Conv2d(in_channels * patch_size**2, dim, 1)
        self.levels = nn.ModuleList(
            LocalTransformer(width, block_len, depth, heads * 2**i, mlp_ratio)
            for i, (width, depth) in enumerate(zip(dims, block_repeats, strict=True))
        )
        self.aggregations = nn.ModuleList(aggregation(*pair) for pair in pairwise(dims))
        self.norm = LayerNorm2d(dims[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the (N, D) features of flow pictures (N, C, 1, 28, 28); D is 4 `dim` with three levels."""
        if x.shape[2:] != (1, IMAGE_SIZE, IMAGE_SIZE):
            raise InputError(
                f'HTNet: expected one map of {IMAGE_SIZE}x{IMAGE_SIZE} a clip, got {"x".join(map(str, x.shape[2:]))} '
                f"(frames, height, width); set input = dict(frames='apex', size={IMAGE_SIZE})"
            )
        x = face_areas(x.squeeze(2))
        p = self.patch_size
        x = self.patch_embed(rearrange(x, 'n c (h p1) (w p2) -> n (p1 p2 c) h w', p1=p, p2=p))
        for level, blocks, aggregate in zip(self.levels, self.blocks, (*self.aggregations, nn.Identity()), strict=True):
            x = aggregate(in_blocks(level, x, blocks))
        return self.norm(x).mean(dim=(2, 3))


def face_areas(x: torch.Tensor) -> torch.Tensor:
    """Cut out the four areas of the face, 14x14 each around :data:`CENTRES`, and lay them side by side.

    Args:
        x: (N, C, 28, 28) flow pictures.

    Returns:
        (N, C, 28, 28): left eye and left lip corner above right eye and right lip corner.
    """
    half = AREA // 2
    areas = [x[..., row - half : row + half, column - half : column + half] for row, column in CENTRES]
    return rearrange(areas, '(a b) n c h w -> n c (a h) (b w)', a=2)


def in_blocks(layer: nn.Module, x: torch.Tensor, blocks: int) -> torch.Tensor:
    """Apply a layer to each of the `blocks` x `blocks` blocks of the (N, C, H, W) maps alone."""
    x = rearrange(x, 'n c (a h) (b w) -> (n a b) c h w', a=blocks, b=blocks)
    return rearrange(layer(x), '(n a b) c h w -> n c (a h) (b w)', a=blocks, b=blocks)


def aggregation(in_channels: int, out_channels: int) -> nn.Sequential:
    """Mix neighbouring positions, across the borders of blocks, and halve the map."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        LayerNorm2d(out_channels),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of maps (N, C, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LocalTransformer(nn.Module):
    """Pre-norm transformer layers on the positions of a map, with one learnt number added per position."""

    def __init__(self, dim: int, seq_len: int, depth: int, heads: int, mlp_ratio: int) -> None:
        from timm.layers import ConvMlp  # timm takes a second to import

        super().__init__()
        self.pos_embed = nn.Parameter(torch.randn(seq_len))
        self.attentions = nn.ModuleList(nn.Sequential(LayerNorm2d(dim), Attention2d(dim, heads)) for _ in range(depth))
        self.mlps = nn.ModuleList(
            nn.Sequential(LayerNorm2d(dim), ConvMlp(dim, dim * mlp_ratio, act_layer=nn.GELU)) for _ in range(depth)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.pos_embed.view(1, 1, *x.shape[2:])
        for attention, mlp in zip(self.attentions, self.mlps, strict=True):
            x = x + attention(x)
            x = x + mlp(x)
        return x


class Attention2d(nn.Module):
    """Multi-head self-attention over the positions of a map, each head dim // heads wide: 255 of 256 with 3 heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner_dim = dim // heads * heads
        self.qkv = nn.Conv2d(dim, 3 * inner_dim, 1, bias=False)
        self.proj = nn.Conv2d(inner_dim, dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = rearrange(self.qkv(x), 'n (three g d) h w -> three n g (h w) d', three=3, g=self.heads)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(rearrange(out, 'n g (h w) d -> n (g d) h w', h=x.shape[2]))
