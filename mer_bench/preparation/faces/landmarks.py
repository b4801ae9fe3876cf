"""68 landmarks of the faces in a picture by dlib (King, JMLR 2009; Kazemi and Sullivan, CVPR 2014).

Detector and landmarks need the extra `faces`. Its landmark model was trained on iBUG 300-W, whose licence excludes
commercial use.
"""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from mer_bench.errors import InputError

MODEL = 'models/shape_predictor_68_face_landmarks.dat'
# The detector's smallest face is 80 pixels wide. A face of SAMM (2040x1088) is about 400 wide, 200 on the reduced copy.
MAX_SIDE = 1024
# Background taken for a face scores near 0, a face 0.5 to 2: a box counts from this share of the best score.
MIN_SCORE_SHARE = 0.25


def face_landmarks(picture: np.ndarray, upsample: int = 0) -> list[np.ndarray]:
    """Return the landmarks of every face, the largest face first.

    Args:
        picture: grey, (H, W) uint8.
        upsample: how often the picture is doubled to find faces below 80 pixels.

    Returns:
        for each face (68, 2) float64, x to the right and y downwards in pixels of `picture`, numbered as in iBUG 300-W.
    """
    dlib, detector, predictor = load_dlib()
    scale = min(1, MAX_SIDE / max(picture.shape))
    reduced = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    boxes, scores, _ = detector.run(reduced, upsample)
    faces = []
    for box in largest_first(boxes, scores):
        edges = (round(edge / scale) for edge in (box.left(), box.top(), box.right(), box.bottom()))
        parts = predictor(picture, dlib.rectangle(*edges)).parts()  # cheap, so always at full size
        faces.append(np.array([(part.x, part.y) for part in parts], float))
    return faces


def largest_first(boxes: Sequence, scores: Sequence[float]) -> list:
    """Return the boxes that are no background, the largest first."""
    likely = [box for box, score in zip(boxes, scores, strict=True) if score >= MIN_SCORE_SHARE * max(scores)]
    return sorted(likely, key=lambda box: box.area(), reverse=True)


@functools.cache
def load_dlib() -> tuple:
    """Return dlib, its frontal face detector and its landmark predictor, once per process."""
    dlib = import_dlib()
    return dlib, dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model_path()))


def import_dlib() -> ModuleType:
    """Return the module dlib, which only the extra `faces` installs."""
    try:
        import dlib
    except ModuleNotFoundError as error:
        raise InputError(missing(f'the package dlib ({error})')) from error
    except ImportError as error:  # what dlib makes of a Ctrl-C while it is loaded
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise
    return dlib


def model_path() -> Path:
    """Return the landmark model's file; its package is not imported, for it needs the retired pkg_resources."""
    spec = importlib.util.find_spec('face_recognition_models')
    folders = spec.submodule_search_locations if spec else None
    paths = [Path(folder) / MODEL for folder in folders or []]
    if not any(path.is_file() for path in paths):
        raise InputError(missing(f'{MODEL} of the package face_recognition_models'))
    return next(path for path in paths if path.is_file())


def missing(what: str) -> str:
    """Return the sentence for a user without the extra."""
    remedy = 'run `pip install dlib-bin face-recognition-models` or take --faces none'
    return f'face detector dlib: expected {what}, found none; {remedy}'
