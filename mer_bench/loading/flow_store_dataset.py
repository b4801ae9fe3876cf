"""The prepared flow clips of chosen subjects, as an MMAction2 dataset or for a training loop of one's own."""

from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.device import get_device
from torch.utils.data import get_worker_info

from mer_bench.errors import InputError, did_you_mean
from mer_bench.loading.input_spec import OF_A_CLIP, InputSpec, make_spec
from mer_bench.loading.prepared_data import clip_places, common_info, open_store, read_clip, read_clips
from mer_bench.processes import usable_memory
from mer_bench.protocols.action_units import encode_action_units, truth_text
from mer_bench.protocols.label_schemes import load_scheme

SAME_EVERY_TIME = ['LoadFlowClip', 'PackActionInputs']  # a pipeline without randomness
SHARE = 0.5  # of the free memory, for the clips of all processes together
Places = Sequence[tuple[str, int]]


@TRANSFORMS.register_module()
class LoadFlowClip(BaseTransform):
    """Read one clip of the store: adds `imgs`, a (1, C, T, H, W) float32 tensor (one crop), and `img_shape`.

    Args:
        channels, frames, repeat, size, centre, scale, resize: What is taken of a clip, see :class:`InputSpec`; None:
            all flow as stored.
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
        centre: bool = False,
        scale: str | None = None,
        resize: str | None = None,
    ) -> None:
        self.options = dict(
            channels=channels, frames=frames, repeat=repeat, size=size, centre=centre, scale=scale, resize=resize
        )
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


class Remembered(dict):
    """What can be computed again: a copy, or another process, starts without it."""

    def __deepcopy__(self, memo: dict) -> 'Remembered':
        return Remembered()

    def __reduce__(self) -> tuple:
        return Remembered, ()


@DATASETS.register_module()
class FlowStoreDataset(BaseActionDataset):
    """Clips of one or several prepared data sets, optionally of some subjects only.

    Without a pipeline an item is a dict that torch's DataLoader can collate::

        inputs: (C, T, H, W) float32 tensor, the flow of the clip: a new one each time, neither augmented nor normalised
        label: int, the number of its class in `metainfo['classes']`; with a label scheme
        emotion: str, the emotion of annotations.csv; without a label scheme
        action_units: (K,) int64 tensor of 1 (shown), 0 (not shown) and -1 (unknown); with action units
        sample_id, subject: str, such as 'smic/s01/ne_01' and 'smic/s01'

    With a pipeline it is what the pipeline returns; the configs use MMAction2's ``inputs`` (1, C, T, H, W) and
    ``data_samples``. Clips are then resident if they fit: an item holds a view of one tensor with the clips of all
    subjects, on the device that trains (float16 if they are taken as stored), and its data sample is made once.
    Otherwise the memory map is read. That changes no result.

    Args:
        data_root: Folder of a prepared data set, or several folders.
        subjects: Keep the clips of these subjects, such as 'smic/s01'; None keeps all.
        label_scheme: Name of a label scheme, or path of your own: which clips are used, and their classes. None: every
            clip, without a class.
        action_units: Numbers of the action units to learn as well; None for none.
        input: What is taken of a clip if there is no pipeline: channels, frames, repeat, size, centre, scale, resize of
            :class:`InputSpec`; None: all flow as stored.
        pipeline: Transforms; the first is usually :class:`LoadFlowClip`.
        ann_file: annotations.csv, relative to each data root.
        data_prefix: `dict(store=FOLDER)`, relative to each data root.
        resident: Whether clips stay in memory: 'auto' if they fit (see :func:`fits`). Only with a pipeline of
            LoadFlowClip and PackActionInputs, and never in workers of a DataLoader. A loader that pins memory needs
            False on a GPU.

    Raises:
        InputError: A data root holds no prepared data, several were prepared differently, or a subject is unknown.
    """

    def __init__(
        self,
        data_root: str | Path | Sequence[str | Path],
        subjects: Sequence[str] | None = None,
        label_scheme: str | None = None,
        action_units: Sequence[int] | None = None,
        input: dict | None = None,
        pipeline: Sequence | None = None,
        ann_file: str = 'annotations.csv',
        data_prefix: dict | None = None,
        resident: bool | str = 'auto',
        **kwargs,
    ) -> None:
        if resident not in (True, False, 'auto'):
            raise InputError(f"resident: expected True, False or 'auto', got {resident!r}; correct it")
        self.roots = [data_root] if isinstance(data_root, (str, Path)) else list(data_root)
        self.label_scheme = None if label_scheme is None else load_scheme(label_scheme)
        self.subjects = [subjects] if isinstance(subjects, str) else subjects
        self.resident = resident
        self.places: tuple[tuple[str, int], ...] = ()
        self.remembered = Remembered()
        plain = pipeline is None
        if plain:
            pipeline = [load_input(input or {}), pack_for_a_loader]
        # built here, so that their names need no default scope
        try:
            steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        except Exception as error:  # a step can raise any exception
            raise InputError(
                f'pipeline: cannot be built: {type(error).__name__}: {error}; correct its steps'
            ) from error
        classes = self.label_scheme.classes if self.label_scheme else ()
        super().__init__(
            ann_file,
            steps,
            metainfo=dict(classes=classes, action_units=tuple(action_units or ())),
            data_prefix=data_prefix or dict(store='store'),
            modality='Flow',
            # rows of a table are few and small: to pickle them costs two garbage collections a fold and saves nothing
            **dict(serialize_data=False) | kwargs,
        )
        for store in dict(self.places) if plain else ():
            steps[0].view(store)  # so that a wrong input is refused here, and not in a worker

    def load_data_list(self) -> list[dict]:
        """One dict a clip: sample_id, subject, label or emotion, where its flow is (store, row), and its action units.

        `action_units` is the text of predictions.csv ('4+7', '' for none, '?' for unknown, '12+?' where 12 is
        certain), `action_unit_targets` holds 1, 0 or -1 (unknown) for each unit to learn, `place` is its number
        among the clips of all subjects.
        """
        store = self.data_prefix['store']
        for root in self.roots:
            check_root(Path(root), self.ann_file, store)
        common_info({str(root): open_store(str(Path(root, store))).info for root in self.roots})
        clips, dropped = read_clips(self.roots, self.label_scheme, self.ann_file, store)
        self.places = clip_places(clips)
        clips = clips.assign(place=np.arange(len(clips)))
        if self.subjects is not None:
            check_subjects(self.subjects, clips, dropped)
            clips = clips[clips['subject'].isin({*self.subjects})]
        units = self.metainfo['action_units']
        targets = encode_action_units(clips, units).tolist()
        classes = self.metainfo['classes']
        return [
            dict(
                sample_id=clip.sample_id,
                subject=clip.subject,
                **(dict(label=classes.index(clip.label)) if classes else dict(emotion=clip.emotion)),
                store=clip.store,
                row=int(clip.row),
                place=int(clip.place),
                action_units=truth_text(clip.action_units),
                action_unit_targets=shown,
            )
            for clip, shown in zip(clips.itertuples(), targets, strict=True)
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
        """Return the clips of all subjects in the memory of the device that trains; None if they do not stay there.

        Whether they fit is decided once.
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
        """Keep some clips, and forget what is remembered by the old numbers."""
        super().get_subset_(indices)
        self.remembered.clear()


