"""Schematic faces: landmarks, a neutral picture and the displacement fields of facial action units.

Action units are those of the Facial Action Coding System (Ekman, Friesen and Hager 2002). Lengths are in picture
pixels, x to the right and y down. A face at rest is a little larger than the picture: it begins at (-MARGIN, -MARGIN).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

HEIGHT, WIDTH = 170, 140
MARGIN = 14  # skin beyond the picture: neither placement nor movement uncovers an edge
TEXTURE_SCALE = 4  # texture points per pixel
FIELD_SCALE = 2  # displacement field points per pixel; cv2.remap rounds positions to 1/32 of a point

# Mean face: distance from the midline and height of each landmark pair.
MEAN_LANDMARKS = {
    'brow_inner': (13, 56),
    'brow_outer': (40, 54),
    'eye': (27, 71),
    'upper_lid': (27, 66),
    'cheek': (33, 98),
    'nose_wing': (10, 104),
    'upper_lip': (7, 124),
    'mouth_corner': (21, 129),
    'lower_lip': (7, 135),
    'chin': (8, 152),
}

# What each action unit moves: landmark pair, direction (outward, down), Gaussian widths (across, down).
ACTION_UNIT_BUMPS = {
    1: [('brow_inner', (0, -1), (8, 8))],
    2: [('brow_outer', (0, -1), (11, 9))],
    4: [('brow_inner', (-0.6, 0.8), (8, 7))],
    5: [('upper_lid', (0, -1), (8, 5))],
    6: [('cheek', (0, -1), (17, 13))],
    7: [('lower_lid', (0, -1), (8, 5)), ('upper_lid', (0, 0.3), (8, 5))],
    9: [('nose_wing', (0, -1), (5, 6))],
    10: [('upper_lip', (0, -1), (7, 5))],
    12: [('mouth_corner', (0.7, -0.7), (11, 10))],
    14: [('mouth_corner', (-1, 0), (5, 5))],
    15: [('mouth_corner', (0.1, 1), (6, 6))],
    17: [('chin', (0, -1), (14, 12)), ('lower_lip', (0, -0.6), (10, 7))],
    20: [('mouth_corner', (1, 0.15), (12, 9))],
    25: [('lower_lip', (0, 1), (8, 5)), ('upper_lip', (0, -0.4), (8, 5))],
    26: [('chin', (0, 1), (20, 18)), ('lower_lip', (0, 0.5), (10, 7))],
    45: [('upper_lid', (0, 1), (9, 5)), ('lower_lid', (0, -0.3), (9, 5))],
}


@dataclass(frozen=True)
class Face:
    """One subject at rest.

    Attributes:
        texture: (rows, columns) float32 grey levels, `TEXTURE_SCALE` points per pixel.
        fields: action unit -> (2, rows, columns, 2) float32, `FIELD_SCALE` points per pixel: the displacement (x, y)
            of the left and of the right half of the face; both together peak at one pixel.
    """

    texture: np.ndarray
    fields: dict[int, np.ndarray]


def draw_face(rng: np.random.Generator) -> Face:
    """Draw the geometry, skin and light of one subject."""
    midline = WIDTH / 2 + rng.normal(0, 1)
    landmarks = _draw_landmarks(rng)
    fields = {unit: _action_unit_field(unit, landmarks, midline) for unit in ACTION_UNIT_BUMPS}
    return Face(_draw_texture(rng, landmarks, midline), fields)


def _draw_landmarks(rng: np.random.Generator) -> dict[str, np.ndarray]:
    stretch = rng.normal(1, 0.04, 2)
    centre = np.array([0, 90])
    landmarks = {
        name: centre + (np.array(mean) - centre) * stretch + rng.normal(0, 1.2, 2)
        for name, mean in MEAN_LANDMARKS.items()
    }
    landmarks['upper_lid'] = landmarks['eye'] - (0, 5)
    landmarks['lower_lid'] = landmarks['eye'] + (0, 5)
    return landmarks


def _action_unit_field(unit: int, landmarks: dict, midline: float) -> np.ndarray:
    """Sum the Gaussian bumps of an action unit; one entry of `Face.fields`."""
    grid = _grid(FIELD_SCALE)
    columns, rows = grid[0, :, 0].astype(float), grid[:, 0, 1].astype(float)
    sides = []
    for sign in (-1, 1):
        field = np.zeros_like(grid)
        for name, (outward, down), widths in ACTION_UNIT_BUMPS[unit]:
            centre = (midline + sign * landmarks[name][0], landmarks[name][1])
            x, y = (((line - c) / w) ** 2 for line, c, w in zip((columns, rows), centre, widths, strict=True))
            bump = np.exp(-0.5 * np.add.outer(y, x))
            field += bump[..., None] * np.float32([sign * outward, down])
        sides.append(field)
    fields = np.stack(sides)
    return fields / np.linalg.norm(fields.sum(axis=0), axis=-1).max()


def _grid(scale: int) -> np.ndarray:
    """Return the positions (x, y) of the points of a face at rest, (rows, columns, 2) float32."""
    columns, rows = (np.arange(scale * (n + 2 * MARGIN), dtype=np.float32) for n in (WIDTH, HEIGHT))
    return np.stack(np.meshgrid(columns, rows), axis=-1) / scale - MARGIN


def _draw_texture(rng: np.random.Generator, landmarks: dict, midline: float) -> np.ndarray:
    skin = rng.uniform(125, 175)
    picture = np.full(_grid(TEXTURE_SCALE).shape[:2], rng.uniform(60, 110), np.float32)
    _paint_head(picture, rng, skin, midline)
    for sign in (-1, 1):
        points = {name: np.array([midline + sign * x, y]) for name, (x, y) in landmarks.items()}
        _paint_eye(picture, points['eye'])
        _paint_brow(picture, rng, points['brow_inner'], points['brow_outer'])
        _paint_nose_side(picture, points['nose_wing'], sign)
        _paint_folds(picture, rng, points, sign)
    _paint_mouth(picture, rng, landmarks, midline)
    _paint_marks(picture, rng, midline)
    picture *= 1 + _band_limited_noise(rng, picture.shape) * rng.uniform(0.05, 0.08)
    # Half a pixel of blur keeps the picture, which takes every fourth point, free of aliasing.
    return cv2.GaussianBlur(picture, (0, 0), 0.5 * TEXTURE_SCALE)


def _paint_head(picture: np.ndarray, rng: np.random.Generator, skin: float, midline: float) -> None:
    """Hair, then a skin ellipsoid under one distant lamp (Lambert's law) and ambient light."""
    _blob(picture, (midline, 80), (72, 88), rng.uniform(25, 70), softness=2)
    centre, radii = np.array([midline, 94]), np.array([rng.uniform(57, 63), rng.uniform(76, 82)])
    slopes = (_grid(TEXTURE_SCALE) - centre.astype(np.float32)) / radii.astype(np.float32)
    radius2 = (slopes**2).sum(axis=-1)
    lamp = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.1)])
    contrast = rng.uniform(0.2, 0.45)
    light = slopes @ lamp.astype(np.float32) + np.sqrt(np.clip(1 - radius2, 0, 1))
    inside = 1 / (1 + np.exp(np.clip((radius2 - 1) * 25, -30, 30)))
    picture += inside * (skin * (1 - contrast + contrast * light) - picture)


