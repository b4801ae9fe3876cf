"""One clip: its frames -> the (C, T, size, size) array that the store keeps."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.face_settings import FaceSettings
from mer_bench.preparation.faces import Face, align_frames
from mer_bench.preparation.frames import middle_apex, nearest, read_frames, sample_frames, spotted_apex
from mer_bench.preparation.optical_flow import compute_flow, optical_strain
from mer_bench.preparation.settings import FlowSettings

STARTS = {
    'onset': 'from the onset to the sampled frame',
    'previous': 'from the sampled frame before (first: the onset)',
}
CHANNEL_UNITS = {
    'u': 'u: motion to the right in pixels of the stored grid',
    'v': 'v: motion downwards in pixels of the stored grid',
    'strain': 'strain: optical strain without unit, computed per pixel of the frame',
    'magnitude': 'magnitude: sqrt(u^2 + v^2) on the stored grid',
    'angle': 'angle: atan2(v, u) on the stored grid in radians, 0 where nothing moves',
}


@dataclass(frozen=True)
class ClipSource:
    """The frames of a clip on disk.

    Args:
        paths: {frame number: file}; frames before onset and after offset are left alone.
        onset: first frame, one of `paths`.
        apex: as the data set says it; None if unknown.
        offset: last frame; at least one of `paths` lies after onset and not after offset.
        face: where the face is, to align the frames; None for frames that are used as they are.
        face_settings: how to align them.
    """

    paths: dict[int, Path]
    onset: int
    apex: int | None
    offset: int
    face: Face | None = None
    face_settings: FaceSettings = field(default_factory=FaceSettings)

    def __post_init__(self) -> None:
        folder = next(iter(self.paths.values())).parent if self.paths else 'a clip without frames'
        if self.onset not in self.paths or len(self.numbers) < 2:
            raise InputError(
                f'{folder}: expected frame {self.onset} (onset) and one or more up to {self.offset} (offset), found '
                f'{len(self.numbers)} of them; restore the frames or correct the annotation'
            )
        if self.apex is not None and not self.onset <= self.apex <= self.offset:
            raise InputError(
                f'{folder}: expected the apex from onset {self.onset} to offset {self.offset}, found {self.apex}; '
                'correct the annotation or leave the apex empty'
            )

    @property
    def numbers(self) -> list[int]:
        """The frames from onset to offset."""
        return sorted(number for number in self.paths if self.onset <= number <= self.offset)


def units(settings: FlowSettings) -> str:
    """Return what the channels are, one sentence for store.json."""
    if settings.flow == 'still':
        return (
            f'a control: in place of {settings.channels[-1]} the apex frame, grey / 255 - 0.5, alike at every time; '
            'every other channel is 0'
        )
    return '; '.join([*map(CHANNEL_UNITS.get, settings.channels), f'the motion runs {STARTS[settings.reference]}'])


def clip_flow(source: ClipSource, settings: FlowSettings) -> tuple[np.ndarray, int]:
    """Return the clip's array, (C, T, size, size) float16, and the apex it was made with."""
    apex = known_apex(source, settings)
    frames = {}
    if apex is None:
        frames = load_frames(source, source.numbers)
        apex = spotted_apex(frames, source.onset, source.offset)
    if settings.flow == 'still':
        frames = frames or load_frames(source, sorted({source.onset, apex}))
        return np.repeat(still_maps(frames[apex], settings)[:, None], settings.clip_len, axis=1), apex
    numbers = sample_frames(source.numbers, source.onset, apex, source.offset, settings.clip_len)
    frames = frames or load_frames(source, sorted({source.onset, *numbers}))
    starts = [source.onset] * len(numbers) if settings.reference == 'onset' else [source.onset, *numbers[:-1]]
    pairs = list(zip(starts, numbers, strict=True))
    maps = {pair: pair_maps(frames, *pair, settings) for pair in dict.fromkeys(pairs)}
    return np.stack([maps[pair] for pair in pairs], axis=1), apex


def known_apex(source: ClipSource, settings: FlowSettings) -> int | None:
    """Return the apex where it follows from the frame numbers, None where it must be spotted."""
    if settings.apex == 'annotated' and source.apex is not None:
        return nearest(source.numbers, source.apex)
    policy = settings.missing_apex if settings.apex == 'annotated' else settings.apex
    return middle_apex(source.numbers, source.onset, source.offset) if policy == 'middle' else None


def load_frames(source: ClipSource, numbers: list[int]) -> dict[int, np.ndarray]:
    """Read some frames in ascending order, the onset among them, and align them where the face is known."""
    frames = read_frames({number: source.paths[number] for number in numbers})
    if source.face is None:
        return frames
    return align_frames(frames, source.face, source.face_settings)


def pair_maps(frames: dict[int, np.ndarray], first: int, second: int, settings: FlowSettings) -> np.ndarray:
    """Return the maps of the motion between two frames, (C, size, size) float16; 0 for a frame and itself."""
    if first == second:
        return np.zeros((len(settings.channels), settings.size, settings.size), np.float16)
    flow = compute_flow(frames[first], frames[second], settings.flow, settings.raft_weights)
    return flow_maps(flow, settings.size, settings.channels)


def still_maps(frame: np.ndarray, settings: FlowSettings) -> np.ndarray:
    """Return one picture in the last channel and 0 in the others, (C, size, size) float16."""
    maps = np.zeros((len(settings.channels), settings.size, settings.size), np.float16)
    maps[-1] = resize(frame / np.float32(255) - np.float32(0.5), settings.size)
    return maps


def flow_maps(flow: np.ndarray, size: int, channels: tuple[str, ...] = FlowSettings.channels) -> np.ndarray:
    """Return the maps that `CHANNEL_UNITS` describes, (C, size, size) float16.

    Magnitude and angle are computed from the stored grid's u and v: to average angles would be wrong.

    Args:
        flow: (2, H, W) float32 in pixels of the frame.
        size: height and width to store.
        channels: names of the maps in their order.
    """
    height, width = flow.shape[1:]
    u, v = resize(flow[0] * (size / width), size), resize(flow[1] * (size / height), size)
    strain = resize(optical_strain(flow), size)
    maps = {'u': u, 'v': v, 'strain': strain, 'magnitude': np.hypot(u, v), 'angle': np.arctan2(v, u)}
    return np.stack([maps[channel] for channel in channels]).astype(np.float16)


def resize(field: np.ndarray, size: int) -> np.ndarray:
    """Return a map averaged onto a square grid."""
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_AREA)
