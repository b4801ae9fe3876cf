"""MDMO against motions whose main direction is known, and its regions against the face."""

import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.models.classical.mdmo import MDMO
from mer_bench.models.classical.mdmo_regions import LANDMARKS, REGIONS, region_map
from mer_bench.preparation.faces import TEMPLATE

MIRRORED = dict([*REGIONS, *(pair[::-1] for pair in REGIONS)])


def uniform_motion(u, v, frames=2, size=112):
    return np.stack([np.full((frames, size, size), part, np.float32) for part in (u, v)])


def test_there_are_36_regions():
    assert sorted(MIRRORED) == list(range(1, 37))


@pytest.mark.parametrize('size', [56, 111, 112, 224])
def test_every_region_has_pixels(size):
    assert set(np.unique(region_map(size, size))) == set(range(37))


def test_regions_of_the_right_mirror_those_of_the_left():
    regions = region_map(112, 112)
    np.testing.assert_array_equal(np.vectorize({0: 0, **MIRRORED}.get)(regions[:, ::-1]), regions)


def test_landmarks_lie_where_faces_are_aligned():
    """Outer and inner corner of the left eye and base of the nose; the midline is at half the width."""
    np.testing.assert_allclose([LANDMARKS[i] for i in (36, 39, 33)], TEMPLATE[[0, 1, 4]], atol=5e-4)


def test_eyes_and_what_is_beyond_the_face_lie_in_no_region():
    regions = region_map(224, 224)
    for x, y in ((0.325, 0.288), (0.675, 0.288), (0.02, 0.5), (0.5, 0.02), (0.5, 0.99)):
        assert regions[int(y * 224), int(x * 224)] == 0


def test_a_clip_has_72_values():
    assert MDMO().describe(uniform_motion(1, 0)).shape == (72,)


def test_a_uniform_motion_has_length_1_and_its_angle_in_every_region():
    lengths, angles = MDMO().describe(uniform_motion(0, 2)).reshape(2, 36)
    np.testing.assert_allclose(lengths, 1)
    np.testing.assert_allclose(angles, np.pi / 2)


def test_only_the_fullest_direction_counts():
    """In region 22 most pixels move 1 to the right; a strong motion of fewer pixels upwards does not matter."""
    clip = uniform_motion(1, 0, frames=1)
    rows, columns = np.nonzero(region_map(112, 112) == 22)
    few = slice(0, len(rows) // 3)
    clip[:, 0, rows[few], columns[few]] = [[0], [-50]]
    lengths, angles = MDMO().describe(clip).reshape(2, 36)
    np.testing.assert_allclose(lengths, 1)
    np.testing.assert_allclose(angles, 0)


def test_lengths_are_shares_of_the_longest():
    clip = uniform_motion(1, 0)
    clip[0, :, region_map(112, 112) == 9] = 4
    lengths = MDMO().describe(clip)[:36]
    assert lengths[8] == 1
    assert lengths.sum() == 1 + 35 / 4


def test_frames_are_averaged_as_vectors():
    """(3, 0) and (0, 3) have the mean (1.5, 1.5), 45 degrees."""
    clip = np.concatenate([uniform_motion(3, 0, frames=1), uniform_motion(0, 3, frames=1)], axis=1)
    np.testing.assert_allclose(MDMO().describe(clip)[36:], np.pi / 4)


def test_small_pictures_are_refused():
    with pytest.raises(InputError, match='take 56x56'):
        MDMO().describe(uniform_motion(1, 0, size=14))
