import cv2
import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipFrames, ClipSource
from mer_bench.preparation.faces.detection import Face
from mer_bench.preparation.flow.clip_flow import clip_flow, flow_maps, units
from mer_bench.preparation.settings import CHANNELS, FLOW_CHANNELS, FaceSettings, FlowSettings
from tests.preparation.conftest import shifted_texture, write_clip_of_shifts

SCALE = 28 / 112  # of the stored grid, horizontally


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


def test_magnitude_and_angle_are_those_of_the_stored_grid():
    u, v = np.full((40, 80), -8, np.float32), np.full((40, 80), 4, np.float32)  # stored: -2 and 2
    maps = flow_maps(np.stack([u, v]), 20, ('angle', 'magnitude'))
    np.testing.assert_allclose(maps[0], 3 * np.pi / 4, atol=2e-3)
    np.testing.assert_allclose(maps[1], np.sqrt(8), atol=2e-3)


def test_angles_are_not_averaged():
    v = np.tile(np.float32([[0.1], [-0.1]]), (20, 40))  # to the left: angles alternate between almost pi and -pi
    maps = flow_maps(np.stack([np.full_like(v, -1), v]), 20, ('angle',))
    np.testing.assert_allclose(np.abs(maps[0]), np.pi, atol=2e-3)


def test_all_maps_say_alike_where_nothing_moves():
    """Motion that float16 rounds to 0, from the left, gives neither magnitude nor the angle pi."""
    maps = flow_maps(np.full((2, 28, 28), -1e-9, np.float32), 28, FLOW_CHANNELS)
    assert not maps.any()


def test_channels_are_stored_in_the_order_asked_for(paths):
    source, picks = ClipSource(paths, 10, 12, 13), ('angle', 'magnitude', 'strain', 'u')
    every, *_ = clip_flow(source, FlowSettings('dis', 4, 28, channels=CHANNELS))
    some, *_ = clip_flow(source, FlowSettings('dis', 4, 28, channels=picks))
    np.testing.assert_array_equal(some, every[[CHANNELS.index(channel) for channel in picks]])


def test_a_clip_is_the_motion_from_the_onset_to_each_sampled_frame(paths):
    clip, apex, _ = clip_flow(ClipSource(paths, 10, 12, 13), FlowSettings('tvl1', clip_len=4, size=28))
    assert (clip.shape, clip.dtype, apex) == ((3, 4, 28, 28), np.float16, 12)
    right = clip[0].mean((1, 2)) / SCALE
    np.testing.assert_allclose(right, [0.4, 0.8, 0.8, 0.4], atol=0.1)  # frames 11, 12, 12 (12.5), 13
    assert (clip[:, 1] == clip[:, 2]).all()


@pytest.mark.parametrize(('method', 'cut_short'), [('tvl1', True), ('dis', False)])
@pytest.mark.parametrize(
    ('reference', 'pairs'), [('onset', '2 of 3 pairs, the first 10 and 12'), ('previous', '1 of 3')]
)
def test_a_cut_is_reported_and_leaves_the_frames_before_it_as_they_were(paths, method, cut_short, reference, pairs):
    settings = FlowSettings(method, 3, 28, reference=reference)
    whole, _, nothing = clip_flow(ClipSource(paths, 10, 12, 13), settings)
    for number in (12, 13):
        cv2.imwrite(str(paths[number]), shifted_texture(0, 0, (56, 112), seed=1))
    cut, _, remark = clip_flow(ClipSource(paths, 10, 12, 13), settings)
    assert nothing == ''
    assert remark.startswith(f'unlike frames: {pairs}')
    assert ('TV-L1 is cut short' in remark) is cut_short
    assert (cut[:, 0] == whole[:, 0]).all()  # from 10 to 11
    assert (cut[:, 1] != whole[:, 1]).any()


def test_motion_from_the_previous_sampled_frame_starts_at_the_onset(paths):
    clip, *_ = clip_flow(ClipSource(paths, 10, 12, 13), FlowSettings('tvl1', 4, 28, reference='previous'))
    right = clip[0].mean((1, 2)) / SCALE
    np.testing.assert_allclose(right, [0.4, 0.4, 0, -0.4], atol=0.1)  # 10 to 11, 11 to 12, 12 to 12, 12 to 13
    assert not clip[:, 2].any()


