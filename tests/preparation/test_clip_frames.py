import re
from weakref import WeakSet

import cv2
import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.preparation import clip_frames
from mer_bench.preparation.clip_frames import ClipFrames, ClipSource
from mer_bench.preparation.faces import detection as faces
from mer_bench.preparation.faces.detection import Face
from mer_bench.preparation.flow.clip_flow import clip_flow
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from tests.preparation.conftest import shifted_texture

SHAPE = (128, 128)
UNMOVED = Face(1, 0, 0, 0, 0, 0, 128, 128)
WHOLE, MOUTH = np.s_[10:65, 10:-10], np.s_[80:95, 35:93]


class Counted(np.ndarray):
    """An array that a WeakSet can hold."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def source(folder, pictures, **settings):
    paths = {number: folder / f'img{number}.png' for number in range(1, len(pictures) + 1)}
    for path, picture in zip(paths.values(), pictures, strict=True):
        cv2.imwrite(str(path), picture)
    return ClipSource(paths, 1, None, len(pictures), UNMOVED, FaceSettings('dlib', 128, **settings))


def mismatch(first, second, part):
    """Return the root mean square difference in grey levels."""
    return np.sqrt(np.mean((first[part].astype(float) - second[part]) ** 2))


def test_stabilising_removes_the_shift_of_the_head_and_keeps_the_motion_of_the_mouth(tmp_path):
    still, head = shifted_texture(0, 0, SHAPE), shifted_texture(0.7, -0.4, SHAPE)
    head[75:100, 30:98] = shifted_texture(0.7, -0.4 + 2, SHAPE)[75:100, 30:98]
    frames = ClipFrames(source(tmp_path, [still, head], stabilise=True), [2])
    tenth = mismatch(shifted_texture(0.1, 0, SHAPE), still, np.s_[:])
    assert mismatch(head, still, WHOLE) > 5 * tenth
    assert mismatch(frames[2], still, WHOLE) < tenth
    assert mismatch(frames[2], shifted_texture(0, 2, SHAPE), MOUTH) < tenth
    assert (frames[1] == still).all()
    pixels = re.fullmatch(r'head motion: (.+) pixels of the crop taken out at most, in frame 2', frames.remark)[1]
    assert float(pixels) == pytest.approx(np.hypot(0.7, 0.4), abs=0.05)


def test_a_clip_with_a_frame_that_does_not_match_is_not_stabilised_at_all(tmp_path):
    other = shifted_texture(0, 0, SHAPE, seed=1)
    pictures = [shifted_texture(0, 0, SHAPE), shifted_texture(0.7, -0.4, SHAPE), other]
    frames = ClipFrames(source(tmp_path, pictures, stabilise=True), [2, 3])
    assert all((frames[number] == picture).all() for number, picture in enumerate(pictures, start=1))
    assert frames.remark.startswith('not stabilised: frame 3 does not match the onset')
    assert frames.remark in clip_flow(frames.source, FlowSettings('dis', 2, 28))[2]


def test_no_more_than_two_crops_are_held_while_an_apex_is_spotted(tmp_path, monkeypatch):
    clip = source(tmp_path, [shifted_texture(number / 10, 0, SHAPE) for number in range(9)])
    alive, most = WeakSet(), []

    def count(*args):
        crop = faces.align(*args).view(Counted)
        alive.add(crop)
        most.append(len(alive))
        return crop

    monkeypatch.setattr(clip_frames, 'align', count)
    clip_flow(clip, FlowSettings('dis', 8, 28, 'spotted'))
    assert max(most) <= 3  # the onset, the last, and the one that takes its place


def test_each_picture_is_decoded_once_and_again_only_where_memory_is_short(tmp_path, monkeypatch):
    clip = source(tmp_path, [shifted_texture(number / 10, 0, SHAPE) for number in range(9)], stabilise=True)
    settings, decode, decoded = FlowSettings('dis', 8, 28, 'spotted'), cv2.imdecode, []
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: decoded.append(args) or decode(*args))
    flow, *_ = clip_flow(clip, settings)
    assert len(decoded) == 9
    monkeypatch.setattr(clip_frames, 'KEPT', 4 * 128**2)
    again, *_ = clip_flow(clip, settings)
    assert len(decoded) > 9 + 9
    assert (again == flow).all()


def test_a_frame_of_another_size_is_named(tmp_path):
    frames = ClipFrames(source(tmp_path, [np.zeros((4, 6), np.uint8), np.zeros((5, 6), np.uint8)]), [2])
    with pytest.raises(InputError, match=r'img2.png: expected 6x4 pixels as in img1.png, found 6x5'):
        frames[2]