def _paint_eye(picture: np.ndarray, eye: np.ndarray) -> None:
    _blob(picture, eye, (13, 9), 100, softness=4, opacity=0.35)
    _blob(picture, eye, (10, 4.6), 190, softness=0.5)
    _blob(picture, eye, (4.4, 4.4), 70, softness=0.4)
    _blob(picture, eye, (2, 2), 20, softness=0.3)
    _blob(picture, eye + np.array([1.3, -1.5]), (0.9, 0.9), 235, softness=0.2)
    lid = np.linspace(-1, 1, 15)[:, None]
    for height, width in ((-4.8, 1.2), (4.6, 0.5), (-8.5, 0.7)):
        _stroke(picture, eye + np.hstack([lid * 11, height * (1 - lid**2)]), width, 55, softness=0.4)


def _paint_brow(picture: np.ndarray, rng: np.random.Generator, inner: np.ndarray, outer: np.ndarray) -> None:
    along = np.linspace(-0.08, 1.08, 40)
    for position in rng.permutation(along):
        root = inner + position * (outer - inner) + (0, 4 - 4 * np.sin(np.pi * np.clip(position, 0, 1)))
        hair = np.array([[0, 1.6], np.sign(outer - inner) * (2.5, 0) - (0, 2.2)]) + rng.normal(0, 0.4, (2, 2))
        _stroke(picture, root + hair, rng.uniform(1, 1.8), 45, softness=0.4, opacity=0.8)


def _paint_nose_side(picture: np.ndarray, wing: np.ndarray, sign: int) -> None:
    _blob(picture, wing + np.array([-4 * sign, 3]), (3, 1.6), 45, softness=0.7, opacity=0.9)
    edge = np.array([[1, -5], [2.5 * sign, -1], [2 * sign, 3], [-sign, 4]])
    bridge = np.array([[-3 * sign, -8], [-5 * sign, -22], [-3 * sign, -36]])
    _stroke(picture, wing + edge, 1, 85, softness=0.8, opacity=0.7)
    _stroke(picture, wing + bridge, 3, 100, softness=2.5, opacity=0.35)


