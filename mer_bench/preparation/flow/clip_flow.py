"""One clip: its frames -> the (C, T, size, size) array that the store keeps, and what decides that array."""

from collections.abc import Mapping

import cv2
import numpy as np
import pandas as pd

from mer_bench.preparation.clip_frames import ClipFrames, ClipSource
from mer_bench.preparation.faces.detection import face_parameters
from mer_bench.preparation.flow.optical_flow import UNLIKE, compute_flow, difference, flow_parameters, optical_strain
from mer_bench.preparation.frames import (
    DAMAGED_REMEDY,
    LEVELS,
    SAMPLING,
    SPOTTING_REGIONS,
    middle_apex,
    nearest,
    sample_frames,
    spotted_apex,
)
from mer_bench.preparation.pictures import digest_picture, is_deep
from mer_bench.preparation.settings import PICTURES, FaceSettings, FlowSettings
from mer_bench.preparation.summary import track

UNLIKE_FRAMES = 'unlike frames'  # a kind of remark
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
    'grey': 'grey: the sampled frame in levels from 0 to 255',
    'change': 'change: grey of the sampled frame minus grey of the onset',
}


def units(settings: FlowSettings) -> str:
    """Return what the channels are, one sentence for store.json."""
    if settings.flow == 'still':
        return (
            f'a control: in place of {settings.channels[-1]} the apex frame, grey / 255 - 0.5, alike at every time; '
            'every other channel is 0'
        )
    return '; '.join([*map(CHANNEL_UNITS.get, settings.channels), f'the motion runs {STARTS[settings.reference]}'])


def clip_flow(source: ClipSource, settings: FlowSettings) -> tuple[np.ndarray, int, str]:
    """Return the clip's array, (C, T, size, size) float16, the apex it was made with, and a remark ('' for none)."""
    apex = known_apex(source, settings)
    frames = ClipFrames(source, source.numbers if apex is None else frames_to_take(source, apex, settings))
    if apex is None:
        apex = spotted_apex(frames, source.onset, source.offset)
    taken = frames_to_take(source, apex, settings)
    if settings.flow == 'still':
        maps = still_maps(frames[apex], settings)
        return np.repeat(maps[:, None], settings.clip_len, axis=1), apex, frames.remark
    starts = [source.onset] * len(taken) if settings.reference == 'onset' else [source.onset, *taken[:-1]]
    pairs = list(zip(starts, taken, strict=True))
    maps, unlike = {}, []
    for pair in dict.fromkeys(pairs):
        pictures = {number: frames[number] for number in (source.onset, *pair)}
        maps[pair] = pair_maps(pictures, *pair, source.onset, settings)
        if difference(*(pictures[number] for number in pair)) >= UNLIKE:
            unlike.append(pair)
    if unlike:
        frames.remarks.append(unlike_remark(unlike, len(maps), settings.flow))
    return np.stack([maps[pair] for pair in pairs], axis=1), apex, frames.remark


def unlike_remark(unlike: list[tuple[int, int]], pairs: int, method: str) -> str:
    """Return the remark on pairs of frames that have little in common, with what to do."""
    first, second = unlike[0]
    limited = ', and TV-L1 is cut short between them' if method == 'tvl1' else ''
    return (
        f'{UNLIKE_FRAMES}: {len(unlike)} of {pairs} pairs, the first {first} and {second}, have little in common (a '
        f'cut, a change of light, or an onset or a frame of something else){limited}; look at these frames, then '
        'correct onset and offset, restore the frames, or leave the clip out'
    )


def known_apex(source: ClipSource, settings: FlowSettings) -> int | None:
    """Return the apex where it follows from the frame numbers, None where it must be spotted."""
    if settings.apex == 'annotated' and source.apex is not None:
        return nearest(source.numbers, source.apex)
    policy = settings.missing_apex if settings.apex == 'annotated' else settings.apex
    return middle_apex(source.numbers, source.onset, source.offset) if policy == 'middle' else None


