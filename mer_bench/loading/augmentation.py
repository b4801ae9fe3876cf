"""Augmentation of flow clips: what may happen to a clip, what is drawn for it, and how clips are changed.

Every number is drawn by :func:`clip_uniform`, each kind from a stream of its own, so that an augmented clip depends on
seed, epoch and clip alone, and turning one kind on does not change what another draws. Clips move by slices on a CPU,
and by one indexed read on a GPU, with equal results.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from mer_bench.clip_random import clip_uniform
from mer_bench.errors import InputError

FLIP, SHIFT, JITTER, SCALE, MIXUP = range(5)  # streams of clip_uniform
# Lengths and the strain, a root of squared derivatives of lengths, grow with the motion. An angle does not, and the
# pictures grey and change hold brightness, which depends on light and skin too.
SCALED = ('u', 'v', 'strain', 'magnitude')


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training clip.

    Attributes:
        flip_prob: Chance to be mirrored (see :func:`mirror_values`).
        max_shift: It moves by up to this share of its width and height, in whole pixels; its border comes in, since 0
            may not mean no motion.
        max_jitter: It moves in time by up to so many frames; its first or last frame is repeated.
        max_scale: Its motion is multiplied by one factor in [1 - max_scale, 1 + max_scale].
        mixup_alpha: It is mixed with another training clip of the fold (https://arxiv.org/abs/1710.09412), with shares
            from Beta(alpha, alpha); 0 mixes nothing.
    """

    flip_prob: float = 0.0
    max_shift: float = 0.0
    max_jitter: int = 0
    max_scale: float = 0.0
    mixup_alpha: float = 0.0

    def __post_init__(self) -> None:
        for name in ('flip_prob', 'max_shift', 'max_scale', 'mixup_alpha'):
            value = getattr(self, name)
            limit = 1 if name != 'mixup_alpha' else float('inf')
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= limit:
                raise InputError(f'{name}: expected a number from 0 to {limit}, got {value!r}; correct it')
        if type(self.max_jitter) is not int or self.max_jitter < 0:
            raise InputError(f'max_jitter: expected a number of frames, got {self.max_jitter!r}; correct it')

    @property
    def moves(self) -> bool:
        """Whether a clip may change before it is mixed."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != 'mixup_alpha')


@dataclass(frozen=True)
class Moves:
    """What happens to N clips, in this order.

    Attributes:
        flips: (N,) bool, which are mirrored.
        offsets: (N, 3) int64: by how many frames, rows and columns they move (later, down, right).
        scales: (N,) float32, what their motion is multiplied by; None: nothing.
    """

    flips: torch.Tensor
    offsets: torch.Tensor
    scales: torch.Tensor | None

    def to(self, device: torch.device) -> 'Moves':
        """Return them on a device."""
        scales = None if self.scales is None else self.scales.to(device, non_blocking=True)
        return Moves(self.flips.to(device, non_blocking=True), self.offsets.to(device, non_blocking=True), scales)


def draw_moves(
    keys: torch.Tensor, seed: int, epoch: int, augmentation: Augmentation, size: tuple[int, int, int]
) -> Moves:
    """Draw what happens to clips.

    Args:
        keys: (N,) int32, see :func:`clip_keys`.
        seed: Of the run.
        epoch: Counted from 0.
        augmentation: What may happen.
        size: Frames, height and width of a clip.
    """
    flips = torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
    offsets = torch.zeros(len(keys), 3, dtype=torch.int64, device=keys.device)
    scales = None
    if augmentation.flip_prob:
        flips = clip_uniform(keys, seed, epoch, FLIP, 1)[:, 0] < augmentation.flip_prob
    if augmentation.max_shift:
        limits = augmentation.max_shift * torch.tensor(size[1:], device=keys.device)
        offsets[:, 1:] = ((2 * clip_uniform(keys, seed, epoch, SHIFT, 2) - 1) * limits).round()
    if augmentation.max_jitter:
        choices = 2 * augmentation.max_jitter + 1
        offsets[:, 0] = (clip_uniform(keys, seed, epoch, JITTER, 1)[:, 0] * choices).floor() - augmentation.max_jitter
    if augmentation.max_scale:
        scales = 1 + augmentation.max_scale * (2 * clip_uniform(keys, seed, epoch, SCALE, 1)[:, 0] - 1)
    most = torch.tensor(size, device=keys.device) - 1  # further, only the border would be seen
    return Moves(flips, offsets.clamp(-most, most), scales)


def draw_partners(
    keys: torch.Tensor, seed: int, epoch: int, alpha: float, n_train: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw with which training clip of its fold each clip is mixed; one of the batch would depend on the batch.

    Args:
        keys, seed, epoch: As in :func:`draw_moves`.
        alpha: Of Beta(alpha, alpha).
        n_train: Number of training clips.

    Returns:
        partners: (N,) int64, which of the training clips, in the order of the data set.
        shares: (N,) float32, how much of itself a clip keeps.
    """
    from scipy.special import betaincinv  # takes 0.2 s to import, and few methods mix

    uniform = clip_uniform(keys, seed, epoch, MIXUP, 2).double()
    partners = (uniform[:, 0] * n_train).long()
    shares = torch.from_numpy(betaincinv(alpha, alpha, uniform[:, 1].cpu().numpy()))
    return partners, shares.float().to(keys.device)


def mix_clips(clips: torch.Tensor, partners: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return shares * clips + (1 - shares) * partners.

    Args:
        clips, partners: (N, ...) of one shape.
        shares: (N,) in [0, 1].
    """
    return torch.lerp(partners, clips, shares.view(-1, *[1] * (clips.ndim - 1)))


def mix_labels(
    samples: Sequence[ActionDataSample],
    partners: Sequence[ActionDataSample],
    shares: torch.Tensor,
    num_classes: int,
) -> list[ActionDataSample]:
    """Return copies of `samples` whose gt_label is a share of each class, (num_classes,) float32, that add to 1."""
    if any(sample.get('action_unit_targets') for sample in samples):
        raise InputError('mixup_alpha: action units that are learnt cannot be mixed; set mixup_alpha=0')
    own, other = (
        F.one_hot(torch.cat([sample.gt_label for sample in part]), num_classes).float() for part in (samples, partners)
    )
    labels = torch.lerp(other, own, shares[:, None].to(own.device))
    return [sample.new().set_gt_label(label) for sample, label in zip(samples, labels, strict=True)]


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


def with_mirrored(clips: torch.Tensor, channels: Sequence[str]) -> torch.Tensor:
    """Return clips (N, ..., C, T, H, W), not normalised, and behind them their mirrored copies, (2N, ...) float32."""
    copies = clips.float().flip(-1)
    mirror_values(copies, channels)
    return torch.cat([clips.float(), copies])


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
