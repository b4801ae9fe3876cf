"""The head's own shift and rotation between two aligned crops, estimated where expressions hardly reach.

Points on the ridge of the nose and around the outer eye corners are followed by pyramidal Lucas-Kanade (Bouguet 2000,
OpenCV's), and a rotation with a shift is fitted to them by least squares with Cauchy loss: where skin moves at one of
the three places, the other two outvote it. No place on a face is rigid: action unit 9 wrinkles the root of the nose,
6 and 7 gather the skin beside the eyes, 1 and 2 pull at it from above.
"""

import cv2
import numpy as np

VERSION = 1  # raised when the same pictures give another motion

# (top, bottom, left, right) as shares of the crop. The ridge is between the inner eye corners and above the wings,
# which 9 and 10 move; the outer eye corners are at row 0.29 and the columns 0.25 and 0.75, and brows end at row 0.2.
RIDGE = (0.36, 0.53, 0.41, 0.59)
EYE_CORNERS = (0.22, 0.36, 0.14, 0.26), (0.22, 0.36, 0.74, 0.86)
POINTS = 9  # tracked per side of the ridge; 7 per eye corner, which leaves the ridge slightly less than half of them
WINDOW = 0.094  # side of what is compared around a point, share of the crop: 21 pixels of 224
CLOSE = 0.05  # pixels: points further off count less and less
MISFIT, MIN_FITTING = 0.5, 0.5  # fewer points than this share within `MISFIT` pixels of the fit: not one head
MAX_SHIFT, MAX_TURN = 0.1, 0.2  # share of the crop, radians: more is a mismatch, not a head within a micro-expression
CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-3)


def rigid_motion(onset: np.ndarray, crop: np.ndarray) -> np.ndarray | None:
    """Return the head's motion from one aligned crop to another.

    Args:
        onset: the aligned onset frame, (size, size) uint8.
        crop: another aligned frame of the clip.

    Returns:
        (3, 3) float64: homogeneous (x, y) of `onset` -> (x, y) of `crop` in pixels, a rotation and a shift; None where
        the two do not match.
    """
    size = len(onset)
    points = support_points(size)
    window = max(9, round(WINDOW * size) | 1)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        onset, like(crop, onset, points), points[:, None], None, winSize=(window, window), maxLevel=2, criteria=CRITERIA
    )
    found = found[:, 0] == 1
    if found.mean() < MIN_FITTING:
        return None  # one picture is plain or shows something else
    motion = fit_rigid(points[found], moved[found, 0])
    misfit = np.hypot(*(points @ motion[:2, :2].T + motion[:2, 2] - moved[:, 0]).T)
    shift, turn = head_shift(motion, size), abs(np.arctan2(motion[1, 0], motion[0, 0]))
    matches = (found & (misfit < MISFIT)).mean() >= MIN_FITTING
    return motion if matches and shift <= MAX_SHIFT * size and turn <= MAX_TURN else None


def head_shift(motion: np.ndarray, size: int) -> float:
    """Return how far the middle of the ridge moves, in pixels."""
    top, bottom, left, right = RIDGE
    middle = np.array([(left + right) / 2 * size, (top + bottom) / 2 * size, 1])
    return float(np.hypot(*(motion @ middle - middle)[:2]))


def support_points(size: int) -> np.ndarray:
    """Return the points to follow in a crop, (N, 2) float32, x and y."""
    grids = []
    for (top, bottom, left, right), n in ((RIDGE, POINTS), *((corner, POINTS - 2) for corner in EYE_CORNERS)):
        columns, rows = np.meshgrid(np.linspace(left, right, n) * size, np.linspace(top, bottom, n) * size)
        grids.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
    return np.float32(np.concatenate(grids))


def like(crop: np.ndarray, onset: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return `crop` with the brightness and contrast that `onset` has at the points, uint8: light is no motion."""
    columns, rows = points.round().astype(int).T
    target, grey = onset[rows, columns].astype(float), crop[rows, columns].astype(float)
    gain = target.std() / grey.std() if grey.std() else 1
    return np.clip(np.round((crop - grey.mean()) * gain + target.mean()), 0, 255).astype(np.uint8)


def fit_rigid(points: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the rotation and shift that take most of `points` to `moved`, both (N, 2); (3, 3) float64."""
    from scipy.optimize import least_squares  # which takes half a second that most preparations can do without

    middle = points.mean(axis=0, dtype=float)

    def matrix(parameters: np.ndarray) -> np.ndarray:
        dx, dy, turn = parameters
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return np.vstack([np.column_stack([rotation, middle - rotation @ middle + (dx, dy)]), [0, 0, 1]])

    def residuals(parameters: np.ndarray) -> np.ndarray:
        motion = matrix(parameters)
        return (points @ motion[:2, :2].T + motion[:2, 2] - moved).ravel()

    start = [*np.median(moved - points, axis=0), 0]
    return matrix(least_squares(residuals, start, loss='cauchy', f_scale=CLOSE, x_scale=[1, 1, 0.01]).x)
