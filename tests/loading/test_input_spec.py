"""What a method sees of a stored clip."""

import numpy as np
import pytest
import torch

from mer_bench.errors import InputError
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
def test_the_dataset_sees_what_the_spec_selects(channels):
    view = make_spec(dict(channels=channels, frames=4, size=2), INFO, SHAPE)
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
