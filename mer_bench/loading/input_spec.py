"""What a network sees of a stored clip: some channels, some frames, another grid. One store serves every network.

The channels that are no flow (:data:`PICTURES`) are taken only where they are named.
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
    """A view of the clips of a store.

    Attributes:
        stored: Names of the store's channels.
        channels: Names of those that the network sees, in its order.
        frames: None for all, 'apex' for the apex frame alone, or how many, evenly taken.
        repeat: Whether to take each frame several times where `frames` is more than the clip has.
        size: Height and width of the maps, None as stored.
        normalise: Whether the data preprocessor subtracts mean and divides by the deviation of the training clips.
    """

    stored: tuple[str, ...]
    channels: tuple[str, ...]
    frames: str | int | None = None
    repeat: bool = False
    size: int | None = None
    normalise: bool = True

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """Return the view of a clip.

        Args:
            clip: (C, T, H, W) float32, channels as in `stored`; also float16 where the view :attr:`keeps_values`.

        Returns:
            (len(channels), T', size, size), of the same type. Averaged where the grid gets coarser, bilinear where it
            gets finer; u, v and magnitude are in pixels of the new grid.
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

    @property
    def keeps_values(self) -> bool:
        """Whether every value that the view gives is one that is stored."""
        return self.size is None and needed(self.stored, self.channels) == list(self.channels)

    @property
    def options(self) -> dict:
        """The arguments of LoadFlowClip; none where the view is the clip as it is stored."""
        channels = None if self.channels == flow_channels(self.stored) else list(self.channels)
        given = dict(channels=channels, frames=self.frames, repeat=self.repeat or None, size=self.size)
        return {key: value for key, value in given.items() if value is not None}


def make_spec(options: dict | None, info: dict, shape: Sequence[int]) -> InputSpec:
    """Check the key `input` of a config against a store.

    Args:
        options: channels, frames, repeat, size, normalise; what is missing or None is taken as stored. faces='aligned'
            refuses clips whose faces were not aligned by landmarks.
        info: What the store says of itself.
        shape: (C, T, H, W) of its clips.
    """
    options = {key: value for key, value in (options or {}).items() if value is not None}
    if unknown := [key for key in options if key not in KEYS]:
        raise InputError(f'input: expected some of the keys {", ".join(KEYS)}, got {unknown[0]!r}; correct it')
    stored = tuple(info.get('channels', CHANNELS))
    channels = options.get('channels', flow_channels(stored))
    if not channels and 'channels' not in options:
        raise InputError(f'input.channels: the store holds no flow, but {", ".join(stored)}; name what is to be seen')
    if not isinstance(channels, (list, tuple)) or not channels or len({*channels}) < len(channels):
        raise InputError(
            f"input.channels: expected a list of different names such as ['u', 'v'], got {channels!r}; correct it"
        )
    check_faces(options.pop('faces', None), info)
    view = InputSpec(stored, **(options | dict(channels=tuple(channels))))
    check_channels(view, info)
    check_frames(view, info, shape[1])
    if view.size is not None and (type(view.size) is not int or view.size < 1):
        raise InputError(f'input.size: expected None or a number of pixels, got {view.size!r}; correct it')
    for key in ('normalise', 'repeat'):
        if type(getattr(view, key)) is not bool:
            raise InputError(f'input.{key}: expected True or False, got {getattr(view, key)!r}; correct it')
    return view


def flow_channels(stored: Sequence[str]) -> tuple[str, ...]:
    """Return the channels that are no pictures."""
    return tuple(name for name in stored if name not in PICTURES)


def check_faces(faces: str | None, info: dict) -> None:
    """Refuse faces that lie anywhere, for methods whose regions are fixed places of an aligned face."""
    if faces not in (None, 'aligned'):
        raise InputError(f"input.faces: expected None or 'aligned', got {faces!r}; correct it")
    found = [store.get('faces') for store in info.get('stores', [info])]
    aligned = [isinstance(part, dict) and part.get('detector', 'none') != 'none' for part in found]
    if faces and not all(aligned):
        raise InputError(
            f'input.faces: this method needs faces that are aligned by landmarks; {remedy(info, "--faces dlib")}'
        )


def check_channels(view: InputSpec, info: dict) -> None:
    """Refuse channels that the store does not hold and that do not follow from it."""
    for name in view.channels:
        if not {*needed(view.stored, [name])} <= {*view.stored}:
            wanted = ' '.join(dict.fromkeys([*view.stored, name]))
            datasets = ', '.join(store['dataset'] for store in info.get('stores', [info]))
            raise InputError(
                f'input.channels: expected {name!r} in the store of {datasets}, found {", ".join(view.stored)}; '
                f'{remedy(info, f"--channels {wanted}")}'
            )
        if name == 'angle' and not {'u', 'v'} <= {*view.channels} and 'magnitude' not in view.channels:
            raise InputError(
                "input.channels: 'angle' says nothing where nothing moves; name 'magnitude' too, or both 'u' and 'v'"
            )
        if name == 'angle' and view.size is not None and not {'u', 'v'} <= {*view.stored}:
            raise InputError("input.size: an 'angle' without u and v cannot be resized; prepare u and v as well")


def check_frames(view: InputSpec, info: dict, length: int) -> None:
    """Refuse a number of frames that the clips do not give, and an apex that cannot be told."""
    if view.frames == 'apex':
        if length > 1 and info.get('reference', 'onset') != 'onset':
            raise InputError(
                "input.frames: 'apex' needs the motion from the onset; prepare the data with --reference onset"
            )
        if length > 1 and length % 2:
            raise InputError(
                f"input.frames: 'apex' needs an even clip length, whose middle is the apex, found {length}; prepare "
                'the data with an even --clip-len'
            )
    elif view.frames is not None and not is_fitting(view, length):
        raise InputError(
            f"input.frames: expected None, 'apex' or a divisor of the clip length {length}, got {view.frames!r}; "
            'correct it or prepare the data with another --clip-len'
        )


def is_fitting(view: InputSpec, length: int) -> bool:
    """Say whether so many frames can be taken evenly, or made by repeating each."""
    frames = view.frames
    return type(frames) is int and frames > 0 and (length % frames == 0 or (view.repeat and frames % length == 0))


def remedy(info: dict, options: str) -> str:
    """Say what a user can do about a store that lacks what a method needs."""
    if info.get('flow') == 'published_pictures':
        return 'it needs the frames of a data set, which pictures of flow do not hold'
    return f'prepare the data with {options}'


def frame_indices(length: int, frames: str | int) -> list[int]:
    """Return which of `length` frames a view has: they run evenly to the offset, the apex being the middle one."""
    if frames == 'apex':
        return [max(length // 2 - 1, 0)]
    if frames > length:
        return [i * length // frames for i in range(frames)]
    step = length // frames
    return list(range(step - 1, length, step))


def needed(stored: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Return the stored channels that `channels` are made from: magnitude and angle from u and v, where these are."""
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
    """Return a channel, computed where it is not there."""
    if name in maps:
        return maps[name]
    if name == 'magnitude':
        return np.hypot(maps['u'], maps['v'])
    import torch  # whose angles differ from NumPy's in the last digit

    return torch.atan2(*(torch.from_numpy(maps[part]) for part in ('v', 'u'))).numpy()