def load_input(options: dict) -> LoadFlowClip:
    """Return the transform for the argument `input` of a :class:`FlowStoreDataset`."""
    if unknown := [key for key in options if key not in OF_A_CLIP]:
        raise InputError(f'input: expected some of the keys {", ".join(OF_A_CLIP)}, got {unknown[0]!r}; correct it')
    return LoadFlowClip(**options)


def pack_for_a_loader(clip: dict) -> dict:
    """Return an item of a :class:`FlowStoreDataset` without a pipeline."""
    item = {key: clip[key] for key in ('label', 'emotion', 'sample_id', 'subject') if key in clip}
    if clip['action_unit_targets']:
        item['action_units'] = torch.tensor(clip['action_unit_targets'])
    return dict(inputs=clip['imgs'][0], **item)


def check_root(root: Path, ann_file: str, store: str) -> None:
    """Refuse a folder without prepared data, naming one beside it whose name is similar."""
    if (root / ann_file).is_file() and (root / store).is_dir():
        return
    beside = [path.parent.name for path in root.parent.glob(f'*/{ann_file}')]
    raise InputError(
        f'{root}{did_you_mean(root.name, beside)}: expected prepared data ({ann_file} and {store}/), found none; '
        'run mer-bench prepare to make it'
    )


def check_subjects(subjects: Sequence[str], clips: pd.DataFrame, dropped: pd.DataFrame) -> None:
    """Refuse a subject that has no clip in use, naming a similar one.

    Args:
        subjects: Some names.
        clips: Those in use, with their subjects.
        dropped: sample_id of the clips that the label scheme leaves out.
    """
    known = clips['subject'].unique().tolist()
    unknown = next((name for name in subjects if name not in known), None)
    if unknown is None and len(subjects):
        return
    if unknown is None:
        raise InputError(f'subjects: expected at least one, such as {known[0]!r}, or None for all; found none')
    if dropped['sample_id'].str.startswith(f'{unknown}/').any():
        raise InputError(f'subjects: the label scheme leaves out every clip of {unknown!r}; leave the subject out too')
    ending = [name for name in known if name.rsplit('/')[-1] == unknown]
    near = did_you_mean(ending[0] if ending else str(unknown), known)
    raise InputError(
        f'subjects: expected some of the data, got {unknown!r}{near}; '
        f'the first of {len(known)} subjects is {known[0]!r}'
    )


