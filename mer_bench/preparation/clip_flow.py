"""One clip: its frames -> the (3, T, size, size) array that the store keeps."""

from pathlib import Path

import cv2
import numpy as np

from mer_bench.preparation.frames import choose_apex, read_frames, sample_frames
from mer_bench.preparation.optical_flow import compute_flow, optical_strain
from mer_bench.preparation.settings import FlowSettings

UNITS = (
    'u (to the right) and v (downwards) in pixels of the stored grid from the onset to the sampled frame; optical '
    'strain without unit, computed per pixel of the frame'
)
STILL_UNITS = 'a control: u and v are 0, in place of strain the apex frame, grey / 255 - 0.5, alike at every time'


def clip_flow(
    paths: dict[int, Path], onset: int, apex: int | None, offset: int, settings: FlowSettings
) -> tuple[np.ndarray, int]:
    """Return the clip's array, (3, T, size, size) float16, and its apex (chosen if `apex` is None)."""
    frames = read_frames(paths)
    if apex is None:
        apex = choose_apex(frames, onset, offset, settings.apex)
    if settings.flow == 'still':
        return np.repeat(still_maps(frames[apex], settings.size)[:, None], settings.clip_len, axis=1), apex
    numbers = sample_frames(list(frames), onset, apex, offset, settings.clip_len)
    maps = {number: frame_maps(frames, onset, number, settings) for number in set(numbers)}
    return np.stack([maps[number] for number in numbers], axis=1), apex


def frame_maps(frames: dict[int, np.ndarray], onset: int, number: int, settings: FlowSettings) -> np.ndarray:
    """Return the three maps of one sampled frame, (3, size, size) float16."""
    if number == onset:
        return np.zeros((3, settings.size, settings.size), np.float16)
    return flow_maps(compute_flow(frames[onset], frames[number], settings.flow), settings.size)


def still_maps(frame: np.ndarray, size: int) -> np.ndarray:
    """Return one picture as (3, size, size) float16, in the channel that a mirrored clip does not negate."""
    grey = resize(frame / np.float32(255) - np.float32(0.5), size)
    return np.stack([np.zeros_like(grey), np.zeros_like(grey), grey]).astype(np.float16)


def flow_maps(flow: np.ndarray, size: int) -> np.ndarray:
    """Return u, v in pixels of the `size` x `size` grid and strain, (3, size, size) float16.

    Args:
        flow: (2, H, W) float32 in pixels of the frame.
        size: height and width to store.
    """
    height, width = flow.shape[1:]
    u, v = flow[0] * (size / width), flow[1] * (size / height)
    return np.stack([resize(u, size), resize(v, size), resize(optical_strain(flow), size)]).astype(np.float16)


def resize(field: np.ndarray, size: int) -> np.ndarray:
    """Return a map averaged onto a square grid."""
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_AREA)
