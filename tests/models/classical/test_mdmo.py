"""MDMO against motions whose main direction is known, and its regions against the face."""

import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.models.classical.mdmo import MDMO
from mer_bench.models.classical.mdmo_regions import LANDMARKS, REGIONS, region_map
from mer_bench.preparation.faces.detection import TEMPLATE

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


def bins_at(degrees, **option):
    radians = np.deg2rad(degrees)
    return list(MDMO(**option).directions(np.cos(radians), np.sin(radians)))


def test_edges_on_the_axes_part_them_as_the_re_implementation_does():
    """Eight bins of 45 degrees from 0, as np.histogram in MDMOFeature of AU_R-CNN; its bin 0 is our bin 4."""
    u, v = np.array([[1, 0], [1, 1], [0, 1], [1, -1], [0, -1], [-1, -0.0]]).T  # 0, 45, 90, -45, -90 and -180 degrees
    assert list(MDMO().directions(u, v)) == [4, 5, 6, 3, 2, 0]
    assert bins_at([-1, 1]) == [3, 4]
    assert bins_at([44, 46]) == [4, 5]
    assert bins_at([89, 91, -91, -89]) == [5, 6, 1, 2]
    assert bins_at([1, 22, 23, 44]) == [4] * 4


def test_bins_centred_on_the_axes_hold_what_is_around_them():
    """22.5 degrees to each side, the bin ranges of traditional_methods.py of meb: pi/8, 3/8 pi, 5/8 pi, ..."""
    assert bins_at([-22, 0, 22], axis_centred=True) == [4] * 3
    assert bins_at([23, 45, 67], axis_centred=True) == [5] * 3
    assert bins_at([68, 90, 112], axis_centred=True) == [6] * 3
    assert bins_at([-112, -90, -68], axis_centred=True) == [2] * 3
    assert bins_at([158, 180, -158], axis_centred=True) == [0] * 3


def test_a_raised_brow_with_noise_points_straight_up_only_in_bins_centred_on_the_axes():
    """Half of the pixels move 10 degrees to the left of up, half to the right: 10 degrees beside, or the mean, up."""
    turn = np.where(np.arange(112) % 2, 10, -10)
    clip = np.stack([np.sin(np.deg2rad(turn)), -np.cos(np.deg2rad(turn))])[:, None, None].repeat(112, axis=2)
    counts = {False: 10, True: 1}  # columns of a region may be odd in number, so the mean is not quite 0
    for centred, degrees in counts.items():
        u, v = MDMO(axis_centred=centred).main_motions(clip)[:, 0]
        beside = np.abs(np.rad2deg(np.arctan2(u, -v)))
        assert np.median(beside) == pytest.approx(degrees, abs=1)


def test_small_pictures_are_refused():
    with pytest.raises(InputError, match='take 56x56'):
        MDMO().describe(uniform_motion(1, 0, size=14))
