"""Reading the frames of a clip, choosing its apex and the frames a model sees."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mer_bench.datasets.clip_row import nearest
from mer_bench.errors import InputError
from mer_bench.preparation.flow.optical_flow import compute_flow
from mer_bench.preparation.pictures import read_picture

SAMPLING = (
    'the apex alone for clip_len 1, else clip_len frames whose positions run evenly from onset (left out) over apex to '
    'offset, each rounded to the nearest frame (version 1)'
)
DAMAGED_REMEDY = 'restore it, or leave such clips out with --skip-damaged'
# Where an apex is spotted: eyes with brows, and mouth, the regions of Liong et al. ("Automatic apex frame spotting in
# micro-expression database", ACPR 2015). They find them by landmarks; ours are fixed shares of a cropped face,
# (top, bottom, left, right).
SPOTTING_REGIONS = {'eyes and brows': (0.12, 0.45, 0.1, 0.9), 'mouth': (0.6, 0.92, 0.2, 0.8)}

# What becomes of 16-bit pictures. Cameras fill 10 or 12 of the 16 bits, and OpenCV would keep the upper 8 alone. The
# steps of two bits match cameras: all clips of one camera get one scale, that of its 8-bit pictures.
DEPTHS, FEWEST_LEVELS = (8, 10, 12, 14, 16), 32
LEVELS = (
    'one scale for all frames of a clip of 16-bit pictures: its brightest level from onset to offset is taken to fill '
    f'{", ".join(map(str, DEPTHS))} bits, of which the upper 8 are kept; where that leaves fewer than {FEWEST_LEVELS} '
    'levels, the darkest level is taken off first, and the upper 8 bits of the rest are kept (version 1)'
)


def read_frames(paths: dict[int, Path]) -> dict[int, np.ndarray]:
    """Read pictures of a clip, {frame number: (H, W) grey, uint8 or uint16}; they must be of one size and depth."""
    frames = {number: read_levels(path) for number, path in paths.items()}
    first = next(iter(paths))
    for number, path in paths.items():
        check_alike(path, frames[number], paths[first], frames[first])
    return frames


def read_frame(path: Path) -> np.ndarray:
    """Read a single picture, (H, W) uint8 grey."""
    picture = read_levels(path)
    return picture if picture.dtype == np.uint8 else scale_of(level_range([picture]))[picture]


def read_levels(path: Path) -> np.ndarray:
    """Read a picture, colour or grey, (H, W) grey, uint8 or uint16."""
    return read_picture(path, remedy=DAMAGED_REMEDY)


def level_range(pictures: Iterable[np.ndarray]) -> tuple[int, int]:
    """Return the lowest and the highest level of pictures."""
    lows, highs = zip(*((int(picture.min()), int(picture.max())) for picture in pictures), strict=True)
    return min(lows), max(highs)


def scale_of(levels: tuple[int, int]) -> np.ndarray:
    """Return what each level of 16 bits becomes, (65536,) uint8, where these are the lowest and the highest."""
    low, high = levels
    bits = next(bits for bits in DEPTHS if high < 1 << bits)
    if high > 255 and (high - low) >> (bits - 8) < FEWEST_LEVELS:
        bits = max(8, (high - low).bit_length())
    else:
        low = 0
    above = np.clip(np.arange(1 << 16) - low, 0, None)
    return np.minimum(above >> (bits - 8), 255).astype(np.uint8)


def check_alike(path: Path, frame: np.ndarray, first_path: Path, first: np.ndarray) -> None:
    """Refuse a picture that differs in size or depth from the first one of its clip."""
    found, expected = (
        {'size': f'{width}x{height} pixels', 'depth': f'{8 * picture.itemsize} bits'}
        for picture in (frame, first)
        for height, width in [picture.shape]
    )
    for kind in found:
        if found[kind] != expected[kind]:
            raise InputError(
                f'{path}: expected {expected[kind]} as in {first_path.name}, found {found[kind]}; all pictures of a '
                f'clip need one {kind}'
            )


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
    """Return where `SPOTTING_REGIONS` are in a picture of this shape, (H, W) bool."""
    mask = np.zeros(shape, bool)
    height, width = shape
    for top, bottom, left, right in SPOTTING_REGIONS.values():
        mask[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    return mask


def sample_frames(numbers: Sequence[int], onset: int, apex: int, offset: int, clip_len: int) -> list[int]:
    """Return the `clip_len` frame numbers a model sees, by the rule in `SAMPLING`."""
    if clip_len == 1:
        return [apex]
    positions = np.interp(2 * np.arange(1, clip_len + 1) / clip_len, [0, 1, 2], [onset, apex, offset])
    return [nearest(numbers, position) for position in positions]
