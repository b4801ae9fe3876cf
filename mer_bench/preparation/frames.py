"""Reading the frames of a clip, choosing its apex and the frames a model sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.optical_flow import compute_flow

SAMPLING = (
    'the apex alone for clip_len 1, else clip_len frames whose positions run evenly from onset (left out) over apex to '
    'offset, each rounded to the nearest frame (version 1)'
)
DAMAGED_REMEDY = 'restore it, or leave such clips out with --skip-damaged'
# Where an apex is spotted: eyes with brows, and mouth, the regions of Liong et al. ("Automatic apex frame spotting in
# micro-expression database", ACPR 2015). They find them by landmarks; ours are fixed shares of a cropped face,
# (top, bottom, left, right).
SPOTTING_REGIONS = {'eyes and brows': (0.12, 0.45, 0.1, 0.9), 'mouth': (0.6, 0.92, 0.2, 0.8)}

# A decoder fills what is missing of a cut off JPEG with grey. Its last two bytes cannot occur in the coded picture,
# where FF is followed by 00; some programs write a little behind them.
START_OF_JPEG, END_OF_JPEG, JPEG_TAIL = b'\xff\xd8', b'\xff\xd9', 1024


def read_frames(paths: dict[int, Path]) -> dict[int, np.ndarray]:
    """Read pictures of a clip, colour or grey, {frame number: (H, W) uint8 grey}; they must have one size."""
    frames = {number: read_frame(path) for number, path in paths.items()}
    first = next(iter(paths))
    for number, path in paths.items():
        check_size(path, frames[number], paths[first], frames[first])
    return frames


def read_frame(path: Path) -> np.ndarray:
    """Read a picture, colour or grey, (H, W) uint8 grey."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the errors below say it in one sentence
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f'{path}: expected a picture, it cannot be read ({error.strerror}); {DAMAGED_REMEDY}'
        ) from error
    if content.startswith(START_OF_JPEG) and END_OF_JPEG not in content[-JPEG_TAIL:]:
        raise InputError(f'{path}: the picture is cut off; {DAMAGED_REMEDY}')
    frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
    if frame is None:
        raise InputError(f'{path}: expected a picture, it cannot be read; {DAMAGED_REMEDY}')
    return frame


def check_size(path: Path, frame: np.ndarray, first_path: Path, first: np.ndarray) -> None:
    """Refuse a picture that has not the size of the clip's first."""
    if frame.shape != first.shape:
        raise InputError(
            f'{path}: expected {size_text(first)} pixels as in {first_path.name}, found {size_text(frame)}; all '
            'pictures of a clip need one size'
        )


def size_text(picture: np.ndarray) -> str:
    """Return width x height as text."""
    return f'{picture.shape[1]}x{picture.shape[0]}'


def nearest(numbers: Sequence[int], position: float) -> int:
    """Return the frame number nearest to `position`, the smaller one of two equally near."""
    return min(numbers, key=lambda number: (abs(number - position), number))


def middle_apex(numbers: Sequence[int], onset: int, offset: int) -> int:
    """Return the frame nearest to the middle of onset and offset; never the onset."""
    return nearest([number for number in numbers if onset < number <= offset], (onset + offset) / 2)


def spotted_apex(frames: Mapping[int, np.ndarray], onset: int, offset: int) -> int:
    """Return the frame with the largest mean motion since the onset in `SPOTTING_REGIONS`; never the onset.

    Args:
        frames: {frame number: (H, W) uint8} of a cropped face; taken one after the other.
        onset: the frame to measure from.
        offset: the last frame that counts.
    """
    candidates = [number for number in frames if onset < number <= offset]
    return max(candidates, key=lambda number: regional_motion(frames[onset], frames[number]))


def regional_motion(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean length of the motion (DIS flow) inside `SPOTTING_REGIONS` in pixels."""
    length = np.hypot(*compute_flow(first, second, 'dis'))
    return float(length[spotting_mask(length.shape)].mean())


def spotting_mask(shape: tuple[int, int]) -> np.ndarray:
    """Return where `SPOTTING_REGIONS` lie in a picture of this shape, (H, W) bool."""
    mask = np.zeros(shape, bool)
    height, width = shape
    for top, bottom, left, right in SPOTTING_REGIONS.values():
        mask[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    return mask


def sample_frames(numbers: Sequence[int], onset: int, apex: int, offset: int, clip_len: int) -> list[int]:
    """Return the `clip_len` frame numbers a model sees, as `SAMPLING` says."""
    if clip_len == 1:
        return [apex]
    positions = np.interp(2 * np.arange(1, clip_len + 1) / clip_len, [0, 1, 2], [onset, apex, offset])
    return [nearest(numbers, position) for position in positions]
