import pickle

import cv2
import numpy as np
import pytest

from mer_bench.preparation.faces import detection as faces
from mer_bench.preparation.faces.detection import (
    STABLE_POINTS,
    TEMPLATE,
    Face,
    align,
    face_of,
    face_parameters,
    find_face,
    finding_parameters,
)
from mer_bench.preparation.frames import SPOTTING_REGIONS
from mer_bench.preparation.settings import FaceSettings
from tests.preparation.conftest import shifted_texture

SETTINGS = FaceSettings('dlib', size=128)


def landmarks_of(scale, turn, dx, dy, size=128):
    """Return landmarks whose stable points are the template seen through a similarity transform."""
    points = np.zeros((68, 2))
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points[list(STABLE_POINTS)] = (TEMPLATE * size - 0.5) @ rotation.T + (dx, dy)
    return points


def test_the_transform_takes_the_stable_points_to_the_template():
    points = landmarks_of(2.5, 0.2, 300, 200)
    transform = face_of(points, 1, 128).transform
    aligned = points[list(STABLE_POINTS)] @ transform[:, :2].T + transform[:, 2]
    np.testing.assert_allclose(aligned, TEMPLATE * 128 - 0.5, atol=1e-4)
    assert np.linalg.det(transform[:, :2]) == pytest.approx(1 / 2.5**2)


def test_noisy_points_are_met_as_opencv_meets_them():
    points = landmarks_of(1, 0, 0, 0) + np.random.default_rng(0).normal(0, 1, (68, 2))
    chosen = points[list(STABLE_POINTS)].astype(np.float32), np.float32(TEMPLATE * 128 - 0.5)
    expected, _ = cv2.estimateAffinePartial2D(*chosen, ransacReprojThreshold=100, refineIters=100)
    np.testing.assert_allclose(face_of(points, 1, 128).transform, expected, atol=1e-2)


def test_the_regions_of_the_spotted_apex_hold_brows_eyes_and_lips():
    """The other points of dlib's mean face: brows 17 to 26 and lips 48 to 67 at their outermost, lower lids."""
    brows_and_eyes = np.array([(0.000213, 0.106454), (0.980040, 0.106454), (0.181130, 0.018748), (0.260918, 0.245099)])
    lips = np.array([(0.254149, 0.780233), (0.726104, 0.780233), (0.428858, 0.727388), (0.490127, 0.909281)])
    for points, region in ((brows_and_eyes, 'eyes and brows'), (lips, 'mouth')):
        top, bottom, left, right = SPOTTING_REGIONS[region]
        x, y = ((points - faces.MEAN_FACE[0]) / 1.5 + TEMPLATE[0]).T
        assert left < x.min() < x.max() < right
        assert top < y.min() < y.max() < bottom


def test_a_small_face_is_found_in_the_doubled_picture(monkeypatch):
    found = {0: [], 1: [landmarks_of(2, 0, 5, 5), landmarks_of(1, 0, 9, 9)]}
    monkeypatch.setattr(faces, 'face_landmarks', lambda picture, upsample: found[upsample])
    face = find_face(np.zeros((9, 9), np.uint8), SETTINGS)
    assert (face.a, face.n_faces) == (pytest.approx(0.5), 2)
    found[1] = []
    assert find_face(np.zeros((9, 9), np.uint8), SETTINGS) is None


def test_a_face_survives_a_csv_row_and_a_pickle():
    face = face_of(landmarks_of(2.5, 0.2, 300, 200), 3, 128)
    assert Face.from_row({name: str(value) for name, value in face.row().items()}) == face
    assert pickle.loads(pickle.dumps(face)) == face


def test_a_frame_goes_through_the_transform_of_the_face():
    frame = shifted_texture(4, -3, (128, 128))
    crop = align(frame, Face(1, 0, -10, 7, 0, 0, 128, 128), 128)
    np.testing.assert_array_equal(crop[7:, :-10], frame[:-7, 10:])


def test_a_large_face_is_averaged_not_thinned_out():
    picture = np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8)
    crop = align(picture, Face(0.5, 0, -0.25, -0.25, 0, 0, 256, 256), 128)
    np.testing.assert_allclose(crop, cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA), atol=1)


def test_the_motion_of_the_head_is_taken_out():
    moved = shifted_texture(3, -2, (128, 128))
    motion = np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1]])
    steady = align(moved, Face(1, 0, 0, 0, 0, 0, 128, 128), 128, motion)
    np.testing.assert_array_equal(steady[5:-5, 5:-5], shifted_texture(0, 0, (128, 128))[5:-5, 5:-5])


def test_whether_to_stabilise_does_not_decide_where_the_face_is():
    pytest.importorskip('dlib')
    still, steady = (FaceSettings('dlib', 128, stabilise) for stabilise in (False, True))
    assert finding_parameters(still) == finding_parameters(steady)
    assert face_parameters(still) != face_parameters(steady)


def test_frames_taken_as_they_are_need_no_parameters():
    assert face_parameters(FaceSettings()) == {'detector': 'none'}
