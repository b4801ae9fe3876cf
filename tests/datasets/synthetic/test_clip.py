import numpy as np
import pytest

from mer_bench.datasets.synthetic import clip as synthetic_clip
from mer_bench.datasets.synthetic.clip import Timing, plan_clip, true_flow
from mer_bench.datasets.synthetic.face import draw_face
from mer_bench.datasets.synthetic.units import ACTION_UNITS, unit_numbers

UNITS = unit_numbers(text for combinations in ACTION_UNITS.values() for text in combinations)
FACE = draw_face(np.random.default_rng(1))
RIGHT, LEFT = np.s_[:, :70], np.s_[:, 70:]  # halves of the picture that show the person's right and left


def plan(combination, masks=(), timing=None, strength=1):
    return plan_clip(np.random.default_rng(0), FACE, [combination], masks, UNITS, timing or Timing(), strength)


@pytest.fixture
def quiet(monkeypatch):
    """Take away what means nothing: drift and blink."""
    monkeypatch.setattr(synthetic_clip, 'DRIFT_SD', 0)
    monkeypatch.setattr(synthetic_clip, 'BLINKS', 0)


def moved(combination):
    """Return how far each pixel moves between onset and apex, without the head's jitter; (H, W)."""
    flow = true_flow(plan(combination)).astype(np.float32)
    return np.linalg.norm(flow - np.median(flow, axis=(1, 2), keepdims=True), axis=0)


@pytest.mark.usefixtures('quiet')
@pytest.mark.parametrize(('combination', 'moving', 'still'), [('L14', LEFT, RIGHT), ('R14', RIGHT, LEFT)])
def test_a_sided_unit_moves_its_side_of_the_face(combination, moving, still):
    motion = moved(combination)
    assert motion[moving].max() > 2 * motion[still].max()


@pytest.mark.usefixtures('quiet')
def test_a_clip_without_action_units_moves_with_the_head_alone():
    assert moved('').max() < 0.3 < moved('12').max()


@pytest.mark.usefixtures('quiet')
def test_units_of_the_brows_and_of_the_mouth_move_there():
    brows, mouth = moved('1+2'), moved('17')
    assert np.unravel_index(brows.argmax(), brows.shape)[0] < 85 < np.unravel_index(mouth.argmax(), mouth.shape)[0]


@pytest.mark.usefixtures('quiet')
def test_broad_units_move_more_of_the_face_than_fine_ones():
    areas = {unit: (moved(unit) > moved(unit).max() / 2).sum() for unit in ('9', '15', '6', '26')}
    assert 3 * max(areas['9'], areas['15']) < min(areas['6'], areas['26'])


def test_strength_is_a_share_of_the_movement():
    usual, weak = plan('12').movements[-1].field, plan('12', strength=0.5).movements[-1].field
    assert weak == pytest.approx(0.5 * usual, abs=1e-6)


def test_expression_and_mask_are_mirror_images_in_time_about_the_apex(monkeypatch):
    """On a grid that is the same on both sides of the apex: 1 before it is 0.75 after it, by cos^2(pi / 2 * 1 / 3)."""
    monkeypatch.setattr(synthetic_clip, 'MASKED', 1)
    monkeypatch.setattr(synthetic_clip, '_phase', lambda length, rise: np.linspace(0, 2, 17))
    first, second = (m.activation for m in plan('4', masks=['12'], timing=Timing(length=(17, 18))).movements[-2:])
    assert first == pytest.approx(second[::-1])
    assert first[[0, 6, 8, 12]] == pytest.approx([0, 1, 0.75, 0])


def test_the_sheet_names_the_units_of_the_expression_alone(monkeypatch):
    monkeypatch.setattr(synthetic_clip, 'MASKED', 1)
    assert plan('4+L10', masks=['12']).action_units == ('4', 'L10')


def test_nothing_but_the_head_moves_before_the_onset_of_a_longer_video():
    clip = plan('12', timing=Timing(length=(9, 10), first=(50, 51), lead=3))
    assert (clip.first_frame, clip.onset, clip.offset) == (50, 53, 61)
    assert all(m.activation[:4] == pytest.approx(0) for m in clip.movements)
    assert clip.onset < clip.apex < clip.offset
