"""Moving, mirroring and scaling clips: by slices on a CPU, by one indexed read on a GPU, with equal results."""

import math
from collections.abc import Sequence

import torch

from mer_bench.loading.augmentation import SCALED, Augmentation, Moves, draw_moves

AXES = (-3, -2, -1)  # time, height, width


def augment_clips(
    clips: torch.Tensor | Sequence[torch.Tensor],
    keys: torch.Tensor,
    seed: int,
    epoch: int,
    channels: Sequence[str],
    augmentation: Augmentation,
    moments: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return clips as an epoch of the training sees them, before they are mixed.

    Args:
        clips: (N, ..., C, T, H, W) float16 or float32, or N tensors (..., C, T, H, W).
        keys: (N,) int32, see :func:`clip_keys`.
        seed: Of the run.
        epoch: Counted from 0.
        channels: Names of the C channels.
        augmentation: What may happen.
        moments: Mean and standard deviation of each channel, (C, 1, 1, 1); None: no normalisation.

    Returns:
        (N, ..., C, T, H, W) float32, a copy.
    """
    moves = draw_moves(keys, seed, epoch, augmentation, tuple(clips[0].shape[-3:])) if augmentation.moves else None
    return make_batch(clips, moves, channels, moments)


def make_batch(
    clips: torch.Tensor | Sequence[torch.Tensor],
    moves: Moves | None,
    channels: Sequence[str],
    moments: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return clips moved and, with `moments`, normalised, (N, ..., C, T, H, W) float32.

    Args:
        clips: As in :func:`augment_clips`.
        moves: How each moves; None: not at all.
        channels: Names of the C channels.
        moments: As in :func:`augment_clips`.
    """
    make = by_slices if clips[0].device.type == 'cpu' else by_index
    return make(clips, moves, channels, moments)


def by_slices(
    clips: torch.Tensor | Sequence[torch.Tensor],
    moves: Moves | None,
    channels: Sequence[str],
    moments: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """:func:`make_batch` clip by clip: all that happens to a clip happens while it is in the cache of the CPU."""
    batch = torch.empty((len(clips), *clips[0].shape))
    flips, offsets = (moves.flips.tolist(), moves.offsets.tolist()) if moves else ((), ())
    for i, clip in enumerate(clips):
        if moves is None:
            batch[i].copy_(clip)
        else:
            write_moved(batch[i], flip_pixels(clip) if flips[i] else clip, offsets[i])
            if flips[i]:
                mirror_values(batch[i : i + 1], channels)
            if moves.scales is not None:
                scale_values(batch[i : i + 1], channels, moves.scales[i : i + 1])
        if moments is not None:
            batch[i].sub_(moments[0]).div_(moments[1])
    return batch


def by_index(
    clips: torch.Tensor | Sequence[torch.Tensor],
    moves: Moves | None,
    channels: Sequence[str],
    moments: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """:func:`make_batch` for all clips at once: a few operations on the device, however many clips there are."""
    clips = clips if isinstance(clips, torch.Tensor) else torch.stack(list(clips))
    if moves is None:
        batch = clips.to(torch.float32, copy=True)
    else:
        moves = moves.to(clips.device)
        batch = read_moved(clips, moves).float()
        mirror_values(batch, channels, moves.flips)
        if moves.scales is not None:
            scale_values(batch, channels, moves.scales)
    return batch if moments is None else batch.sub_(moments[0]).div_(moments[1])


def flip_pixels(clip: torch.Tensor) -> torch.Tensor:
    """Mirror the pixels of a clip left to right."""
    if clip.dtype == torch.float16:  # which has no fast kernel, while whole numbers of its size have
        return clip.view(torch.int16).flip(-1).view(torch.float16)
    return clip.flip(-1)


def write_moved(out: torch.Tensor, clip: torch.Tensor, offsets: Sequence[int]) -> None:
    """Write a clip (..., T, H, W) to `out`, moved by `offsets` along the last three axes; the border is repeated.

    One step in the flat clip moves it along all axes at once; what wraps around is then overwritten by the border.
    """
    later, down, right = offsets
    step = (later * clip.shape[-2] + down) * clip.shape[-1] + right
    length = clip.numel() - abs(step)
    out.view(-1).narrow(0, max(step, 0), length).copy_(clip.reshape(-1).narrow(0, max(-step, 0), length))
    for axis, offset in reversed([*zip(AXES, offsets, strict=True)]):
        length = clip.shape[axis]
        if offset > 0:
            out.narrow(axis, 0, offset).copy_(out.narrow(axis, offset, 1))
        elif offset < 0:
            out.narrow(axis, length + offset, -offset).copy_(out.narrow(axis, length + offset - 1, 1))


def read_moved(clips: torch.Tensor, moves: Moves) -> torch.Tensor:
    """Read clips (N, ..., C, T, H, W), mirrored and moved by `moves`, in one indexed read."""
    flat = clips.flatten(1, -4)  # (N, K, T, H, W)
    frames, rows, columns = (
        (torch.arange(n, device=clips.device) - moves.offsets[:, i : i + 1]).clamp(0, n - 1)
        for i, n in enumerate(flat.shape[-3:])
    )
    columns = torch.where(moves.flips[:, None], flat.shape[-1] - 1 - columns, columns)
    n, k = (torch.arange(n, device=clips.device) for n in flat.shape[:2])
    index = (
        n[:, None, None, None, None],
        k[:, None, None, None],
        frames[:, None, :, None, None],
        rows[:, None, None, :, None],
        columns[:, None, None, None, :],
    )
    return flat[index].view(clips.shape)


def scale_values(clips: torch.Tensor, channels: Sequence[str], scales: torch.Tensor) -> None:
    """Multiply the motion of clips (N, ..., C, T, H, W) by `scales` (N,), in place."""
    factors = scales.view(-1, *[1] * (clips.ndim - 2))
    for i, name in enumerate(channels):
        if name in SCALED:
            clips.select(-4, i).mul_(factors)


def mirror_values(clips: torch.Tensor, channels: Sequence[str], flips: torch.Tensor | None = None) -> None:
    """Mirror the values of flow whose pixels are mirrored already: u becomes -u, an angle a becomes pi - a.

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
    """Return pi - angle in (-pi, pi]; where the other maps show no motion, the angle is meaningless and kept."""
    angle = math.pi - maps['angle']
    angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)
    if 'magnitude' in maps:
        return torch.where(maps['magnitude'] != 0, angle, maps['angle'])
    if 'u' in maps and 'v' in maps:
        return torch.where((maps['u'] != 0) | (maps['v'] != 0), angle, maps['angle'])
    return angle
