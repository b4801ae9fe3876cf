"""The first transform of a pipeline: one clip of a flow store."""

from collections.abc import Sequence

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mer_bench.loading.clip_table import open_store, read_clip
from mer_bench.loading.input_spec import InputSpec, make_spec


@TRANSFORMS.register_module()
class LoadFlowClip(BaseTransform):
    """Read one clip of the store: adds `imgs`, a (1, C, T, H, W) float32 tensor (one crop), and `img_shape`.

    Args:
        channels, frames, repeat, size: What is taken of a clip, see :class:`InputSpec`; None: all flow as stored.
        as_images: Return `imgs` as MMAction2's own loaders do, T float32 arrays (H, W, C), for its transforms (Resize,
            RandomCrop, FormatShape, ...). Its Flip keeps the sign of u: leave mirroring to FlowDataPreprocessor.
    """

    def __init__(
        self,
        channels: Sequence[str] | None = None,
        frames: str | int | None = None,
        repeat: bool = False,
        size: int | None = None,
        as_images: bool = False,
    ) -> None:
        self.options = dict(channels=channels, frames=frames, repeat=repeat, size=size)
        self.as_images = as_images
        self.views: dict[str, InputSpec] = {}

    def view(self, path: str) -> InputSpec:
        """Return the spec of the clips of a store."""
        if path not in self.views:
            store = open_store(path)
            self.views[path] = make_spec(self.options, store.info, store.clips.shape[1:])
        return self.views[path]

    def transform(self, results: dict) -> dict:
        clip = torch.from_numpy(read_clip(results['store'], results['row'], self.view(results['store']))).float()
        results['img_shape'] = tuple(clip.shape[-2:])
        if self.as_images:
            results.update(as_images(clip))
        else:
            results['imgs'] = clip[None]
        return results


def as_images(clip: torch.Tensor) -> dict:
    """Return what MMAction2's transforms expect of a decoded clip (C, T, H, W).

    To them modality 'Flow' means grey pictures of u and v in turns, and 'RGB' pictures of several channels.
    """
    images = [image.permute(1, 2, 0).contiguous().numpy() for image in clip.unbind(1)]
    shape = tuple(clip.shape[-2:])
    return dict(imgs=images, original_shape=shape, num_clips=1, clip_len=len(images), modality='RGB')
