"""The head's own shift and rotation between two aligned crops, estimated where expressions hardly reach.

The nose moves with the skull (aligning the nose takes the head's motion out: Micro-Expression Spotting with Face
Alignment and Optical Flow, ACM MM 2023, https://doi.org/10.1145/3581783.3612853). The estimate is ECC (Evangelidis and
Psarakis, TPAMI 2008, https://doi.org/10.1109/TPAMI.2008.113), which is blind to a change of the light's strength.
"""

import cv2
import numpy as np

# Rows and columns of the nose ridge as shares of the crop: below the skin that brows take along (action units 1, 2 and
# 4), above the wings (9 and 10 move them) and inside the inner eye corners (blinks).
RIDGE_ROWS, RIDGE_COLUMNS = (0.36, 0.53), (0.41, 0.59)
CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
SMOOTHING = 5  # pixels, OpenCV's own default
MAX_SHIFT, MAX_TURN = 0.1, 0.2  # share of the crop, radians: more is a mismatch, not a head within a micro-expression


def rigid_motion(onset: np.ndarray, crop: np.ndarray) -> np.ndarray | None:
    """Return the head's motion from one aligned crop to another.

    Args:
        onset: the aligned onset frame, (size, size) uint8.
        crop: another aligned frame of the clip.

    Returns:
        (3, 3) float64: homogeneous (x, y) of `onset` -> (x, y) of `crop` in pixels, a rotation and a shift; None where
        the nose ridges do not match.
    """
    size = len(onset)
    (top, bottom), (left, right) = ([round(share * size) for share in edge] for edge in (RIDGE_ROWS, RIDGE_COLUMNS))
    start = np.float32([[1, 0, left], [0, 1, top]])
    onset, crop = (cv2.GaussianBlur(np.float32(picture), (SMOOTHING, SMOOTHING), 0) for picture in (onset, crop))
    ridge = np.ascontiguousarray(onset[top:bottom, left:right])  # cut out when smooth: its edge then is like the crop's
    try:
        _, found = cv2.findTransformECC(ridge, crop, start, cv2.MOTION_EUCLIDEAN, CRITERIA, None, 1)
    except cv2.error as error:
        if error.code != cv2.Error.StsNoConv:
            raise
        return None  # one picture is plain or shows something else
    motion = np.vstack([found, [0, 0, 1]]) @ [[1, 0, -left], [0, 1, -top], [0, 0, 1]]
    middle = np.array([(left + right) / 2, (top + bottom) / 2, 1])
    shift, turn = np.hypot(*(motion @ middle - middle)[:2]), abs(np.arctan2(motion[1, 0], motion[0, 0]))
    return motion if shift <= MAX_SHIFT * size and turn <= MAX_TURN else None
