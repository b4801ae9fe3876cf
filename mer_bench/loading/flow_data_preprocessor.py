"""Augmentation and normalisation of flow clips, in batches on the device."""

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mer_bench import compat
from mer_bench.clip_random import BatchDraws, clip_keys, set_draws
from mer_bench.errors import InputError
from mer_bench.loading.augmentation import (
    Augmentation,
    augment_clips,
    draw_partners,
    make_batch,
    mix_clips,
    mix_labels,
    with_mirrored,
)
from mer_bench.preparation.store.flow_store import CHANNELS

compat.apply()

from mmaction.models.data_preprocessors import ActionDataPreprocessor  # noqa: E402

LAYOUTS = ('clip', 'frames')


@MODELS.register_module()
class FlowDataPreprocessor(ActionDataPreprocessor):
    """MMAction2's preprocessor for (N, 1, C, T, H, W) flow, with augmentation before the normalisation.

    Once :meth:`set_epoch` was called, what happens to a training clip depends on seed, epoch and sample_id alone.
    Without it every batch is augmented anew from torch's generator: always taking the first epoch would silently show
    a network the same few pictures.

    Args:
        mean: Mean of each channel over the training clips; None normalises nothing.
        std: Their standard deviation.
        channels: Names of the channels, as store.json gives them.
        flip_prob, max_shift, max_jitter, max_scale, mixup_alpha: What may happen to a training clip, see
            :class:`Augmentation`.
        layout: 'clip' gives (N, 1, C, T, H, W) for Recognizer3D, 'frames' (N, T, C, H, W) for Recognizer2D.
        blending: As in ActionDataPreprocessor.
        mirror_test: Whether a batch of a test also has the mirrored copy of each clip, behind all clips, with a data
            sample of its own.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: Sequence[str] = CHANNELS,
        flip_prob: float = 0.5,
        max_shift: float = 0.0,
        max_jitter: int = 0,
        max_scale: float = 0.0,
        mixup_alpha: float = 0.0,
        layout: str = 'clip',
        blending: dict | None = None,
        mirror_test: bool = False,
    ) -> None:
        super().__init__(mean=mean, std=std, format_shape='NCTHW', blending=blending)
        if layout not in LAYOUTS:
            raise InputError(f'layout must be one of {LAYOUTS}, got {layout!r}')
        self.layout, self.mirror_test = layout, mirror_test
        self.channels = tuple(channels)
        self.augmentation = Augmentation(flip_prob, max_shift, max_jitter, max_scale, mixup_alpha)
        self.epoch: tuple[int, int] | None = None
        self.training_clips: Dataset | None = None

    def set_epoch(self, seed: int, epoch: int, training_clips: Dataset | None = None) -> None:
        """Set what augmentation and dropout draw from in training.

        Args:
            seed: Of the run.
            epoch: Counted from 0.
            training_clips: What mixup takes partners from: the data set that is trained on.
        """
        self.epoch = seed, epoch
        self.training_clips = training_clips

    def cast_data(self, data):
        """Move clips to the device; data samples stay, since heads move labels themselves and each would be copied."""
        return data if isinstance(data, BaseDataElement) else super().cast_data(data)

    def preprocess(self, inputs, data_samples, training: bool = False):
        """Stack, augment (in training) and normalise."""
        check_shapes(inputs)
        moments = (self.mean, self.std) if self._enable_normalize else None
        if not training:
            if self.mirror_test:
                inputs = with_mirrored(torch.stack(list(inputs)), self.channels)
                data_samples = [*data_samples, *(sample.clone() for sample in data_samples)]
            return self.arrange(make_batch(inputs, None, self.channels, moments)), data_samples
        keys, seed, epoch = self.draw_from(data_samples, len(inputs))
        if self.augmentation.mixup_alpha:
            clips, data_samples = self.mix(inputs, data_samples, keys, seed, epoch)
            clips = clips if moments is None else clips.sub_(moments[0]).div_(moments[1])
        else:
            clips = augment_clips(inputs, keys, seed, epoch, self.channels, self.augmentation, moments)
        if self.blending is not None:
            clips, data_samples = self.blending(clips, data_samples)
        return self.arrange(clips), data_samples

    def draw_from(self, data_samples: Sequence[BaseDataElement], size: int) -> tuple[torch.Tensor, int, int]:
        """Return keys of the clips, seed and epoch; they are also what the dropout of this batch draws from."""
        if self.epoch is None:
            set_draws(None)
            return torch.randint(-(2**31), 2**31, (size,)).int(), 0, 0
        if not all('sample_id' in sample for sample in data_samples):
            raise InputError("PackActionInputs: augmentation belongs to a clip; let meta_keys contain 'sample_id'")
        keys = clip_keys(sample.sample_id for sample in data_samples)
        set_draws(BatchDraws(keys.to(self.device, non_blocking=True), *self.epoch))
        return keys, *self.epoch

    def mix(
        self, inputs, data_samples: Sequence[BaseDataElement], keys: torch.Tensor, seed: int, epoch: int
    ) -> tuple[torch.Tensor, list[BaseDataElement]]:
        """Augment the clips and their partners of mixup, each by its own numbers, and mix them."""
        dataset = self.training_clips
        if dataset is None:
            raise InputError('mixup_alpha: the partners are unknown; call set_epoch(seed, epoch, training_clips) first')
        partners, shares = draw_partners(keys, seed, epoch, self.augmentation.mixup_alpha, len(dataset))
        items = [dataset[i] for i in partners.tolist()]
        samples = [item['data_samples'] for item in items]
        others = self.cast_data([item['inputs'] for item in items])
        of_partners = clip_keys(sample.sample_id for sample in samples)
        own, other = (
            augment_clips(clips, numbers, seed, epoch, self.channels, self.augmentation)
            for clips, numbers in ((inputs, keys), (others, of_partners))
        )
        labels = mix_labels(data_samples, samples, shares, len(dataset.metainfo['classes']))
        return mix_clips(own, other, shares.to(own.device, non_blocking=True)), labels

    def arrange(self, clips: torch.Tensor) -> torch.Tensor:
        """(N, 1, C, T, H, W) -> what the recogniser takes."""
        return clips if self.layout == 'clip' else clips[:, 0].transpose(1, 2).contiguous()


def check_shapes(clips: Sequence[torch.Tensor]) -> None:
    """Refuse clips of different shapes, which MMEngine would fill up with zeros."""
    shapes = {tuple(clip.shape) for clip in clips}
    if len(shapes) > 1:
        raise InputError(f'expected clips of one shape, got {sorted(shapes)}; let the pipeline bring them to one')
