"""CausalNet: rise and fall of an expression, each with a map of its directions, https://arxiv.org/abs/2508.06640.

Zhang, Tang and Chen, ICCV 2025. Layers, their order and their first weights are those of Models.py in the authors'
repository tony19980810/CausalNet, which builds on HTNet.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError
from mer_bench.models.baselines.htnet import IMAGE_SIZE, HTNet

TOKENS = 4  # parts of the features of a picture: corners of a 2x2 square
HEADS = 8  # of the attention between tokens


@MODELS.register_module()
class CausalNet(nn.Module):
    """Two HTNets without their last norm, one for flow and one for directions, and attention between rise and fall.

    Args:
        dim: Width of the first level of the two HTNets and of a token.
        heads, block_repeats: As in :class:`HTNet`, for three levels.
        gamma: Token j on the opposite corner is not seen, but takes part in the softmax with the score -gamma j, j from
            1 to 4.
        out_channels: Features of a clip.
        rescale: Stretch every channel of every picture from its least to its largest value. For flow in pixels, which
            has no levels; how the authors brought theirs to levels is not published.
    """

    def __init__(
        self,
        dim: int = 256,
        heads: int = 3,
        block_repeats: Sequence[int] = (3, 3, 9),
        gamma: float = 0.5,
        out_channels: int = 2048,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        if len(block_repeats) != 3 or dim % HEADS:
            raise InputError(
                f'CausalNet: expected three levels and a width that {HEADS} divides, got block_repeats of '
                f'{len(block_repeats)} levels and dim {dim}; change them'
            )
        self.rescale = rescale
        self.flow, self.direction = (HTNet(dim=dim, heads=heads, block_repeats=block_repeats) for _ in range(2))
        self.flow.norm = self.direction.norm = nn.Identity()
        self.cross_layers = nn.ModuleList(CrossLayer(dim, gamma) for _ in range(block_repeats[-1]))
        self.causal_attention = CausalAttentionBlock(dim, gamma)
        self.fc = nn.Linear(3 * TOKENS * dim, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the (N, out_channels) features.

        Args:
            x: (N, 3, 2, 28, 28) u, v and strain of rise and fall; u and v from -1 to 1, strain from 0 to 1, as a store
                of published pictures has them, or in any unit with `rescale`.
        """
        if x.shape[1:] != (3, 2, IMAGE_SIZE, IMAGE_SIZE):
            raise InputError(
                f'CausalNet: expected u, v and strain of rise and fall, {IMAGE_SIZE}x{IMAGE_SIZE}, got '
                f'{"x".join(map(str, x.shape[1:]))} (channels, frames, height, width); set '
                f"input = dict(channels=['u', 'v', 'strain'], frames=2, size={IMAGE_SIZE}, normalise=False)"
            )
        flow = to_levels(x, self.rescale)
        (rise, fall), (rise_direction, fall_direction) = (
            tokens_of(network, pictures)
            for network, pictures in ((self.flow, flow), (self.direction, direction_map(flow)))
        )
        for layer in self.cross_layers:
            rise_direction, fall_direction = layer(rise_direction, fall_direction)
        return self.fc(self.causal_attention(rise + rise_direction, fall + fall_direction).flatten(1))


def to_levels(x: torch.Tensor, rescale: bool = False) -> torch.Tensor:
    """Return u, v and strain (N, 3, T, H, W) as whole levels from 0 to 255 of a picture.

    Args:
        x: u and v from -1 to 1, strain from 0 to 1.
        rescale: Stretch every channel of every picture instead.
    """
    if rescale:
        least, largest = x.amin((-2, -1), keepdim=True), x.amax((-2, -1), keepdim=True)
        shares = (x - least) / (largest - least).clamp_min(torch.finfo(x.dtype).tiny)
    else:
        shares = torch.cat([(x[:, :2] + 1) / 2, x[:, 2:]], dim=1)
    return (255 * shares).clamp(0, 255).round()


