"""The prepared flow clips of chosen subjects as an MMAction2 dataset."""

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform

from mer_bench.loading.clip_table import open_store, read_clips
from mer_bench.loading.clip_view import ClipView, make_view
from mer_bench.protocols.action_units import encode_action_units, format_action_units, parse_action_units
from mer_bench.protocols.label_schemes import load_scheme

SAME_EVERY_TIME = ['LoadFlowClip', 'PackActionInputs']  # a pipeline without chance
BYTES_TO_KEEP = 2**28  # 442 clips of one 112x112 picture are 64 MiB


@DATASETS.register_module()
class FlowStoreDataset(BaseActionDataset):
    """Clips of one or several prepared data sets, optionally of some subjects only.

    Args:
        ann_file: annotations.csv, relative to each data root.
        pipeline: Transforms; the first is usually :class:`LoadFlowClip`.
        label_scheme: Name of a label scheme or path of an own one: which clips are used, and their classes.
        data_root: Folder of a prepared data set, or several folders.
        subjects: Keep the clips of these subjects; None keeps all.
        action_units: Numbers of the action units to learn as well; None for none.
        data_prefix: `dict(store=FOLDER)`, relative to each data root.
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
        **kwargs,
    ) -> None:
        self.roots = [data_root] if isinstance(data_root, str) else list(data_root)
        self.label_scheme = load_scheme(label_scheme)
        self.subjects = None if subjects is None else set(subjects)
        super().__init__(
            ann_file,
            pipeline,
            metainfo=dict(classes=self.label_scheme.classes, action_units=tuple(action_units or ())),
            data_prefix=data_prefix or dict(store='store'),
            modality='Flow',
            **kwargs,
        )
        self.kept: dict[int, dict] = {}
        self.keeps = [type(transform).__name__ for transform in self.pipeline.transforms] == SAME_EVERY_TIME

    def load_data_list(self) -> list[dict]:
        """One dict a clip: sample_id, subject, label, where its flow lies (store, row), and its action units.

        `action_units` is the text of predictions.csv ('4+7', '' for none, '?' for unknown), `action_unit_targets`
        holds 1, 0 or -1 (unknown) for each unit that is learnt.
        """
        clips, _ = read_clips(self.roots, self.label_scheme, self.ann_file, self.data_prefix['store'])
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
                action_units=format_action_units(parse_action_units(clip.action_units)),
                action_unit_targets=units,
            )
            for clip, units in zip(clips.itertuples(), targets, strict=True)
        ]

    def prepare_data(self, idx: int) -> dict:
        """Return a clip as the pipeline makes it; small clips are kept in memory where the pipeline knows no chance."""
        if idx in self.kept:
            return dict(self.kept[idx])
        sample = super().prepare_data(idx)
        if self.keeps and len(self) * sample['inputs'].nbytes <= BYTES_TO_KEEP:
            self.kept[idx] = dict(sample)
        return sample


@TRANSFORMS.register_module()
class LoadFlowClip(BaseTransform):
    """Read one clip of the store: adds `imgs`, a (1, C, T, H, W) float32 tensor (one crop), and `img_shape`.

    Args:
        channels, frames, repeat, size: What is taken of a clip, see :class:`ClipView`; None: all flow as stored.
    """

    def __init__(
        self,
        channels: Sequence[str] | None = None,
        frames: str | int | None = None,
        repeat: bool = False,
        size: int | None = None,
    ) -> None:
        self.options = dict(channels=channels, frames=frames, repeat=repeat, size=size)
        self.views: dict[str, ClipView] = {}

    def transform(self, results: dict) -> dict:
        store = open_store(results['store'])
        if results['store'] not in self.views:
            self.views[results['store']] = make_view(self.options, store.info, store.clips.shape[1:])
        clip = torch.from_numpy(np.asarray(store.clips[results['row']], dtype=np.float32))
        clip = self.views[results['store']](clip)
        results['imgs'] = clip[None]
        results['img_shape'] = tuple(clip.shape[-2:])
        return results
