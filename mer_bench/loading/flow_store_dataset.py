"""The prepared flow clips of chosen subjects as an MMAction2 dataset."""

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.device import get_device
from torch.utils.data import get_worker_info

from mer_bench.errors import InputError
from mer_bench.loading.clip_table import clip_places, read_clips
from mer_bench.loading.resident import fits, resident_clips
from mer_bench.protocols.action_units import encode_action_units, truth_text
from mer_bench.protocols.label_schemes import load_scheme

SAME_EVERY_TIME = ['LoadFlowClip', 'PackActionInputs']  # a pipeline without chance


class Remembered(dict):
    """What can be made again: a copy, and another process, starts without it."""

    def __deepcopy__(self, memo: dict) -> 'Remembered':
        return Remembered()

    def __reduce__(self) -> tuple:
        return Remembered, ()


@DATASETS.register_module()
class FlowStoreDataset(BaseActionDataset):
    """Clips of one or several prepared data sets, optionally of some subjects only.

    Where the clips are resident, an item holds a view of one tensor with the clips of all subjects, on the device that
    trains (float16 where they are taken as stored), and its data sample is made once. Else the memory map is read. That
    changes no result.

    Args:
        ann_file: annotations.csv, relative to each data root.
        pipeline: Transforms; the first is usually :class:`LoadFlowClip`.
        label_scheme: Name of a label scheme or path of an own one: which clips are used, and their classes.
        data_root: Folder of a prepared data set, or several folders.
        subjects: Keep the clips of these subjects; None keeps all.
        action_units: Numbers of the action units to learn as well; None for none.
        data_prefix: `dict(store=FOLDER)`, relative to each data root.
        resident: Whether clips stay in memory: 'auto' where they fit (see :func:`fits`). Only with a pipeline of
            LoadFlowClip and PackActionInputs, and never in workers of a DataLoader. A loader that pins memory needs
            False on a GPU.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence,
        label_scheme: str,
        data_root: str | Sequence[str] = '',
        subjects: Sequence[str] | None = None,
        action_units: Sequence[int] | None = None,
        data_prefix: dict | None = None,
        resident: bool | str = 'auto',
        **kwargs,
    ) -> None:
        if resident not in (True, False, 'auto'):
            raise InputError(f"resident: expected True, False or 'auto', got {resident!r}; correct it")
        self.roots = [data_root] if isinstance(data_root, str) else list(data_root)
        self.label_scheme = load_scheme(label_scheme)
        self.subjects = None if subjects is None else set(subjects)
        self.resident = resident
        self.places: tuple[tuple[str, int], ...] = ()
        self.remembered = Remembered()
        super().__init__(
            ann_file,
            pipeline,
            metainfo=dict(classes=self.label_scheme.classes, action_units=tuple(action_units or ())),
            data_prefix=data_prefix or dict(store='store'),
            modality='Flow',
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One dict a clip: sample_id, subject, label, where its flow lies (store, row), and its action units.

        `action_units` is the text of predictions.csv ('4+7', '' for none, '?' for unknown, '12+?' where 12 is
        certain), `action_unit_targets` holds 1, 0 or -1 (unknown) for each unit that is learnt, `place` is its number
        among the clips of all subjects.
        """
        clips, _ = read_clips(self.roots, self.label_scheme, self.ann_file, self.data_prefix['store'])
        self.places = clip_places(clips)
        clips = clips.assign(place=np.arange(len(clips)))
        if self.subjects is not None:
            clips = clips[clips['subject'].isin(self.subjects)]
        targets = encode_action_units(clips, self.metainfo['action_units']).tolist()
        return [
            dict(
                sample_id=clip.sample_id,
                subject=clip.subject,
                label=self.metainfo['classes'].index(clip.label),
                store=clip.store,
                row=int(clip.row),
                place=int(clip.place),
                action_units=truth_text(clip.action_units),
                action_unit_targets=units,
            )
            for clip, units in zip(clips.itertuples(), targets, strict=True)
        ]

    def prepare_data(self, idx: int) -> dict:
        """Return a clip as the pipeline makes it."""
        if get_worker_info() is not None:  # handing over a view would hand over the clips of all subjects
            return super().prepare_data(idx)
        if idx not in self.remembered:
            clips = self.resident_clips()
            if clips is None:
                return super().prepare_data(idx)
            info = self.get_data_info(idx)
            clip = clips[info['place'] : info['place'] + 1]
            info.update(imgs=clip, img_shape=tuple(clip.shape[-2:]))
            self.remembered[idx] = self.pipeline.transforms[1](info)
        return dict(self.remembered[idx])

    def resident_clips(self) -> torch.Tensor | None:
        """Return the clips of all subjects in the memory of the device that trains; None where they do not stay there.

        Whether they fit is asked once.
        """
        if 'clips' not in self.remembered:
            self.remembered['clips'] = self.find_resident_clips()
        return self.remembered['clips']

    def find_resident_clips(self) -> torch.Tensor | None:
        """Load them, or find those that another data set loaded."""
        load, *_ = transforms = self.pipeline.transforms or [None]
        plain = [type(transform).__name__ for transform in transforms] == SAME_EVERY_TIME and not load.as_images
        if not plain or self.resident is False:
            return None
        view, device = load.view(self.places[0][0]), get_device()
        if self.resident == 'auto' and not fits(self.places, view, device):
            return None
        return resident_clips(self.places, view, device)

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep some clips; what is remembered of the others' numbers goes."""
        super().get_subset_(indices)
        self.remembered.clear()
