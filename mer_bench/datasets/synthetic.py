"""A raw tree of procedural faces in the layout of SMIC-HS, with the true flow beside it.

A clip shows one face that moves by a known warp. A point X of the face at rest lies at time t at
`phi_t(X) = P_t(X + rest(X) + a(t) * move(X))`: `rest` is the clip's own resting pose, `move` the action units of its
emotion (about a pixel), `a(t)` rises from 0 at the onset to 1 at the apex and falls again, and P_t is the placement
of the head with its jitter. A frame is the face's texture sampled at the inverse of `phi_t`, found by fixed-point
steps; the true flow is `phi_apex(phi_onset^-1(x)) - x`, exact to 0.01 pixels (the rounding of cv2.remap).

`rest` is larger than `move` and made of the same action units: one frame says next to nothing about the emotion.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from mer_bench.datasets.procedural_face import FIELD_SCALE, HEIGHT, MARGIN, TEXTURE_SCALE, WIDTH, Face, draw_face
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError
from mer_bench.files import write_atomically, write_json

VERSION = 1  # of the pictures: raised when the same seed gives others

# The subject numbers of SMIC-HS, in an order that mixes one and two digits early.
SUBJECT_NUMBERS = (1, 3, 8, 11, 15, 20, 2, 4, 5, 6, 9, 12, 13, 14, 18, 19)
CLASS_CODES = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}

# Each combination of action units belongs to one emotion, though single units (1, 25) occur in two.
ACTION_UNITS = {
    'negative': ((4,), (4, 9), (15,), (4, 15), (1, 4, 15)),
    'positive': ((12,), (6, 12), (12, 25), (6, 12, 25)),
    'surprise': ((1, 2), (1, 2, 5), (1, 2, 25), (1, 2, 5, 26)),
}

# Positions (x, y) of the pixels.
PIXELS = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(np.float32)
CENTRE = np.float32([WIDTH / 2, HEIGHT / 2])
INVERSION_STEPS = 10
REST_SD = 1.3  # pixels, of each action unit in the resting pose
PLACEMENT_SD = np.array([2, 2, 0.02])  # pixels right and down, radians
JITTER_SD = np.array([0.1, 0.1, 0.0008])
NOISE_SD = 1.5  # grey levels
FLICKER_SD = 0.002  # of the light, from frame to frame


@dataclass(frozen=True)
class Clip:
    """What happens in one clip. Displacements are (rows, columns, 2) on the face's grid, in pixels."""

    rest: np.ndarray
    move: np.ndarray
    activation: np.ndarray  # (T,), share of `move`, 0 at the onset and 1 at the apex
    placement: np.ndarray  # (T, 3): shift right and down in pixels, rotation in radians
    first_frame: int
    action_units: tuple[int, ...]

    @property
    def apex(self) -> int:
        return int(self.activation.argmax())


