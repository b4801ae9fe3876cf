"""Augmentation and normalisation of flow clips, in batches on the device."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmengine.model import stack_batch
from mmengine.structures import BaseDataElement

from mer_bench.errors import InputError

CHANNELS = ('u', 'v', 'strain')
LAYOUTS = ('clip', 'frames')


def mirror_flow(flow: torch.Tensor, channels: Sequence[str] = CHANNELS) -> torch.Tensor:
    """Mirror flow left to right: the picture turns round, horizontal motion changes its sign, an angle a is pi - a.

    Args:
        flow: (..., C, T, H, W); an angle is in radians, in (-pi, pi].
        channels: Names of the C channels.
    """
    mirrored = flow.flip(-1)
    maps = {name: mirrored.select(-4, i) for i, name in enumerate(channels)}
    if 'angle' in maps:
        maps['angle'].copy_(mirror_angle(maps))
    if 'u' in maps:
        maps['u'].neg_()
    return mirrored


def mirror_angle(maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """pi - angle in (-pi, pi]; where the other maps show that nothing moves the angle says nothing, and stays."""
    angle = math.pi - maps['angle']
    angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)
    if 'magnitude' in maps:
        return torch.where(maps['magnitude'] != 0, angle, maps['angle'])
    if 'u' in maps and 'v' in maps:
        return torch.where((maps['u'] != 0) | (maps['v'] != 0), angle, maps['angle'])
    return angle


def shift_flow(flow: torch.Tensor, dx: int, dy: int) -> torch.Tensor:
    """Move the picture by (dx, dy) pixels (right, down); its border comes in, since 0 may not mean no motion."""
    height, width = flow.shape[-2:]
    pad = (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0), 0, 0)
    top, left = max(-dy, 0), max(-dx, 0)
    return F.pad(flow, pad, mode='replicate')[..., top : top + height, left : left + width]


@MODELS.register_module()
class FlowDataPreprocessor(ActionDataPreprocessor):
    """MMAction2's preprocessor for (N, 1, C, T, H, W) flow, with augmentation before the normalisation.

    Args:
        mean: Mean of each channel over the training clips; None normalises nothing.
        std: Their standard deviation.
        channels: Names of the channels, as store.json gives them.
        flip_prob: Chance of a training clip to be mirrored (see :func:`mirror_flow`).
        max_shift: Training clips move by up to this share of their width and height.
        layout: 'clip' gives (N, 1, C, T, H, W) for Recognizer3D, 'frames' (N, T, C, H, W) for Recognizer2D.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: Sequence[str] = CHANNELS,
        flip_prob: float = 0.5,
        max_shift: float = 0.0,
        layout: str = 'clip',
        **kwargs,
    ) -> None:
        super().__init__(mean=mean, std=std, format_shape='NCTHW', **kwargs)
        if layout not in LAYOUTS:
            raise InputError(f'layout must be one of {LAYOUTS}, got {layout!r}')
        self.layout = layout
        self.channels = tuple(channels)
        self.flip_prob = flip_prob
        self.max_shift = max_shift

    def cast_data(self, data):
        """Move clips to the device; data samples stay, since heads move labels themselves and each would be copied."""
        return data if isinstance(data, BaseDataElement) else super().cast_data(data)

    def preprocess(self, inputs, data_samples, training: bool = False):
        """Stack, augment (in training) and normalise."""
        clips = stack_batch(inputs)
        if training:
            clips = self.augment(clips)
        clips, data_samples = super().preprocess(list(clips), data_samples, training)
        return self.arrange(clips), data_samples

    def arrange(self, clips: torch.Tensor) -> torch.Tensor:
        """(N, 1, C, T, H, W) -> what the recogniser takes."""
        return clips if self.layout == 'clip' else clips[:, 0].transpose(1, 2).contiguous()

    def augment(self, clips: torch.Tensor) -> torch.Tensor:
        """Mirror and shift each clip at random; the random numbers are drawn on the CPU, equal on every device."""
        if not self.flip_prob and not self.max_shift:
            return clips
        flips = torch.rand(len(clips)) < self.flip_prob
        limits = self.max_shift * torch.tensor([clips.shape[-1], clips.shape[-2]])
        shifts = ((2 * torch.rand(len(clips), 2) - 1) * limits).round().int().tolist()
        augmented = [
            shift_flow(mirror_flow(clip, self.channels) if flip else clip, dx, dy)
            for clip, flip, (dx, dy) in zip(clips, flips, shifts, strict=True)
        ]
        return torch.stack(augmented)