def as_images(clip: torch.Tensor) -> dict:
    """Return what MMAction2's transforms expect of a decoded clip (C, T, H, W).

    To them modality 'Flow' means grey pictures of u and v in turns, and 'RGB' pictures of several channels.
    """
    images = [image.permute(1, 2, 0).contiguous().numpy() for image in clip.unbind(1)]
    shape = tuple(clip.shape[-2:])
    return dict(imgs=images, original_shape=shape, num_clips=1, clip_len=len(images), modality='RGB')


_resident: dict[tuple, torch.Tensor] = {}  # one entry: a process trains on one set of clips at a time


def resident_clips(places: Places, view: InputSpec, device: str | torch.device = 'cpu') -> torch.Tensor:
    """Return clips as the network sees them, in the memory of a device.

    A second call for the same clips returns the same tensor, so do not write to it. A call for others forgets it.

    Args:
        places: Store and row of each clip.
        view: What is taken of it.
        device: Where to keep them.

    Returns:
        (N, C, T, H, W), float16 if the values are taken as stored, float32 if they are computed.
    """
    device, key = _key(places, view, device)
    if key not in _resident:
        _resident.clear()
        first = torch.from_numpy(read_clip(*places[0], view))
        clips = torch.empty((len(places), *first.shape), dtype=first.dtype, device=device)
        for i, place in enumerate(places):
            clips[i].copy_(torch.from_numpy(read_clip(*place, view)))
        _resident[key] = clips
    return _resident[key]


def fits(places: Places, view: InputSpec, device: str | torch.device = 'cpu') -> bool:
    """Return whether clips are in the memory of a device, or fit there beside what a training needs."""
    device, key = _key(places, view, device)
    if key in _resident:
        return True
    needed = len(places) * read_clip(*places[0], view).nbytes
    return needed * sharers(device) <= SHARE * free_memory(device)


def _key(places: Places, view: InputSpec, device: str | torch.device) -> tuple[torch.device, tuple]:
    """Return the device with its number, and the key of a set of clips."""
    device = torch.device(device)
    if device.type == 'cuda' and device.index is None:
        device = torch.device('cuda', torch.cuda.current_device())
    digests = tuple(open_store(store).info.get('data_digest') for store in dict.fromkeys(store for store, _ in places))
    return device, (tuple(places), view, digests, str(device))


def free_memory(device: torch.device) -> int:
    """Return the bytes that a process can still take on a device; 0 if unknown."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    return usable_memory()[1] if device.type == 'cpu' else 0


def sharers(device: torch.device) -> int:
    """Return how many processes may want the same share of a device: one per core of a CPU, two on a GPU."""
    return joblib.cpu_count() if device.type == 'cpu' else 2