def write_smic_tree(
    out: Path,
    *,
    subjects: int = 6,
    clips_per_subject: int = 9,
    seed: int = 0,
    cropped: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a raw tree of synthetic clips in the layout of SMIC-HS.

    The tree grows in `<out>.part`, where an interrupted call is continued, and is renamed to `out` when complete.

    Args:
        out: The folder to write; left alone if it already holds the tree of these parameters.
        subjects: The number of faces.
        clips_per_subject: The clips of each face, the three classes in turn.
        seed: The same seed gives the same files, byte for byte.
        cropped: Whether to name folders and frames as in SMIC_all_cropped or as in SMIC_all_raw.
        progress: Called with the clips done and the clips in all.
    """
    out = Path(out).absolute()
    parameters = _parameters(subjects, clips_per_subject, seed, cropped)
    if _is_complete(out, parameters):
        return
    part = out.with_name(out.name + '.part')
    _open_part(part, parameters)
    rows = []
    for index in range(subjects):
        for row in _write_subject(part, index, parameters):
            rows.append(row)
            if progress:
                progress(len(rows), subjects * clips_per_subject)
    with write_atomically(part / 'true_flow' / 'clips.csv') as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    os.rename(part, out)


def _parameters(subjects: int, clips_per_subject: int, seed: int, cropped: bool) -> dict:
    if subjects < 1 or clips_per_subject < 1 or seed < 0:
        raise InputError(
            'expected at least 1 subject, 1 clip per subject and a seed of 0 or more, '
            f'but got subjects={subjects}, clips_per_subject={clips_per_subject}, seed={seed}; change these numbers'
        )
    return {
        'synthetic': True,
        'like': 'smic',
        'version': VERSION,
        'seed': seed,
        'subjects': subjects,
        'clips_per_subject': clips_per_subject,
        'cropped': cropped,
    }


def _is_complete(out: Path, parameters: dict) -> bool:
    """Tell whether `out` already is this tree; it must not be anything else."""
    if not out.exists():
        return False
    _refuse_other_content(out, parameters)
    return (out / MARKER).exists()


def _open_part(part: Path, parameters: dict) -> None:
    """Start the unfinished tree or clear away what a killed call left half-written in it."""
    if part.exists():
        _refuse_other_content(part, parameters)
    for leftover in part.rglob('.*.tmp'):
        leftover.unlink()
    write_json(part / MARKER, parameters)


def _refuse_other_content(folder: Path, parameters: dict) -> None:
    marker = folder / MARKER
    if not folder.is_dir():
        raise InputError(f'{folder}: expected a folder to write to, but it is a file; choose another --out')
    if not marker.exists():
        leftovers = [path for path in folder.iterdir() if not path.name.startswith(f'.{MARKER}.')]
        if leftovers:
            raise InputError(
                f'{folder}: expected an empty folder or a synthetic tree, but it holds other files such as '
                f'{leftovers[0].name!r}; choose another --out'
            )
    elif (found := json.loads(marker.read_text())) != parameters:
        differing = ', '.join(f'{key}={found.get(key)}' for key in parameters if found.get(key) != parameters[key])
        raise InputError(
            f'{folder}: expected a synthetic tree of the same parameters, but it has {differing}; '
            'remove this folder or choose another --out'
        )


def _write_subject(root: Path, index: int, parameters: dict) -> Iterator[dict]:
    """Write the clips of one subject that are missing; yields a row of clips.csv for each of them all."""
    number = SUBJECT_NUMBERS[index] if index < len(SUBJECT_NUMBERS) else index + 5
    seed, n_clips = parameters['seed'], parameters['clips_per_subject']
    face = draw_face(_rng(seed, number, 0))
    folder, prefix = ('SMIC_all_cropped', 'reg_image') if parameters['cropped'] else ('SMIC_all_raw', 'image')
    subject_dir = root / folder / 'HS' / f's{number}'
    for position in range(n_clips):
        emotion = list(CLASS_CODES)[(index + position) % 3]
        name = f's{number}_{CLASS_CODES[emotion]}_{position // 3 + 1:02d}'
        rng = _rng(seed, number, position + 1)
        clip = _plan_clip(rng, face, emotion)
        true_flow = root / 'true_flow' / f'{name}.npy'
        if not true_flow.exists():
            _write_frames(subject_dir / 'micro' / emotion / name / prefix, face, clip, rng)
            _write_array(true_flow, _true_flow(clip))
        yield _row(name, clip, emotion)
    if index == 0:  # SMIC has clips without a movement too; readers ignore them
        rng = _rng(seed, number, n_clips + 1)
        still = _plan_clip(rng, face, None)
        _write_frames(subject_dir / 'non_micro' / f's{number}_non_01' / prefix, face, still, rng)


def _rng(seed: int, subject: int, clip: int) -> np.random.Generator:
    """Give each clip its own stream, so that it does not matter which clips were written before it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(subject, clip)))


def _row(name: str, clip: Clip, emotion: str) -> dict:
    return {
        'clip': name,
        'onset': clip.first_frame,
        'apex': clip.first_frame + clip.apex,
        'offset': clip.first_frame + len(clip.activation) - 1,
        'action_units': '+'.join(map(str, clip.action_units)),
        'emotion': emotion,
    }