def frames_to_take(source: ClipSource, apex: int, settings: FlowSettings) -> list[int]:
    """Return the numbers of the frames that the model sees, in ascending order."""
    if settings.flow == 'still':
        return [apex]
    return sample_frames(source.numbers, source.onset, apex, source.offset, settings.clip_len)


def pair_maps(
    frames: Mapping[int, np.ndarray], first: int, second: int, onset: int, settings: FlowSettings
) -> np.ndarray:
    """Return the maps of the motion between two frames, and the pictures of the second, (C, size, size) float16."""
    names = tuple(name for name in settings.channels if name not in PICTURES)
    maps = dict(zip(names, motion_maps(frames, first, second, names, settings), strict=True)) if names else {}
    if {*PICTURES} & {*settings.channels}:
        maps |= picture_maps(frames[onset], frames[second], settings.size)
    return np.stack([maps[name] for name in settings.channels]).astype(np.float16)


def motion_maps(
    frames: Mapping[int, np.ndarray], first: int, second: int, names: tuple[str, ...], settings: FlowSettings
) -> np.ndarray:
    """Return maps of the motion between two frames, (len(names), size, size) float16; 0 for a frame and itself."""
    if first == second:
        return np.zeros((len(names), settings.size, settings.size), np.float16)
    flow = compute_flow(frames[first], frames[second], settings.flow, settings.raft_weights)
    return flow_maps(flow, settings.size, names)


def picture_maps(onset: np.ndarray, frame: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Return `PICTURES` of a frame, each (size, size) float32 grey levels."""
    first, grey = (resize(picture.astype(np.float32), size) for picture in (onset, frame))
    return {'grey': grey, 'change': grey - first}


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
    u, v = (resize(part * (size / side), size) for part, side in zip(flow, (width, height), strict=True))
    u, v = (np.float32(np.float16(part)) + 0 for part in (u, v))  # as stored: all channels agree where nothing moves
    strain = resize(optical_strain(flow), size)
    maps = {'u': u, 'v': v, 'strain': strain}
    if {'magnitude', 'angle'} & {*channels}:
        maps |= {'magnitude': np.hypot(u, v), 'angle': np.arctan2(v, u)}
    return np.stack([maps[channel] for channel in channels]).astype(np.float16)


def resize(field: np.ndarray, size: int) -> np.ndarray:
    """Return a map averaged onto a square grid."""
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_AREA)


def store_parameters(
    table: pd.DataFrame, sources: list[ClipSource], settings: FlowSettings, faces: FaceSettings
) -> dict:
    """Return everything that decides the content of the store."""
    apex = apex_rule(table, settings)
    parameters = {
        'dataset': ', '.join(table['dataset'].unique()),
        'flow': settings.flow,
        'flow_parameters': flow_parameters(settings.flow, settings.raft_weights),
        'reference': settings.reference,
        'channels': list(settings.channels),
        'clip_len': settings.clip_len,
        'size': [settings.size, settings.size],
        'apex': apex,
        'faces': face_parameters(faces),
        'sampling': SAMPLING,
        'files': [
            [[number, digest_picture(path, DAMAGED_REMEDY)] for number, path in source.paths.items()]
            for source in track(sources, 'reading frames')
        ],
        'transforms': [source.face and source.face.row() for source in sources],
    }
    if any(is_deep(source.paths[source.onset]) for source in sources):
        parameters['levels'] = LEVELS
    if 'spotted' in apex:
        parameters['spotting_regions'] = {name: list(edges) for name, edges in SPOTTING_REGIONS.items()}
    return parameters


def apex_rule(table: pd.DataFrame, settings: FlowSettings) -> dict[str, int]:
    """Return {where the apex comes from: number of clips}: annotated, middle or spotted."""
    if settings.apex != 'annotated':
        return {settings.apex: len(table)}
    known = int(table['apex'].notna().sum())
    counts = {'annotated': known, settings.missing_apex: len(table) - known}
    return {source: number for source, number in counts.items() if number}
