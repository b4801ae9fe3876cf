import cv2
import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.preparation.frames import middle_apex, nearest, read_frames, sample_frames, spotted_apex
from tests.preparation.conftest import shifted_texture


@pytest.mark.parametrize(
    ('clip_len', 'sampled'),
    [
        (1, [14]),
        (2, [14, 30]),
        (4, [12, 14, 22, 30]),
        (8, [11, 12, 13, 14, 18, 22, 26, 30]),
    ],
)
def test_samples_run_from_onset_over_apex_to_offset(clip_len, sampled):
    assert sample_frames(range(10, 31), 10, 14, 30, clip_len) == sampled


def test_a_gap_in_the_frames_is_bridged_by_the_nearest():
    assert sample_frames([10, 11, 14, 29, 30], 10, 14, 30, 4) == [11, 14, 29, 30]
    assert nearest([1, 2, 3], 2.5) == 2


def test_a_short_clip_repeats_frames():
    assert sample_frames([1, 2], 1, 2, 2, 8) == [1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ('numbers', 'apex'), [(range(5, 10), 7), ([5, 6, 9, 20], 9), ([5, 6, 8, 9], 6), ([5, 9], 9), ([1, 5, 12], 12)]
)
def test_the_middle_apex_is_nearest_to_the_middle_and_never_the_onset(numbers, apex):
    assert middle_apex(numbers, 5, max(numbers)) == apex


def clip_of_shifts(shifts):
    return {number: shifted_texture(shift, 0) for number, shift in enumerate(shifts, start=5)}


def test_the_spotted_apex_has_the_largest_motion():
    assert spotted_apex(clip_of_shifts([0, 0.5, 1, 2, 1]), 5, 9) == 8


def test_motion_after_the_offset_does_not_count():
    assert spotted_apex(clip_of_shifts([0, 0.5, 1, 2, 3]), 5, 7) == 7


def test_the_spotted_apex_is_never_the_onset():
    assert spotted_apex(clip_of_shifts([0, 0]), 5, 6) == 6


def with_motion_in(rows, shift):
    """Frame of 100x100 where only some rows have moved to the right."""
    frame = shifted_texture(0, 0, (100, 100))
    frame[rows] = shifted_texture(shift, 0, (100, 100))[rows]
    return frame


@pytest.mark.parametrize('region', [np.s_[15:42], np.s_[63:90]])
def test_motion_of_eyes_or_mouth_counts_and_that_of_nose_and_chin_does_not(region):
    nose, chin = np.s_[47:58], np.s_[94:]
    frames = {1: with_motion_in(region, 0), 2: with_motion_in(region, 0.8)}
    frames |= {3: with_motion_in(nose, 1.5), 4: with_motion_in(chin, 1.5)}
    assert spotted_apex(frames, 1, 4) == 2


def write(folder, pictures):
    paths = {number: folder / f'image{number}.bmp' for number in range(len(pictures))}
    for path, picture in zip(paths.values(), pictures, strict=True):
        cv2.imwrite(str(path), picture)
    return paths


def test_frames_are_read_as_grey(tmp_path):
    frames = read_frames(write(tmp_path, [np.full((4, 6, 3), 9, np.uint8), np.full((4, 6), 200, np.uint8)]))
    assert frames[0].shape == (4, 6)
    assert frames[1].dtype == np.uint8
    assert (frames[1] == 200).all()


def test_an_unreadable_picture_is_named(tmp_path, capfd):
    paths = write(tmp_path, [np.zeros((4, 6), np.uint8)] * 2)
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    with pytest.raises(InputError, match=r'image1.bmp: expected a picture, it cannot be read'):
        read_frames(paths)
    assert capfd.readouterr().err == ''


def test_a_cut_off_jpeg_is_refused_not_filled_with_grey(tmp_path):
    path = tmp_path / 'image0.jpg'
    cv2.imwrite(str(path), shifted_texture(0, 0, (200, 200)))
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(500))  # as some programs do
    assert read_frames({0: path})[0].shape == (200, 200)
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(InputError, match=r'image0.jpg: the picture is cut off'):
        read_frames({0: path})


@pytest.mark.parametrize('content', [b'', None])
def test_an_empty_or_missing_file_is_named(tmp_path, content):
    path = tmp_path / 'image0.jpg'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r'image0.jpg: expected a picture, it cannot be read'):
        read_frames({0: path})


def test_pictures_of_different_sizes_are_named(tmp_path):
    paths = write(tmp_path, [np.zeros((4, 6), np.uint8), np.zeros((5, 6), np.uint8)])
    with pytest.raises(InputError, match=r'image1.bmp: expected 6x4 pixels as in image0.bmp, found 6x5'):
        read_frames(paths)
