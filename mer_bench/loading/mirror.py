"""What mirroring does to the values of flow: the picture turns round, and horizontal motion changes its sign."""

import math
from collections.abc import Sequence

import torch

CHANNELS = ('u', 'v', 'strain')


def mirror_values(clips: torch.Tensor, channels: Sequence[str], flips: torch.Tensor) -> None:
    """Give clips whose pixels are mirrored already the values of mirrored flow: u is -u, an angle a is pi - a.

    Args:
        clips: (N, ..., C, T, H, W), changed in place; an angle is in radians, in (-pi, pi].
        channels: Names of the C channels.
        flips: (N,) bool, which clips are mirrored.
    """
    maps = {name: clips.select(-4, i) for i, name in enumerate(channels)}
    flips = flips.view(-1, *[1] * (clips.ndim - 2))
    if 'angle' in maps:
        maps['angle'].copy_(torch.where(flips, mirror_angle(maps), maps['angle']))
    if 'u' in maps:
        maps['u'].mul_(1 - 2 * flips.to(clips.dtype))


def mirror_angle(maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """pi - angle in (-pi, pi]; where the other maps show that nothing moves the angle says nothing, and stays."""
    angle = math.pi - maps['angle']
    angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)
    if 'magnitude' in maps:
        return torch.where(maps['magnitude'] != 0, angle, maps['angle'])
    if 'u' in maps and 'v' in maps:
        return torch.where((maps['u'] != 0) | (maps['v'] != 0), angle, maps['angle'])
    return angle