def _write_frames(prefix: Path, face: Face, clip: Clip, rng: np.random.Generator) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(_render(face, clip, rng), start=clip.first_frame):
        Path(f'{prefix}{number}.bmp').write_bytes(cv2.imencode('.bmp', frame)[1].tobytes())


def _write_array(path: Path, array: np.ndarray) -> None:
    with write_atomically(path) as temporary, open(temporary, 'wb') as file:
        np.save(file, array)


def _plan_clip(rng: np.random.Generator, face: Face, emotion: str | None) -> Clip:
    """Draw pose, action units, timing and jitter of a clip; without an emotion nothing but the head moves."""
    variants = ACTION_UNITS[emotion] if emotion else ((),)
    action_units = variants[rng.integers(len(variants))]
    poses = {unit: np.clip(rng.normal(0, REST_SD), -2.5, 2.5) for unit in face.fields}
    strengths = {unit: rng.uniform(0.55, 0.95) for unit in action_units}
    n_frames = int(rng.integers(16, 25))
    return Clip(
        rest=_mix(rng, face, poses),
        move=_mix(rng, face, strengths),
        activation=_activation(rng, n_frames),
        placement=rng.normal(0, PLACEMENT_SD, 3) + _jitter(rng, n_frames),
        first_frame=int(rng.integers(1_000, 990_000)),
        action_units=action_units,
    )


def _mix(rng: np.random.Generator, face: Face, strengths: dict[int, float]) -> np.ndarray:
    """Add up action units, each a little stronger on one side of the face."""
    field = np.zeros(face.fields[1].shape[1:], np.float32)
    for unit, strength in strengths.items():
        imbalance = rng.uniform(-0.15, 0.15)
        left, right = face.fields[unit]
        field += np.float32(strength * (1 + imbalance)) * left + np.float32(strength * (1 - imbalance)) * right
    return field


def _activation(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Rise and fall along squared sines; up to a fifth of the movement is left at the offset."""
    apex = round(rng.uniform(0.35, 0.65) * (n_frames - 1))
    left_over = rng.uniform(0, 0.2)
    time = np.arange(n_frames)
    rise = np.sin(np.pi / 2 * time / apex) ** 2
    fall = left_over + (1 - left_over) * np.cos(np.pi / 2 * (time - apex) / (n_frames - 1 - apex)) ** 2
    return np.where(time <= apex, rise, fall)


def _jitter(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Smooth head movement, (T, 3) as in `Clip.placement`."""
    smooth = gaussian_filter1d(rng.standard_normal((n_frames, 3)), sigma=4, axis=0, mode='wrap')
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * 4) * JITTER_SD  # the root undoes the filter's loss of variance


def _render(face: Face, clip: Clip, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the frames, (H, W) uint8, with flickering light and sensor noise."""
    light = rng.normal(1, 0.05)
    for time in range(len(clip.activation)):
        points = (_material_points(clip, time) + MARGIN) * TEXTURE_SCALE
        picture = cv2.remap(face.texture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        noise = rng.standard_normal(picture.shape, np.float32) * NOISE_SD
        gain = light * rng.normal(1, FLICKER_SD)
        yield np.clip(np.round(picture * gain + noise), 0, 255).astype(np.uint8)


def _true_flow(clip: Clip) -> np.ndarray:
    """Return how far each pixel of the onset frame has moved at the apex, right and down; (2, H, W) float16."""
    points = _material_points(clip, 0)
    moved = points + _sample(_displacement(clip, clip.apex), points)
    flow = _place(moved, clip.placement[clip.apex]) - PIXELS
    return flow.transpose(2, 0, 1).astype(np.float16)


def _material_points(clip: Clip, time: int) -> np.ndarray:
    """Invert `phi_t` at every pixel, (H, W, 2). The displacement's slope is at most about 0.5: the steps contract."""
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
