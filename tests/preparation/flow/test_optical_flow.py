import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.errors import InputError
from mer_bench.preparation.flow.optical_flow import compute_flow, difference, optical_strain
from tests.preparation.conftest import shifted_texture

ROWS, COLUMNS = np.mgrid[:20, :30].astype(np.float32)
INNER = np.s_[1:-1, 1:-1]


@pytest.mark.parametrize('method', ['tvl1', 'farneback', 'dis'])
def test_a_known_shift_is_found_to_a_fraction_of_a_pixel(method):
    flow = compute_flow(shifted_texture(0, 0), shifted_texture(0.7, -0.4), method)
    assert flow.shape == (2, 64, 72)
    assert flow.dtype == np.float32
    error = np.hypot(flow[0] - 0.7, flow[1] + 0.4)
    assert error[8:-8, 8:-8].mean() < 0.15


@pytest.mark.parametrize('method', ['tvl1', 'farneback', 'dis'])
def test_the_true_flow_of_a_synthetic_face_is_found(method, synthetic_clip):
    onset, apex, truth = synthetic_clip
    error = np.hypot(*(compute_flow(onset, apex, method) - truth))
    still = np.hypot(*truth)
    face = np.s_[30:-30, 30:-30]
    assert error[face].mean() < 0.5 * still[face].mean()


@pytest.fixture(scope='module')
def synthetic_clip(tmp_path_factory):
    """Onset frame, apex frame and true flow (2, H, W) of one clip."""
    raw = tmp_path_factory.mktemp('synthetic') / 'raw'
    write_synthetic_tree(raw, subjects=1, clips_per_subject=1)
    clip = pd.read_csv(raw / 'true_flow' / 'clips.csv').iloc[0]
    onset, apex = (cv2.imread(str(raw / clip[name]), cv2.IMREAD_GRAYSCALE) for name in ('onset_file', 'apex_file'))
    return onset, apex, np.load(raw / clip['flow_file'])


@pytest.mark.parametrize(
    ('u', 'v', 'strain'),
    [
        (0.3 * COLUMNS, 0 * ROWS, 0.3),  # stretch along x: exx = 0.3
        (0 * ROWS, -0.2 * ROWS, 0.2),  # squeeze along y: eyy = -0.2
        (0.3 * COLUMNS, 0.4 * ROWS, 0.5),  # both: sqrt(0.09 + 0.16)
        (0.2 * ROWS, 0 * ROWS, np.sqrt(0.02)),  # shear: exy = 0.1, sqrt(2 * 0.01)
        (0.2 * ROWS, -0.2 * COLUMNS, 0),  # rotation: no strain
        (0 * ROWS + 3, 0 * ROWS - 2, 0),  # shift: no strain
    ],
)
def test_strain_of_linear_fields(u, v, strain):
    np.testing.assert_allclose(optical_strain(np.stack([u, v]))[INNER], strain, atol=1e-6)


def test_a_missing_tvl1_names_the_command_that_repairs_it(monkeypatch):
    monkeypatch.delattr(cv2.optflow, 'DualTVL1OpticalFlow_create')
    with pytest.raises(InputError, match='pip install --force-reinstall --no-deps opencv-contrib-python'):
        compute_flow(shifted_texture(0, 0), shifted_texture(1, 0), 'tvl1')


def test_pictures_that_have_nothing_in_common_differ_by_one_and_equal_ones_by_nothing():
    first, second = np.random.default_rng(0).integers(0, 256, (2, 100, 100), dtype=np.uint8)
    assert difference(first, second) == pytest.approx(1, abs=0.05)
    assert difference(first, first) == difference(0 * first, 0 * first) == 0


@pytest.mark.parametrize(
    ('second', 'most'),
    [
        (shifted_texture(0.7, -0.4), 25 * 300),
        (shifted_texture(0, 0, seed=1), 25 * 10),
        (np.full((64, 72), 255, np.uint8), 25 * 10),
    ],
)
def test_tv_l1_has_few_iterations_between_pictures_that_have_little_in_common(monkeypatch, second, most):
    used, create = [], cv2.optflow.DualTVL1OpticalFlow_create
    monkeypatch.setattr(
        cv2.optflow, 'DualTVL1OpticalFlow_create', lambda **parameters: used.append(parameters) or create(**parameters)
    )
    compute_flow(shifted_texture(0, 0), second, 'tvl1')
    (asked,) = used
    steps = asked['nscales'] * asked['warps']
    assert (steps, steps * asked['outerIterations'] * asked['innnerIterations']) == (25, most)
