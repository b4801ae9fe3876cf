import cv2
import numpy as np
import pytest

from mer_bench.preparation.faces.stabilise import rigid_motion
from tests.preparation.conftest import shifted_texture

SHAPE = (160, 160)
CORNERS = np.array([[0, 0, 1], [159, 0, 1], [0, 159, 1], [159, 159, 1]]).T


@pytest.mark.parametrize(('dx', 'dy'), [(0, 0), (0.3, -0.2), (-1.7, 2.4)])
def test_a_shift_is_found_to_a_tenth_of_a_pixel_everywhere(dx, dy):
    motion = rigid_motion(shifted_texture(0, 0, SHAPE), shifted_texture(dx, dy, SHAPE))
    np.testing.assert_allclose(motion @ CORNERS, CORNERS + np.array([[dx], [dy], [0]]), atol=0.1)


def test_a_turn_is_found_to_a_tenth_of_a_pixel_everywhere():
    onset = shifted_texture(0, 0, SHAPE)
    turn = cv2.getRotationMatrix2D((80, 70), np.degrees(0.02), 1)
    motion = rigid_motion(onset, cv2.warpAffine(onset, turn, SHAPE, flags=cv2.INTER_LANCZOS4))
    np.testing.assert_allclose((motion @ CORNERS)[:2], turn @ CORNERS, atol=0.1)


def test_stronger_light_is_no_motion():
    onset = shifted_texture(0, 0, SHAPE)
    np.testing.assert_allclose(rigid_motion(onset, (0.8 * onset).astype(np.uint8)), np.eye(3), atol=0.02)


@pytest.mark.parametrize(
    ('row', 'column', 'reach'),
    [(0.15, 0.5, 0.5), (0.40, 0.5, 0.06), (0.30, 0.2, 0.08)],  # brows (1+2), root of the nose (9), one eye corner (6)
)
def test_what_the_skin_does_at_one_place_is_no_motion(row, column, reach):
    onset = shifted_texture(0, 0, SHAPE)
    rows, columns = np.mgrid[:160, :160].astype(np.float32)
    distance = ((rows / 160 - row) / 0.05) ** 2 + ((columns / 160 - column) / reach) ** 2
    lift = 1.5 * np.exp(-0.5 * distance).astype(np.float32)  # pixels
    moved = cv2.remap(onset, columns, rows + lift, cv2.INTER_LANCZOS4)
    shift = (rigid_motion(onset, moved) @ [80, 72, 1])[:2] - (80, 72)
    np.testing.assert_allclose(shift, 0, atol=0.1)


@pytest.mark.parametrize('crop', [np.full(SHAPE, 90, np.uint8), shifted_texture(0, 0, SHAPE, seed=1)])
def test_what_is_not_the_same_nose_has_no_motion(crop):
    assert rigid_motion(shifted_texture(0, 0, SHAPE), crop) is None
