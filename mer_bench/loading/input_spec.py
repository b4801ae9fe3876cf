"""What a method sees of a stored clip: channels, frames, size. One store serves all methods.

Channels that are not flow (:data:`PICTURES`) are taken only if they are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.settings import PICTURES
from mer_bench.preparation.store.flow_store import CHANNELS

FROM_UV = ('magnitude', 'angle')
KEYS = ('channels', 'frames', 'repeat', 'size', 'normalise', 'faces')


@dataclass(frozen=True)
class InputSpec:
    """The key `input` of a config, checked against a store by :func:`make_spec`.

    Attributes:
        stored: Names of the store's channels.
        channels: Names of the channels that the method sees, in its order.
        frames: None for all, 'apex' for the apex frame alone, or a number of evenly spaced frames.
        repeat: Whether to repeat frames if `frames` is more than the clip has.
        size: Height and width of the maps; None: as stored.
        normalise: Whether the data preprocessor subtracts the mean and divides by the deviation of the training clips.
    """

    stored: tuple[str, ...]
    channels: tuple[str, ...]
    frames: str | int | None = None
    repeat: bool = False
    size: int | None = None
    normalise: bool = True

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """Return what the method sees of a clip.

        Args:
            clip: (C, T, H, W) float32, channels as in `stored`; also float16 if the spec :attr:`keeps_values`.

        Returns:
            (len(channels), T', size, size), of the same type. Averaged on a coarser grid, bilinear on a finer one; u, v
            and magnitude are in pixels of the new grid.
        """
        if self.channels == self.stored and self.frames is None and self.size is None:
            return clip
        if self.frames is not None:
            clip = clip[:, frame_indices(clip.shape[1], self.frames)]
        names = needed(self.stored, self.channels)
        maps = {name: clip[self.stored.index(name)] for name in names}
        if self.size is not None:
            maps = {name: resize(name, part, self.size) for name, part in maps.items()}
        return np.stack([channel_of(maps, name) for name in self.channels])

    def shape_of(self, stored: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of what the method sees of a clip, (C, T, H, W), from the shape of a stored one."""
        _, length, *sizes = stored
        length = length if self.frames is None else len(frame_indices(length, self.frames))
        return len(self.channels), length, *(sizes if self.size is None else (self.size, self.size))

    @property
    def keeps_values(self) -> bool:
        """Whether every value is taken from the store, and none computed."""
        return self.size is None and needed(self.stored, self.channels) == list(self.channels)

    @property
    def options(self) -> dict:
        """The arguments of LoadFlowClip; none if the clip is taken as stored."""
        channels = None if self.channels == flow_channels(self.stored) else list(self.channels)
        given = dict(channels=channels, frames=self.frames, repeat=self.repeat or None, size=self.size)
        return {key: value for key, value in given.items() if value is not None}


def make_spec(options: dict | None, info: dict, shape: Sequence[int]) -> InputSpec:
    """Check the key `input` of a config against a store.

    Args:
        options: channels, frames, repeat, size, normalise; as stored if missing or None. faces='aligned' refuses clips
            whose faces were not aligned by landmarks.
        info: The content of store.json.
        shape: (C, T, H, W) of its clips.
    """
    options = {key: value for key, value in (options or {}).items() if value is not None}
    if unknown := [key for key in options if key not in KEYS]:
        raise InputError(f'input: expected some of the keys {", ".join(KEYS)}, got {unknown[0]!r}; correct it')
    stored = tuple(info.get('channels', CHANNELS))
    channels = options.get('channels', flow_channels(stored))
    if not channels and 'channels' not in options:
        raise InputError(f'input.channels: the store holds no flow, but {", ".join(stored)}; name the channels')
    if not isinstance(channels, (list, tuple)) or not channels or len({*channels}) < len(channels):
        raise InputError(
            f"input.channels: expected a list of different names such as ['u', 'v'], got {channels!r}; correct it"
        )
    check_faces(options.pop('faces', None), info)
    spec = InputSpec(stored, **(options | dict(channels=tuple(channels))))
    check_channels(spec, info)
    check_frames(spec, info, shape[1])
    if spec.size is not None and (type(spec.size) is not int or spec.size < 1):
        raise InputError(f'input.size: expected None or a number of pixels, got {spec.size!r}; correct it')
    for key in ('normalise', 'repeat'):
        if type(getattr(spec, key)) is not bool:
            raise InputError(f'input.{key}: expected True or False, got {getattr(spec, key)!r}; correct it')
    return spec


def flow_channels(stored: Sequence[str]) -> tuple[str, ...]:
    """Return the channels that are flow."""
    return tuple(name for name in stored if name not in PICTURES)


def check_faces(faces: str | None, info: dict) -> None:
    """Refuse faces that are not aligned, for methods whose regions are fixed places of an aligned face."""
    if faces not in (None, 'aligned'):
        raise InputError(f"input.faces: expected None or 'aligned', got {faces!r}; correct it")
    found = [store.get('faces') for store in info.get('stores', [info])]
    aligned = [isinstance(part, dict) and part.get('detector', 'none') != 'none' for part in found]
    if faces and not all(aligned):
        raise InputError(
            f'input.faces: this method needs faces that are aligned by landmarks; {remedy(info, "--faces dlib")}'
        )


def check_channels(spec: InputSpec, info: dict) -> None:
    """Refuse channels that are neither in the store nor computed from it."""
    for name in spec.channels:
        if not {*needed(spec.stored, [name])} <= {*spec.stored}:
            wanted = ' '.join(dict.fromkeys([*spec.stored, name]))
            datasets = ', '.join(store['dataset'] for store in info.get('stores', [info]))
            raise InputError(
                f'input.channels: expected {name!r} in the store of {datasets}, found {", ".join(spec.stored)}; '
                f'{remedy(info, f"--channels {wanted}")}'
            )
        if name == 'angle' and not {'u', 'v'} <= {*spec.channels} and 'magnitude' not in spec.channels:
            raise InputError(
                "input.channels: 'angle' means nothing without motion; name 'magnitude' too, or both 'u' and 'v'"
            )
        if name == 'angle' and spec.size is not None and not {'u', 'v'} <= {*spec.stored}:
            raise InputError("input.size: an 'angle' without u and v cannot be resized; prepare u and v as well")


def check_frames(spec: InputSpec, info: dict, length: int) -> None:
    """Refuse a number of frames that the clips cannot give, and an apex that is not at a known place."""
    if spec.frames == 'apex':
        if length > 2 and info.get('reference', 'onset') != 'onset':  # the first of two starts at the onset anyway
            raise InputError(
                "input.frames: 'apex' needs the motion from the onset; prepare the data with --reference onset"
            )
        if length > 1 and length % 2:
            raise InputError(
                f"input.frames: 'apex' needs an even clip length, whose middle is the apex, found {length}; prepare "
                'the data with an even --clip-len'
            )
    elif spec.frames is not None and not is_fitting(spec, length):
        raise InputError(
            f"input.frames: expected None, 'apex' or a divisor of the clip length {length}, got {spec.frames!r}; "
            'correct it or prepare the data with another --clip-len'
        )


def is_fitting(spec: InputSpec, length: int) -> bool:
    """Return whether so many frames can be taken evenly, or made by repeating each."""
    frames = spec.frames
    return type(frames) is int and frames > 0 and (length % frames == 0 or (spec.repeat and frames % length == 0))


def remedy(info: dict, options: str) -> str:
    """Return what a user can do if a store lacks what a method needs."""
    if info.get('flow') == 'published_pictures':
        return 'it needs the frames of a data set, which pictures of flow do not hold'
    return f'prepare the data with {options}'


def frame_indices(length: int, frames: str | int) -> list[int]:
    """Return which of `length` frames are taken: evenly up to the offset; the apex is the middle one."""
    if frames == 'apex':
        return [max(length // 2 - 1, 0)]
    if frames > length:
        return [i * length // frames for i in range(frames)]
    step = length // frames
    return list(range(step - 1, length, step))


def needed(stored: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Return the stored channels that `channels` come from: magnitude and angle from u and v, if these are stored."""
    derived = {'u', 'v'} <= {*stored} or not {*FROM_UV} & {*stored}
    names = [part for name in channels for part in (('u', 'v') if name in FROM_UV and derived else (name,))]
    return list(dict.fromkeys(names))


def resize(name: str, part: np.ndarray, size: int) -> np.ndarray:
    """Bring a map (T, H, W) onto a square grid; lengths are scaled with it."""
    height, width = part.shape[-2:]
    if (height, width) != (size, size):
        part = averaged(part, size) if size <= min(height, width) else interpolated(part, size)
    scales = dict(u=size / width, v=size / height, magnitude=size / width)
    return part * scales.get(name, 1)


def averaged(part: np.ndarray, size: int) -> np.ndarray:
    """Average maps (T, H, W) over the cells of a coarser square grid, added in the order of torch's mode 'area'."""
    (top, heights), (left, widths) = (cells(length, size) for length in part.shape[-2:])
    sums = np.zeros((len(part), size, size), np.float32)
    for i in range(heights.max()):
        for j in range(widths.max()):
            rows, columns = np.flatnonzero(heights > i)[:, None], np.flatnonzero(widths > j)
            sums[:, rows, columns] += part[:, top[rows] + i, left[columns] + j]
    return sums / heights[:, None].astype(np.float32) / widths.astype(np.float32)


def cells(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of `size` cells begins on `length` pixels and how many it covers; neighbours may share one."""
    first, end = np.arange(size) * length // size, -(-np.arange(1, size + 1) * length // size)
    return first, end - first


def interpolated(part: np.ndarray, size: int) -> np.ndarray:
    """Interpolate maps (T, H, W) bilinearly on a finer square grid."""
    import torch  # which takes a second to import, and most methods of scikit-learn do without

    values = torch.from_numpy(part)[None]
    return torch.nn.functional.interpolate(values, (size, size), mode='bilinear', align_corners=False)[0].numpy()


def channel_of(maps: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return a channel, computed if it is not stored."""
    if name in maps:
        return maps[name]
    if name == 'magnitude':
        return np.hypot(maps['u'], maps['v'])
    import torch  # whose angles differ from NumPy's in the last digit

    return torch.atan2(*(torch.from_numpy(maps[part]) for part in ('v', 'u'))).numpy()
