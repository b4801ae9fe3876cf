"""What mirroring does to the values of flow: the picture turns round, and horizontal motion changes its sign."""

import math
from collections.abc import Sequence

import torch

CHANNELS = ('u', 'v', 'strain')


def mirror_values(clips: torch.Tensor, channels: Sequence[str], flips: torch.Tensor | None = None) -> None:
    """Give clips whose pixels are mirrored already the values of mirrored flow: u is -u, an angle a is pi - a.

    Args:
        clips: (N, ..., C, T, H, W), changed in place; an angle is in radians, in (-pi, pi].
        channels: Names of the C channels.
        flips: (N,) bool, which clips are mirrored; None: all.
    """
    maps = {name: clips.select(-4, i) for i, name in enumerate(channels)}
    if flips is not None:
        flips = flips.view(-1, *[1] * (clips.ndim - 2))
    if 'angle' in maps:
        angle = mirror_angle(maps)
        maps['angle'].copy_(angle if flips is None else torch.where(flips, angle, maps['angle']))
    if 'u' in maps:
        maps['u'].mul_(-1 if flips is None else 1 - 2 * flips.to(clips.dtype))


def mirror_angle(maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """pi - angle in (-pi, pi]; where the other maps show that nothing moves the angle says nothing, and stays."""
    angle = math.pi - maps['angle']
    angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)
    if 'magnitude' in maps:
        return torch.where(maps['magnitude'] != 0, angle, maps['angle'])
    if 'u' in maps and 'v' in maps:
        return torch.where((maps['u'] != 0) | (maps['v'] != 0), angle, maps['angle'])
    return angle
