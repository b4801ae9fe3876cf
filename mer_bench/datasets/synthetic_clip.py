"""One clip of a procedural face: what moves and when, its frames and its true flow.

A clip shows one face that moves by a known warp. A point X of the face at rest lies at time t at
`phi_t(X) = P_t(X + rest(X) + a(t) * move(X))`: `rest` is the clip's own resting pose, `move` the action units of its
emotion (about a pixel), `a(t)` rises from 0 at the onset to 1 at the apex and falls again, and P_t is the placement
of the head with its jitter. A frame is the face's texture sampled at the inverse of `phi_t`, found by fixed-point
steps; the true flow is `phi_apex(phi_onset^-1(x)) - x`, exact to 0.02 pixels (the rounding of cv2.remap).

`rest` is larger than `move` and made of the same action units: one frame says next to nothing about the emotion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from mer_bench.datasets.procedural_face import FIELD_SCALE, HEIGHT, MARGIN, TEXTURE_SCALE, WIDTH, Face
from mer_bench.datasets.synthetic_units import split_unit

# Positions (x, y) of the pixels.
PIXELS = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(np.float32)
CENTRE = np.float32([WIDTH / 2, HEIGHT / 2])
INVERSION_STEPS = 10
REST_SD = 1.3  # pixels, of each action unit in the resting pose where there are ten of them
PLACEMENT_SD = np.array([2, 2, 0.02])  # pixels right and down, radians
JITTER_SD = np.array([0.1, 0.1, 0.0008])
NOISE_SD = 1.5  # grey levels
FLICKER_SD = 0.002  # of the light, from frame to frame


@dataclass(frozen=True)
class Timing:
    """The frame numbers that clips of a data set have; the end of a range is not in it.

    Attributes:
        length: range of the number of frames from onset to offset.
        first: range of the number of the first file.
        lead: frames of the video before the onset and after the offset.
    """

    length: tuple[int, int] = (16, 25)
    first: tuple[int, int] = (20, 150)
    lead: int = 0


@dataclass(frozen=True)
class Clip:
    """What happens in one clip. Displacements are (rows, columns, 2) on the face's grid, in pixels."""

    rest: np.ndarray
    move: np.ndarray
    activation: np.ndarray  # (T,), share of `move`, 0 at the onset and 1 at the apex
    placement: np.ndarray  # (T, 3): shift right and down in pixels, rotation in radians
    first_frame: int
    lead: int
    action_units: tuple[str, ...]

    @property
    def onset(self) -> int:
        return self.first_frame + self.lead

    @property
    def apex(self) -> int:
        return self.first_frame + int(self.activation.argmax())

    @property
    def offset(self) -> int:
        return self.first_frame + len(self.activation) - 1 - self.lead


def plan_clip(
    rng: np.random.Generator,
    face: Face,
    combinations: Sequence[str],
    rest_units: Sequence[int],
    timing: Timing,
) -> Clip:
    """Draw pose, action units, timing and jitter of a clip.

    Args:
        rng: the clip's own stream.
        face: of the subject.
        combinations: of action units, such as '4+L10', of which one moves; with '' nothing but the head does.
        rest_units: the action units of the resting pose.
        timing: how long it lasts, and how its frames are numbered.
    """
    combination = combinations[rng.integers(len(combinations))]
    action_units = tuple(combination.split('+')) if combination else ()
    spread = REST_SD * np.sqrt(10 / len(rest_units))
    poses = {str(unit): np.clip(rng.normal(0, spread), -2.5, 2.5) for unit in rest_units}
    strengths = {unit: rng.uniform(0.55, 0.95) for unit in action_units}
    length = int(rng.integers(*timing.length))
    return Clip(
        rest=_mix(rng, face, poses),
        move=_mix(rng, face, strengths),
        activation=np.pad(_activation(rng, length), timing.lead, mode='edge'),
        placement=rng.normal(0, PLACEMENT_SD, 3) + _jitter(rng, length + 2 * timing.lead),
        first_frame=int(rng.integers(*timing.first)),
        lead=timing.lead,
        action_units=action_units,
    )


def render(face: Face, clip: Clip, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the frames, (H, W) uint8, with flickering light and sensor noise."""
    light = rng.normal(1, 0.05)
    for time in range(len(clip.activation)):
        points = (_material_points(clip, time) + MARGIN) * TEXTURE_SCALE
        picture = cv2.remap(face.texture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        noise = rng.standard_normal(picture.shape, np.float32) * NOISE_SD
        gain = light * rng.normal(1, FLICKER_SD)
        yield np.clip(np.round(picture * gain + noise), 0, 255).astype(np.uint8)


def true_flow(clip: Clip) -> np.ndarray:
    """Return how far each pixel of the onset frame has moved at the apex, right and down; (2, H, W) float16."""
    apex = clip.apex - clip.first_frame
    points = _material_points(clip, clip.lead)
    moved = points + _sample(_displacement(clip, apex), points)
    flow = _place(moved, clip.placement[apex]) - PIXELS
    return flow.transpose(2, 0, 1).astype(np.float16)


def _mix(rng: np.random.Generator, face: Face, strengths: dict[str, float]) -> np.ndarray:
    """Add up action units, each a little stronger on one side of the face; L12 and R12 move that side alone."""
    field = np.zeros(face.fields[1].shape[1:], np.float32)
    for name, strength in strengths.items():
        side, unit = split_unit(name)
        imbalance = rng.uniform(-0.15, 0.15)
        right, left = {'R': (1, 0), 'L': (0, 1), '': (1 + imbalance, 1 - imbalance)}[side]
        picture_left, picture_right = face.fields[unit]  # the person's right and left
        field += np.float32(strength * right) * picture_left + np.float32(strength * left) * picture_right
    return field


def _activation(rng: np.random.Generator, length: int) -> np.ndarray:
    """Rise and fall along squared sines; up to a fifth of the movement is left at the offset."""
    apex = round(rng.uniform(0.35, 0.65) * (length - 1))
    left_over = rng.uniform(0, 0.2)
    time = np.arange(length)
    rise = np.sin(np.pi / 2 * time / apex) ** 2
    fall = left_over + (1 - left_over) * np.cos(np.pi / 2 * (time - apex) / (length - 1 - apex)) ** 2
    return np.where(time <= apex, rise, fall)


def _jitter(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Smooth head movement, (T, 3) as in `Clip.placement`."""
    smooth = gaussian_filter1d(rng.standard_normal((n_frames, 3)), sigma=4, axis=0, mode='wrap')
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * 4) * JITTER_SD  # the root undoes the filter's loss of variance


def _material_points(clip: Clip, time: int) -> np.ndarray:
    """Invert `phi_t` at every pixel, (H, W, 2). The displacement's slope is at most about 0.6: the steps contract."""
    displacement = _displacement(clip, time)
    target = _unplace(PIXELS, clip.placement[time])
    points = target
    for _ in range(INVERSION_STEPS):
        points = target - _sample(displacement, points)
    return points


def _displacement(clip: Clip, time: int) -> np.ndarray:
    return clip.rest + np.float32(clip.activation[time]) * clip.move


def _sample(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.remap(field, (points + MARGIN) * FIELD_SCALE, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _place(points: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """Turn about the middle of the picture, then shift."""
    return (points - CENTRE) @ _rotation(placement[2]).T + CENTRE + placement[:2].astype(np.float32)


def _unplace(points: np.ndarray, placement: np.ndarray) -> np.ndarray:
    return (points - placement[:2].astype(np.float32) - CENTRE) @ _rotation(placement[2]) + CENTRE


def _rotation(angle: float) -> np.ndarray:
    return np.float32([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
