"""What a method sees of a stored clip."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mer_bench.errors import InputError
from mer_bench.loading.augmentation import with_mirrored
from mer_bench.loading.input_spec import averaged, frame_indices, make_spec
from mer_bench.preparation.frames import sample_frames

SHAPE = (4, 8, 4, 4)
INFO = dict(dataset='smic', channels=['u', 'v', 'strain', 'grey'], reference='onset')


def clip():
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


def test_without_options_all_flow_is_seen_and_no_picture():
    view = make_spec(None, INFO, SHAPE)
    assert view.channels == ('u', 'v', 'strain')
    np.testing.assert_array_equal(view(clip()), clip()[:3])


@pytest.mark.parametrize('length', [1, 2, 4, 8, 16])
def test_the_apex_is_the_frame_that_preparation_put_there(length):
    numbers = list(range(10, 51))
    taken = sample_frames(numbers, onset=10, apex=37, offset=50, clip_len=length)
    assert taken[frame_indices(length, 'apex')[0]] == 37


def test_fewer_frames_run_evenly_to_the_last_and_keep_the_apex():
    assert frame_indices(16, 4) == [3, 7, 11, 15]
    assert frame_indices(16, 'apex')[0] in frame_indices(16, 4)


def test_more_frames_than_there_are_repeat_each_where_that_is_asked_for():
    assert frame_indices(1, 4) == [0, 0, 0, 0]
    assert frame_indices(2, 4) == [0, 0, 1, 1]
    assert make_spec(dict(frames=16, repeat=True), INFO, SHAPE)(clip()).shape == (3, 16, 4, 4)


@pytest.mark.parametrize('channels', [None, ['u', 'v', 'strain', 'grey'], ['grey'], ['v', 'u']])
@pytest.mark.parametrize('options', [{}, dict(centre=True, scale='rms', resize='area')])
def test_the_dataset_sees_what_the_spec_selects(channels, options):
    view = make_spec(dict(channels=channels, frames=4, size=2, **options), INFO, SHAPE)
    again = make_spec(view.options, INFO, SHAPE)
    assert again.channels == view.channels
    np.testing.assert_array_equal(again(clip()), view(clip()))


def test_a_channel_that_several_stores_lack_is_named_with_them():
    stores = [INFO, INFO | dict(dataset='casme2')]
    with pytest.raises(InputError, match="'change' in the store of smic, casme2"):
        make_spec(dict(channels=['change']), dict(channels=INFO['channels'], stores=stores), SHAPE)


def test_a_coarser_grid_holds_means_and_motion_in_its_own_pixels():
    """2x2 blocks of 0, 1, 4, 5 have the mean 2.5; half as many pixels is half the motion."""
    view = make_spec(dict(size=2, channels=['u', 'strain']), INFO, SHAPE)
    u, strain = view(np.tile(np.arange(16, dtype=np.float32).reshape(4, 4), (4, 8, 1, 1)))[:, 0]
    assert strain.tolist() == [[2.5, 4.5], [10.5, 12.5]]
    np.testing.assert_array_equal(u, strain / 2)


@pytest.mark.parametrize(('height', 'width', 'size'), [(28, 28, 14), (48, 48, 28), (57, 40, 13), (112, 112, 28)])
def test_means_are_those_of_torch_to_the_last_digit(height, width, size):
    part = np.random.default_rng(0).normal(0, 3, (2, height, width)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(part)[None], (size, size), mode='area')[0]
    np.testing.assert_array_equal(averaged(part, size), theirs)


def small_clip():
    """u, v, strain and grey of two frames of 2x2 pixels."""
    u = [[[1, 2], [3, 10]], [[0, 0], [0, 4]]]
    v = [[[7, 7], [7, 7]], [[-1, 1], [3, 5]]]
    strain = [[[0, 2], [4, 6]], [[0, 0], [0, 0]]]
    grey = [[[10, 20], [30, 40]], [[50, 60], [70, 80]]]
    return np.array([u, v, strain, grey], np.float32)


def seen(clip, **options):
    channels = dict(channels=options.pop('channels', INFO['channels']))
    return make_spec(channels | options, INFO, clip.shape)(clip)


def test_a_centred_frame_has_the_median_0_in_each_channel_of_flow():
    """The medians are 2.5 and 0, 7 and 2, 3 and 0."""
    u, v, strain, grey = seen(small_clip(), centre=True)
    assert u.tolist() == [[[-1.5, -0.5], [0.5, 7.5]], [[0, 0], [0, 4]]]
    assert v.tolist() == [[[0, 0], [0, 0]], [[-3, -1], [1, 3]]]
    assert strain.tolist() == [[[-3, -1], [1, 3]], [[0, 0], [0, 0]]]
    np.testing.assert_array_equal(grey, small_clip()[3])


def test_a_motion_of_the_whole_head_changes_nothing_of_a_centred_clip():
    clip, shift = small_clip(), np.float32([3, -2, 0, 0]).reshape(4, 1, 1, 1)
    options = dict(channels=['u', 'v', 'magnitude', 'angle'], centre=True)
    np.testing.assert_array_equal(seen(clip + shift, **options), seen(clip, **options))
    assert not np.array_equal(seen(clip + shift, channels=['magnitude']), seen(clip, channels=['magnitude']))


def test_a_scaled_channel_has_the_root_mean_square_1_over_all_frames():
    """Of the centred u it is sqrt((2.25 + 0.25 + 0.25 + 56.25 + 16) / 8) = sqrt(75 / 8)."""
    clip = small_clip()
    (u,) = seen(clip, channels=['u'], centre=True, scale='rms')
    np.testing.assert_allclose(u[0], np.array([[-1.5, -0.5], [0.5, 7.5]]) / np.sqrt(75 / 8), rtol=1e-6)
    np.testing.assert_array_equal(seen(clip, channels=['u'], centre=True, scale='rms', frames='apex')[0], u[:1])
    v = seen(clip, channels=['v', 'grey'], scale='rms')
    np.testing.assert_allclose(v[0], clip[1] / np.sqrt((4 * 49 + 1 + 1 + 9 + 25) / 8), rtol=1e-6)
    np.testing.assert_array_equal(v[1], clip[3])


def test_a_clip_without_motion_stays_0():
    assert not seen(np.zeros(SHAPE, np.float32), centre=True, scale='rms').any()


@pytest.mark.parametrize(('length', 'size'), [(28, 10), (28, 14), (28, 28), (57, 13)])
def test_a_square_of_an_area_resize_counts_each_pixel_by_the_share_that_it_covers(length, size):
    """Square i covers the pixels from i n / s to (i + 1) n / s."""
    shares, step = np.zeros((size, length)), length / size
    for i in range(size):
        for j in range(length):
            shares[i, j] = max(0, min((i + 1) * step, j + 1) - max(i * step, j)) / step
    clip = np.random.default_rng(0).normal(0, 3, (4, 2, length, length)).astype(np.float32)
    expected = np.einsum('ij,ctjk,lk->ctil', shares, clip, shares)
    lengths = np.array([size / length, size / length, 1, 1]).reshape(4, 1, 1, 1)
    np.testing.assert_allclose(seen(clip, size=size, resize='area'), expected * lengths, atol=1e-5)


def test_a_scaled_motion_has_no_pixels_to_be_scaled_with_the_grid():
    ones = np.ones(SHAPE, np.float32)
    assert (seen(ones, size=2, scale='rms') == 1).all()
    assert (seen(ones, size=2)[0] == 0.5).all()


@pytest.mark.parametrize('channels', [['u', 'v', 'strain'], ['v', 'angle', 'u', 'magnitude'], ['magnitude', 'angle']])
def test_a_mirrored_view_is_what_augmentation_makes_of_the_clip(channels):
    clip = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    clip[:2, 0] = 0  # no motion
    view = make_spec(dict(channels=channels), INFO, SHAPE)
    expected = with_mirrored(torch.from_numpy(view(clip))[None], channels)[1].numpy()
    np.testing.assert_array_equal(replace(view, mirrored=True)(clip), expected)
    assert not view.mirrored


def test_a_mirrored_clip_moves_to_the_other_side():
    view = replace(make_spec(dict(channels=['u', 'v', 'strain']), INFO, SHAPE), mirrored=True)
    u, v, strain = view(small_clip())[:, 0]
    assert u.tolist() == [[-2, -1], [-10, -3]]
    assert v.tolist() == [[7, 7], [7, 7]]
    assert strain.tolist() == [[2, 0], [6, 4]]


def test_magnitude_follows_from_u_and_v():
    flow = np.zeros(SHAPE, np.float32)
    flow[0], flow[1] = 3, 4
    view = make_spec(dict(channels=['magnitude']), INFO, SHAPE)
    np.testing.assert_array_equal(view(flow), np.full((1, 8, 4, 4), 5.0))


@pytest.mark.parametrize(
    ('options', 'shape', 'message'),
    [
        (dict(channels=['change']), SHAPE, 'prepare the data with --channels u v strain grey change'),
        (dict(channels=['u', 'u']), SHAPE, 'a list of different names'),
        (dict(channels='u'), SHAPE, 'a list of different names'),
        (dict(frames=3), SHAPE, 'a divisor of the clip length 8'),
        (dict(frames=16), SHAPE, 'a divisor of the clip length 8'),
        (dict(channels=['angle', 'strain']), SHAPE, 'means nothing without motion'),
        (dict(frames='apex'), (4, 5, 4, 4), 'an even clip length'),
        (dict(size=0), SHAPE, 'a number of pixels'),
        (dict(normalise='yes'), SHAPE, 'True or False'),
        (dict(centre=1), SHAPE, 'input.centre: expected True or False, got 1'),
        (dict(scale='std'), SHAPE, "input.scale: expected None or 'rms', got 'std'"),
        (dict(resize='bilinear'), SHAPE, "input.resize: expected None or 'area', got 'bilinear'"),
        (dict(mirror_test='yes'), SHAPE, 'input.mirror_test: expected True or False'),
        (dict(frame=3), SHAPE, "got 'frame'"),
        (dict(faces='aligned'), SHAPE, '--faces dlib'),
    ],
)
def test_what_the_store_cannot_give_is_refused(options, shape, message):
    with pytest.raises(InputError, match=message):
        make_spec(options, INFO, shape)


def test_faces_are_aligned_where_a_detector_found_them():
    assert make_spec(dict(faces='aligned'), INFO | dict(faces=dict(detector='dlib')), SHAPE).channels
    with pytest.raises(InputError, match='--faces dlib'):
        make_spec(dict(faces='aligned'), INFO | dict(faces=dict(detector='none')), SHAPE)


def test_an_apex_is_not_taken_from_motion_between_neighbours():
    with pytest.raises(InputError, match='--reference onset'):
        make_spec(dict(frames='apex'), INFO | dict(reference='previous'), SHAPE)


@pytest.mark.parametrize(
    'options',
    [None, dict(channels=['u', 'magnitude'], frames='apex'), dict(frames=4, size=2), dict(size=9)],
)
def test_the_shape_is_known_without_a_clip(options):
    view = make_spec(options, INFO, SHAPE)
    assert view.shape_of(SHAPE) == view(clip()).shape