def test_a_sample_at_the_onset_has_no_motion(paths):
    clip, *_ = clip_flow(ClipSource(paths, 10, 11, 13), FlowSettings('dis', clip_len=8, size=28))
    assert not clip[:, 0].any()


@pytest.mark.parametrize(
    ('annotated', 'apex', 'missing_apex', 'taken'),
    [
        (13, 'annotated', 'spotted', 13),
        (None, 'annotated', 'middle', 11),
        (None, 'annotated', 'spotted', 12),
        (13, 'middle', 'spotted', 11),
        (13, 'spotted', 'middle', 12),
    ],
)
def test_the_apex_is_annotated_or_chosen_as_told(paths, annotated, apex, missing_apex, taken):
    settings = FlowSettings('dis', 1, 28, apex, missing_apex)
    clip, found, _ = clip_flow(ClipSource(paths, 10, annotated, 13), settings)
    assert found == taken
    assert clip[0].mean() / SCALE == pytest.approx({11: 0.4, 12: 0.8, 13: 0.4}[taken], abs=0.1)


def test_frames_that_are_not_needed_are_not_read(paths):
    for number in (11, 13):
        paths[number].write_text('no picture')
    source = ClipSource(paths, 10, 12, 13)
    assert clip_flow(source, FlowSettings('dis', 1, 28))[1] == 12
    with pytest.raises(InputError, match=r'reg_image11.bmp: expected a picture'):
        clip_flow(source, FlowSettings('dis', 4, 28))


def test_frames_outside_the_clip_are_left_alone(paths):
    source = ClipSource(paths, 11, None, 12)
    clip, apex, _ = clip_flow(source, FlowSettings('dis', 2, 28, missing_apex='spotted'))
    assert apex == 12
    np.testing.assert_allclose(clip[0].mean((1, 2)) / SCALE, [0.4, 0.4], atol=0.1)


def test_colour_pictures_are_read_as_grey(paths, tmp_path):
    for number in paths:
        grey = cv2.imread(str(paths[number]), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.repeat(grey[..., None], 3, axis=-1))
    colour = {number: tmp_path / f'{number}.png' for number in paths}
    clips = [clip_flow(ClipSource(files, 10, 12, 13), FlowSettings('dis', 2, 28))[0] for files in (paths, colour)]
    np.testing.assert_array_equal(*clips)


def test_a_known_face_is_cut_out_of_every_frame(tmp_path):
    write_clip_of_shifts(tmp_path / 'clip', [0, 0.8, 0.4], shape=(80, 112))
    whole = {number: tmp_path / 'clip' / f'reg_image{number}.bmp' for number in range(100, 103)}
    cut = {number: tmp_path / f'{number}.bmp' for number in whole}
    for number, path in whole.items():
        cv2.imwrite(str(cut[number]), cv2.imread(str(path))[8:72, 20:84])
    face = Face(a=1, b=0, dx=-20, dy=-8, left=30, top=20, right=70, bottom=60)  # only a shift
    sources = [ClipSource(whole, 100, None, 102, face, FaceSettings('dlib', size=64)), ClipSource(cut, 100, None, 102)]
    settings = FlowSettings('dis', 2, 28, missing_apex='spotted', channels=CHANNELS)
    np.testing.assert_array_equal(*(clip_flow(source, settings)[0] for source in sources))


@pytest.mark.parametrize('frames', [(9, None, 13), (13, None, 13), (10, None, 10)])
def test_a_clip_without_onset_or_without_later_frames_is_refused(paths, frames):
    with pytest.raises(InputError, match=r'clip: expected frame \d+ \(onset\) and one or more up to'):
        ClipSource(paths, *frames)


def test_an_apex_outside_the_clip_is_refused(paths):
    with pytest.raises(InputError, match=r'clip: expected the apex from onset 10 to offset 12, found 13'):
        ClipSource(paths, 10, 13, 12)


