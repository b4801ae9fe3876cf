"""Augmentation of flow clips: which kinds there are, and what each draws for a clip.

Every number is drawn by :func:`clip_uniform`, each kind from a stream of its own, so that an augmented clip depends on
seed, epoch and clip alone, and turning one kind on does not change what another draws.
"""

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
