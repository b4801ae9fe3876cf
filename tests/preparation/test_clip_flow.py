import numpy as np
import pytest

from mer_bench.preparation.clip_flow import clip_flow, flow_maps
from mer_bench.preparation.settings import FlowSettings
from tests.preparation.conftest import shifted_texture, write_clip_of_shifts


@pytest.fixture
def paths(tmp_path):
    write_clip_of_shifts(tmp_path / 'clip', [0, 0.4, 0.8, 0.4], first=10, shape=(56, 112))
    return {number: tmp_path / 'clip' / f'reg_image{number}.bmp' for number in range(10, 14)}


def test_flow_is_measured_in_pixels_of_the_stored_grid():
    ramp = np.tile(np.arange(80, dtype=np.float32), (40, 1))
    maps = flow_maps(np.stack([ramp * 0 + 2, ramp * 0 + 3]), 20)
    assert maps.shape == (3, 20, 20)
    np.testing.assert_allclose(maps[0], 2 * 20 / 80)
    np.testing.assert_allclose(maps[1], 3 * 20 / 40)
    np.testing.assert_allclose(maps[2], 0)


def test_strain_is_that_of_the_frame_itself():
    stretch = np.tile(0.25 * np.arange(80, dtype=np.float32), (40, 1))
    maps = flow_maps(np.stack([stretch, 0 * stretch]), 20)
    np.testing.assert_allclose(maps[2, :, 1:-1], 0.25)


def test_a_clip_is_the_motion_from_the_onset_to_each_sampled_frame(paths):
    clip, apex = clip_flow(paths, 10, 12, 13, FlowSettings('tvl1', clip_len=4, size=28))
    assert (clip.shape, clip.dtype, apex) == ((3, 4, 28, 28), np.float16, 12)
    right = clip[0].mean((1, 2)) / (28 / 112)
    np.testing.assert_allclose(right, [0.4, 0.8, 0.8, 0.4], atol=0.1)  # frames 11, 12, 12 (12.5), 13
    assert (clip[:, 1] == clip[:, 2]).all()


def test_a_sample_at_the_onset_has_no_motion(paths):
    clip, _ = clip_flow(paths, 10, 11, 13, FlowSettings('dis', clip_len=8, size=28))
    assert not clip[:, 0].any()


def test_a_clip_without_apex_label_gets_one(paths):
    _, apex = clip_flow(paths, 10, None, 13, FlowSettings('dis', clip_len=1, size=28, apex='spotted'))
    assert apex == 12


def test_still_is_the_apex_at_every_time_where_mirroring_keeps_it(paths):
    clip, _ = clip_flow(paths, 10, 12, 13, FlowSettings('still', clip_len=4, size=28))
    grey = shifted_texture(0.8, 0, (56, 112))[:2, :4].mean() / 255 - 0.5
    assert clip[2, 0, 0, 0] == pytest.approx(grey, abs=1e-3)
    assert not clip[:2].any()
    assert (clip == clip[:, :1]).all()
