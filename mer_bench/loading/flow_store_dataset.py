"""The prepared flow clips of chosen subjects as an MMAction2 dataset."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform

from mer_bench.datasets.table import read_annotations
from mer_bench.preparation.flow_store import FlowStore
from mer_bench.protocols.label_schemes import encode_labels

open_store = lru_cache(maxsize=8)(FlowStore)


@DATASETS.register_module()
class FlowStoreDataset(BaseActionDataset):
    """Clips of a prepared data set, optionally of some subjects only.

    Args:
        ann_file: annotations.csv, relative to `data_root`.
        pipeline: Transforms; the first is usually :class:`LoadFlowClip`.
        classes: Emotions in the order of their class numbers.
        subjects: Keep the clips of these subjects; None keeps all.
        data_prefix: `dict(store=FOLDER)`, relative to `data_root`.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence,
        classes: Sequence[str],
        subjects: Sequence[str] | None = None,
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        self.subjects = None if subjects is None else set(subjects)
        super().__init__(
            ann_file,
            pipeline,
            metainfo=dict(classes=tuple(classes)),
            data_prefix=data_prefix or dict(store='store'),
            modality='Flow',
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One dict a clip: sample_id, subject, label, and where its flow lies (store, row)."""
        annotations = read_annotations(self.ann_file)
        labels = encode_labels(annotations, self.metainfo['classes'])
        store = self.data_prefix['store']
        rows = open_store(store).index
        return [
            dict(
                sample_id=clip.sample_id,
                subject=clip.subject,
                label=int(label),
                store=store,
                row=rows[clip.sample_id],
            )
            for clip, label in zip(annotations.itertuples(), labels, strict=True)
            if self.subjects is None or clip.subject in self.subjects
        ]


@TRANSFORMS.register_module()
class LoadFlowClip(BaseTransform):
    """Read one clip of the store: adds `imgs`, a (1, 3, T, H, W) float32 tensor (one crop), and `img_shape`."""

    def transform(self, results: dict) -> dict:
        clip = open_store(results['store']).clips[results['row']]
        results['imgs'] = torch.from_numpy(np.asarray(clip, dtype=np.float32))[None]
        results['img_shape'] = clip.shape[-2:]
        return results


def clip_moments(store: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and mean square of each channel of each clip, both (N, 3) float64."""
    clips = open_store(str(store)).clips
    mean, square = np.empty((2, len(clips), clips.shape[1]))
    for row, clip in enumerate(clips):
        values = clip.astype(np.float64)
        mean[row] = values.mean((1, 2, 3))
        square[row] = (values**2).mean((1, 2, 3))
    return mean, square