def test_still_is_the_apex_at_every_time_where_mirroring_keeps_it(paths):
    clip, *_ = clip_flow(ClipSource(paths, 10, 12, 13), FlowSettings('still', clip_len=4, size=28))
    grey = shifted_texture(0.8, 0, (56, 112))[:2, :4].mean() / 255 - 0.5
    assert clip[2, 0, 0, 0] == pytest.approx(grey, abs=1e-3)
    assert not clip[:2].any()
    assert (clip == clip[:, :1]).all()


def test_the_units_name_the_channels_and_the_reference():
    text = units(FlowSettings(channels=('v', 'angle', 'magnitude'), reference='previous'))
    assert [part.split(':')[0] for part in text.split('; ')[:2]] == ['v', 'angle']
    assert 'from the sampled frame before' in text
    assert 'in place of magnitude' in units(FlowSettings('still', channels=('u', 'magnitude')))


def write_deep(folder, pictures, suffix):
    folder.mkdir()
    paths = {number: folder / f'{number}{suffix}' for number in range(1, len(pictures) + 1)}
    for path, picture in zip(paths.values(), pictures, strict=True):
        cv2.imwrite(str(path), picture)
    return paths


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize(
    ('factor', 'base', 'levels'),
    [
        (4, 0, '96 to 804 become 24 to 201'),
        (16, 0, '384 to 3216 become 24 to 201'),
        (256, 0, '6144 to 51456 become 24 to 201'),
        (2, 30000, '30048 to 30402 become 0 to 177'),
    ],
)
def test_sixteen_bit_pictures_give_the_flow_of_their_eight_bit_version(tmp_path, suffix, factor, base, levels):
    """Levels from 96 to 804 were read as 0, 1, 2 and 3, and the flow correlated 0.52 with that of 8 bits."""
    eight = [np.clip(shifted_texture(shift, -shift / 2, (56, 112)), 24, 201) for shift in (0, 0.4, 0.8)]
    deep = [base + factor * picture.astype(np.uint16) for picture in eight]
    if base:  # the darkest level is taken off, which TV-L1 sees at the picture's edge
        eight = [picture - 24 for picture in eight]
    settings = FlowSettings('tvl1', 2, 28)
    expected, *_ = clip_flow(ClipSource(write_deep(tmp_path / 'a', eight, suffix), 1, 3, 3), settings)
    clip, _, remark = clip_flow(ClipSource(write_deep(tmp_path / 'b', deep, suffix), 1, 3, 3), settings)
    assert np.corrcoef(clip.ravel(), expected.ravel())[0, 1] > 0.999
    assert remark == f'16-bit pictures: levels {levels} in all frames'


def test_one_scale_for_all_sixteen_bit_frames_whichever_are_taken(tmp_path):
    """A scale per frame would make all frames alike, and steady light flicker."""
    paths = write_deep(tmp_path / 'a', [np.full((28, 28), level, np.uint16) for level in (1000, 500, 96, 804)], '.png')
    frames = ClipFrames(ClipSource(paths, 1, None, 4), [2])
    assert [frames[1][0, 0], frames[2][0, 0]] == [250, 125]  # 10 bits


def test_sixteen_bits_that_hold_eight_stay_as_they_are(tmp_path):
    picture = shifted_texture(0, 0) // 2 + 40
    frames = ClipFrames(
        ClipSource(write_deep(tmp_path / 'a', [picture.astype(np.uint16)] * 2, '.png'), 1, None, 2), [2]
    )
    np.testing.assert_array_equal(frames[2], picture)


def test_frames_of_eight_and_sixteen_bits_are_no_clip(tmp_path):
    paths = write_deep(tmp_path / 'a', [np.zeros((28, 28), np.uint16), np.zeros((28, 28), np.uint8)], '.png')
    with pytest.raises(InputError, match=r'2.png: expected 16 bits as in 1.png, found 8 bits; .* need one depth'):
        clip_flow(ClipSource(paths, 1, 2, 2), FlowSettings('dis', 1, 28))
