"""Mixup of clips with training clips of their fold, https://arxiv.org/abs/1710.09412."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from mer_bench.errors import InputError


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