def direction_map(levels: torch.Tensor) -> torch.Tensor:
    """Return the third and fourth picture of a clip: the angle of (u, v) as a pure colour, red to yellow to green.

    The angle is that of the levels, between 0 and 90 degrees, and not that of the motion, whose u and v may be
    negative. Its half, cut to whole degrees, is the hue, as OpenCV counts it.

    Args:
        levels: (N, 3, T, H, W) u, v and strain from 0 to 255.

    Returns:
        Red, green and blue from 0 to 255, of the same shape.
    """
    hue = (torch.atan2(levels[:, 1], levels[:, 0]).rad2deg() / 2).floor()
    green = 255 / 30 * hue  # yellow is at 30
    return torch.stack([510 - green, green, torch.zeros_like(green)], dim=1).clamp_max(255)


def tokens_of(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Return the tokens (2, N, 4, D) of pictures (N, 3, 2, H, W) of rise and fall: four parts of each clip."""
    features = network(rearrange(pictures, 'n c t h w -> (t n) c 1 h w'))
    return rearrange(features, '(t n) (d p) -> t n p d', t=2, p=TOKENS)


class TokenAttention(nn.Module):
    """Multi-head attention between the tokens of two sequences.

    Args:
        dim: Width of a token.
        scale: Factor of the scores.
        gamma: None: every token sees all. A number: it does not see that on the opposite corner, see
            :class:`CausalNet`.
    """

    def __init__(self, dim: int, scale: float, gamma: float | None = None) -> None:
        super().__init__()
        self.q, self.k, self.v, self.proj = (nn.Linear(dim, dim) for _ in range(4))
        self.scale = scale
        hidden = torch.zeros(1, 1) if gamma is None else torch.eye(TOKENS).flip(0)
        self.register_buffer('seen', 1 - hidden, persistent=False)
        self.register_buffer(
            'hidden_score', -(gamma or 0) * hidden * torch.arange(1, len(hidden) + 1), persistent=False
        )

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, residual: torch.Tensor | float = 0
    ) -> torch.Tensor:
        """Return (N, L, D); `residual` is added before the projection."""
        q, k, v = (
            rearrange(layer(x), 'n l (g d) -> n g l d', g=HEADS)
            for layer, x in ((self.q, query), (self.k, key), (self.v, value))
        )
        scores = self.scale * q @ k.transpose(-2, -1)
        weights = (scores * self.seen + self.hidden_score).softmax(dim=-1) * self.seen
        return self.proj(rearrange(weights @ v, 'n g l d -> n l (g d)') + residual)


class CrossLayer(nn.Module):
    """The directions of rise and fall attend to each other in turn: the causal motion position learning module."""

    def __init__(self, dim: int, gamma: float) -> None:
        from timm.layers import Mlp  # timm takes a second to import

        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = TokenAttention(dim, dim**-0.5, gamma)  # by the whole width, not that of a head
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, rise: torch.Tensor, fall: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rise_query, fall_query = self.norm(rise), self.norm(fall)
        rise = rise + self.attention(rise_query, fall, fall)
        fall = fall + self.attention(fall_query, rise, rise)
        return rise + self.mlp(rise), fall + self.mlp(fall)


class CausalAttentionBlock(nn.Module):
    """Attention within rise and within fall, from the later to the earlier, forward and backward in time."""

    def __init__(self, dim: int, gamma: float) -> None:
        from timm.layers import Mlp  # timm takes a second to import

        super().__init__()
        scale = (dim // HEADS) ** -0.5
        self.norm = nn.LayerNorm(dim)
        self.spatial = TokenAttention(dim, scale, gamma)
        self.temporal = TokenAttention(dim, scale)
        self.mlp = Mlp(dim, 4 * dim)
        self.relation = TokenAttention(dim, scale)

    def forward(self, rise: torch.Tensor, fall: torch.Tensor) -> torch.Tensor:
        """Return (N, 12, D): the relation of both directions of time, then the earlier of each, from (N, 4, D) each."""
        earlier, later = self.one_way(rise, fall)
        earlier_back, later_back = self.one_way(fall, rise)
        both = later + later_back
        return torch.cat([self.relation(later, later_back, both, both), earlier, earlier_back], dim=1)

    def one_way(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each token attends within its own phase, then those of the second to themselves and the same of the first."""
        first, second = (x + self.spatial(x, x, x) for x in (self.norm(first), self.norm(second)))
        pair = rearrange([first, second], 't n p d -> (n p) t d')
        attended = self.temporal(rearrange(second, 'n p d -> (n p) 1 d'), pair, pair)
        second = second + attended.view_as(second)
        return first + self.mlp(first), second + self.mlp(second)
