"""One clip of a procedural face: what moves and when, its frames and its true flow.

A clip shows one face that moves by a known warp. A point X of the face at rest is at time t at
`phi_t(X) = P_t(X + rest(X) + sum_k a_k(t) * move_k(X))`: `rest` is the clip's own resting pose, the movements are those
of the list below, and P_t is the placement of the head with its jitter. A frame is the face's texture sampled at the
inverse of `phi_t`, found by fixed-point steps; the true flow is `phi_apex(phi_onset^-1(x)) - x`, exact to 0.02 pixels
(the rounding of cv2.remap).

- **The expression**: the action units of the emotion, some fine and some broad. They rise from the onset and fall.
- **The mask**, in a share `MASKED` of the clips: the action units of another emotion follow, as if to hide the first.
  Both time courses are mirror images about the apex, with strengths from one range: a method that does not know
  which came first can only guess between the two.
- **A drift**: a broad, smooth movement of the whole face without meaning, as in speech.
- **A blink**, in a share `BLINKS` of the clips: fine, quick, and without meaning too.

`rest` is larger than the expression and made of the same action units: one frame reveals almost nothing about the
emotion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from mer_bench.datasets.synthetic.face import FIELD_SCALE, HEIGHT, MARGIN, TEXTURE_SCALE, WIDTH, Face
from mer_bench.datasets.synthetic.units import BLINK, split_unit

# Positions (x, y) of the pixels.
PIXELS = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(np.float32)
CENTRE = np.float32([WIDTH / 2, HEIGHT / 2])
INVERSION_STEPS = 10
REST_SD = 1.3  # pixels, of each action unit in the resting pose where there are ten of them
PLACEMENT_SD = np.array([2, 2, 0.02])  # pixels right and down, radians
JITTER_SD = np.array([0.1, 0.1, 0.0008])
NOISE_SD = 1.5  # grey levels
FLICKER_SD = 0.002  # of the light, from frame to frame
STRENGTH = (0.6, 1.0)  # pixels, of each action unit
MASKED = 0.5  # share of the clips
MASK_PEAK = 0.75  # of the first of two expressions, as a share of the way from onset to apex
BLINKS = 0.25  # share of the clips
DRIFT_SD = 0.1  # pixels
DRIFT_GRAIN = 40  # pixels


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
class Movement:
    """Displacements (rows, columns, 2) on the face's grid, in pixels, and the share of them at each frame, (T,)."""

    field: np.ndarray
    activation: np.ndarray


@dataclass(frozen=True)
class Clip:
    """What happens in one clip."""

    rest: np.ndarray  # as the field of a movement
    movements: tuple[Movement, ...]
    placement: np.ndarray  # (T, 3): shift right and down in pixels, rotation in radians
    first_frame: int
    lead: int
    rise: int  # frames from onset to apex
    action_units: tuple[str, ...]  # of the expression
    mask: str = ''  # combination of the expression that follows

    @property
    def onset(self) -> int:
        return self.first_frame + self.lead

    @property
    def apex(self) -> int:
        return self.onset + self.rise

    @property
    def offset(self) -> int:
        return self.first_frame + len(self.placement) - 1 - self.lead


def plan_clip(
    rng: np.random.Generator,
    face: Face,
    combinations: Sequence[str],
    masks: Sequence[str],
    rest_units: Sequence[int],
    timing: Timing,
    strength: float = 1,
) -> Clip:
    """Draw pose, movements, timing and jitter of a clip.

    Args:
        rng: the clip's own stream.
        face: of the subject.
        combinations: of action units, such as '4+L10'; one of them is drawn. '' means no expression.
        masks: combinations of other emotions, one of which may follow.
        rest_units: the action units of the resting pose.
        timing: how long it lasts, and how its frames are numbered.
        strength: of the expressions, as a share of the usual one.
    """
    combination = combinations[rng.integers(len(combinations))]
    spread = REST_SD * np.sqrt(10 / len(rest_units))
    poses = {str(unit): np.clip(rng.normal(0, spread), -2.5, 2.5) for unit in rest_units}
    length = int(rng.integers(*timing.length))
    rise = round(rng.uniform(0.35, 0.65) * (length - 1))
    phase = _phase(length, rise)
    movements = [Movement(_drift(rng, face), _bump(phase, rng.uniform(0.5, 1.5), 1))]
    if rng.random() < BLINKS:
        movements.append(
            Movement(_mix(rng, face, {BLINK: rng.uniform(0.5, 1)}), _bump(phase, rng.uniform(0.3, 1.7), 0.3))
        )
    mask = str(rng.choice(masks)) if combination and masks and rng.random() < MASKED else ''
    peaks = {combination: MASK_PEAK, mask: 2 - MASK_PEAK} if mask else {combination: 1} if combination else {}
    for units, peak in peaks.items():
        strengths = {unit: strength * rng.uniform(*STRENGTH) for unit in units.split('+')}
        movements.append(Movement(_mix(rng, face, strengths), _bump(phase, peak, MASK_PEAK if mask else 1)))
    return Clip(
        rest=_mix(rng, face, poses),
        movements=tuple(Movement(m.field, np.pad(m.activation, timing.lead, mode='edge')) for m in movements),
        placement=rng.normal(0, PLACEMENT_SD, 3) + _jitter(rng, length + 2 * timing.lead),
        first_frame=int(rng.integers(*timing.first)),
        lead=timing.lead,
        rise=rise,
        action_units=tuple(combination.split('+')) if combination else (),
        mask=mask,
    )


def render(face: Face, clip: Clip, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the frames, (H, W) uint8, with flickering light and sensor noise."""
    light = rng.normal(1, 0.05)
    for time in range(len(clip.placement)):
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


def _drift(rng: np.random.Generator, face: Face) -> np.ndarray:
    rows, columns, _ = face.fields[1].shape[1:]
    coarse = rng.normal(
        0, DRIFT_SD, (rows // (DRIFT_GRAIN * FIELD_SCALE) + 2, columns // (DRIFT_GRAIN * FIELD_SCALE) + 2, 2)
    )
    return cv2.resize(coarse.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)


def _phase(length: int, rise: int) -> np.ndarray:
    """Return the time of each frame: 0 at the onset, 1 at the apex, 2 at the offset; (length,)."""
    return np.interp(np.arange(length), (0, rise, length - 1), (0, 1, 2))


def _bump(phase: np.ndarray, peak: float, width: float) -> np.ndarray:
    """Rise and fall along a squared cosine: 1 at `peak`, 0 where the phase is `width` or more away from it."""
    return np.cos(np.pi / 2 * np.clip((phase - peak) / width, -1, 1)) ** 2


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
    return clip.rest + sum(np.float32(m.activation[time]) * m.field for m in clip.movements)


def _sample(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.remap(field, (points + MARGIN) * FIELD_SCALE, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _place(points: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """Turn about the middle of the picture, then shift."""
    return (points - CENTRE) @ _rotation(placement[2]).T + CENTRE + placement[:2].astype(np.float32)


def _unplace(points: np.ndarray, placement: np.ndarray) -> np.ndarray:
    return (points - placement[:2].astype(np.float32) - CENTRE) @ _rotation(placement[2]) + CENTRE


def _rotation(angle: float) -> np.ndarray:
    return np.float32([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