def _paint_mouth(picture: np.ndarray, rng: np.random.Generator, landmarks: dict, midline: float) -> None:
    half_width, height = landmarks['mouth_corner']
    centre = np.array([midline, height])
    tone = rng.uniform(75, 110)
    along = np.linspace(-1, 1, 21)[:, None]
    arch = 1 - along**2
    upper = landmarks['upper_lip'][1] - height - 1 + 1.5 * np.exp(-((along / 0.15) ** 2))
    lower = landmarks['lower_lip'][1] - height + 1
    outline = np.vstack([np.hstack([along, arch * upper]), np.hstack([-along, arch * lower])])
    _polygon(picture, centre + outline * (half_width, 1), tone, softness=0.6)
    _stroke(picture, centre + np.hstack([along * (half_width + 1), 0.8 * arch]), 1, 35, softness=0.4)
    _blob(picture, (midline, height + lower + 5), (11, 2.5), 80, softness=2, opacity=0.35)


def _paint_marks(picture: np.ndarray, rng: np.random.Generator, midline: float) -> None:
    """Freckles and forehead wrinkles."""
    for _ in range(rng.integers(30, 90)):
        spot = (midline + rng.uniform(-52, 52), rng.uniform(25, 160))
        size = rng.uniform(0.4, 1.3, 2)
        _blob(picture, spot, size, rng.uniform(50, 110), softness=0.3, opacity=rng.uniform(0.2, 0.7))
    along = np.linspace(-1, 1, 15)[:, None]
    for height in rng.uniform(22, 46, rng.integers(2, 5)):
        bend = 3 * along**2 + rng.normal(0, 0.4, along.shape)
        wrinkle = np.hstack([midline + along * rng.uniform(22, 36), height + bend])
        _stroke(picture, wrinkle, 0.6, 80, softness=0.5, opacity=rng.uniform(0.3, 0.7))


def _paint_folds(picture: np.ndarray, rng: np.random.Generator, points: dict, sign: int) -> None:
    """The fold from nose to mouth and the crow's feet of one side."""
    wing, corner, eye = (points[name] for name in ('nose_wing', 'mouth_corner', 'eye'))
    outward = np.array([sign, 0])
    fold = [wing + 3 * outward, (wing + corner) / 2 + 6 * outward, corner + np.array([6 * sign, -2])]
    _stroke(picture, fold, 0.8, 80, softness=0.8, opacity=rng.uniform(0.3, 0.7))
    for drop in rng.uniform(-3, 6, 3):
        foot = np.array([[13 * sign, drop / 2], [20 * sign, drop]])
        _stroke(picture, eye + foot, 0.5, 80, softness=0.5, opacity=0.5)


def _band_limited_noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Sum noise of four grains, 1.2 to 10 pixels; (rows, columns) float32 of unit standard deviation."""
    noise = np.zeros(shape, np.float32)
    for grain in (1.2, 2.4, 5, 10):
        coarse = rng.standard_normal([int(n / (TEXTURE_SCALE * grain)) + 1 for n in shape], np.float32)
        noise += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return noise / noise.std()


def _blob(
    picture: np.ndarray, centre: ArrayLike, radii: ArrayLike, tone: float, *, softness: float, opacity: float = 1.0
) -> None:
    """Blend a filled ellipse into the picture."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    outline = np.asarray(centre) + np.stack([np.cos(angle), np.sin(angle)], axis=-1) * radii
    _polygon(picture, outline, tone, softness=softness, opacity=opacity)


def _stroke(
    picture: np.ndarray, line: ArrayLike, width: float, tone: float, *, softness: float, opacity: float = 1.0
) -> None:
    """Blend an open line of a width in pixels into the picture."""
    _polygon(picture, line, tone, softness=softness, opacity=opacity, width=width)


def _polygon(
    picture: np.ndarray,
    outline: ArrayLike,
    tone: float,
    *,
    softness: float,
    opacity: float = 1.0,
    width: float | None = None,
) -> None:
    """Blend a filled polygon, or with a width the open line, into the part of the picture that it touches."""
    points = (np.asarray(outline) + MARGIN) * TEXTURE_SCALE
    border = 3 * (softness + (width or 0)) * TEXTURE_SCALE + 2
    low = np.maximum(np.floor(points.min(axis=0) - border), 0).astype(int)
    high = np.ceil(points.max(axis=0) + border).astype(int) + 1
    window = picture[low[1] : high[1], low[0] : high[0]]
    mask, fine = np.zeros(window.shape, np.uint8), np.round((points - low) * 16).astype(np.int32)
    if width is None:
        cv2.fillPoly(mask, [fine], 255, cv2.LINE_AA, shift=4)
    else:
        cv2.polylines(mask, [fine], False, 255, max(1, round(width * TEXTURE_SCALE)), cv2.LINE_AA, shift=4)
    weight = cv2.GaussianBlur(mask, (0, 0), softness * TEXTURE_SCALE).astype(np.float32) * (opacity / 255)
    window += weight * (tone - window)
