"""Reading the frames of a clip, choosing its apex and the frames a model sees."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.optical_flow import compute_flow

SAMPLING = (
    'the apex alone for clip_len 1, else clip_len frames whose positions run evenly from onset (left out) over apex to '
    'offset, each rounded to the nearest frame (version 1)'
)


def read_frames(paths: dict[int, Path]) -> dict[int, np.ndarray]:
    """Read all pictures of a clip, {frame number: (H, W) uint8 grey}; they must have one size."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the error below says it in one sentence
    frames = {}
    for number, path in paths.items():
        frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if frame is None:
            raise InputError(f'{path}: expected a picture, it cannot be read; restore the file or remove it')
        frames[number] = frame
    first, *others = paths
    for number in others:
        if frames[number].shape != frames[first].shape:
            raise InputError(
                f'{paths[number]}: expected {size_text(frames[first])} pixels as in {paths[first].name}, found '
                f'{size_text(frames[number])}; all pictures of a clip need one size'
            )
    return frames


def size_text(picture: np.ndarray) -> str:
    """Return width x height as text."""
    return f'{picture.shape[1]}x{picture.shape[0]}'


def nearest(numbers: Sequence[int], position: float) -> int:
    """Return the frame number nearest to `position`, the smaller one of two equally near."""
    return min(numbers, key=lambda number: (abs(number - position), number))


def choose_apex(frames: dict[int, np.ndarray], onset: int, offset: int, policy: str) -> int:
    """Return the apex of a clip without apex label; never the onset.

    `middle` is the frame nearest to the middle of onset and offset, `spotted` the one with the largest mean motion
    since the onset (DIS flow).
    """
    candidates = [number for number in frames if onset < number <= offset]
    if policy == 'middle':
        return nearest(candidates, (onset + offset) / 2)
    return max(candidates, key=lambda number: mean_motion(frames[onset], frames[number]))


def mean_motion(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean length of the motion between two frames in pixels."""
    return float(np.hypot(*compute_flow(first, second, 'dis')).mean())


def sample_frames(numbers: Sequence[int], onset: int, apex: int, offset: int, clip_len: int) -> list[int]:
    """Return the `clip_len` frame numbers a model sees, as `SAMPLING` says."""
    if clip_len == 1:
        return [apex]
    positions = np.interp(2 * np.arange(1, clip_len + 1) / clip_len, [0, 1, 2], [onset, apex, offset])
    return [nearest(numbers, position) for position in positions]
