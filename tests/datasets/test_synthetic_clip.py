import numpy as np
import pytest

from mer_bench.datasets.procedural_face import draw_face
from mer_bench.datasets.synthetic_clip import Timing, plan_clip, true_flow
from mer_bench.datasets.synthetic_units import ACTION_UNITS, unit_numbers

UNITS = unit_numbers(text for combinations in ACTION_UNITS.values() for text in combinations)
FACE = draw_face(np.random.default_rng(1))
RIGHT, LEFT = np.s_[:, :70], np.s_[:, 70:]  # halves of the picture that show the person's right and left


def movement(combination, timing=None):
    """Return the clip and how far each pixel moves between onset and apex, without the head's jitter."""
    clip = plan_clip(np.random.default_rng(0), FACE, [combination], UNITS, timing or Timing())
    flow = true_flow(clip).astype(np.float32)
    return clip, np.linalg.norm(flow - np.median(flow, axis=(1, 2), keepdims=True), axis=0)


@pytest.mark.parametrize(('combination', 'moving', 'still'), [('L14', LEFT, RIGHT), ('R14', RIGHT, LEFT)])
def test_a_sided_unit_moves_its_side_of_the_face(combination, moving, still):
    _, moved = movement(combination)
    assert moved[moving].max() > 2 * moved[still].max()


def test_a_clip_without_action_units_moves_with_the_head_alone():
    assert movement('')[1].max() < 0.3 < movement('12')[1].max()


def test_units_of_the_brows_and_of_the_mouth_move_there():
    (_, brows), (_, mouth) = movement('1+2'), movement('17')
    assert np.unravel_index(brows.argmax(), brows.shape)[0] < 85 < np.unravel_index(mouth.argmax(), mouth.shape)[0]


def test_nothing_moves_before_the_onset_of_a_longer_video():
    clip, _ = movement('12', Timing(length=(9, 10), first=(50, 51), lead=3))
    assert (clip.first_frame, clip.onset, clip.offset) == (50, 53, 61)
    assert clip.activation[:4].tolist() == [0] * 4
    assert clip.onset < clip.apex < clip.offset
