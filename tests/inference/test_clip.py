import sys

import cv2
import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.inference.clip import apex_rules, face_settings, flow_settings, make_clip
from mer_bench.preparation.faces import landmarks
from mer_bench.preparation.settings import FaceSettings


def test_the_flow_of_a_clip_from_its_frames_is_that_of_the_store(drawn, model):
    stored = np.load(drawn.data / 'store/flow.npy')
    unknown = drawn.clips['apex'].isna()
    assert 0 < unknown.sum() < len(unknown)  # both a given apex and the rule for an unknown one are tried
    for row in (0, int(np.flatnonzero(unknown)[0])):
        clip = drawn.clips.iloc[row]
        apex = None if unknown[row] else int(clip.apex)
        found = model.clip(drawn.frames / clip.frames_dir, int(clip.onset), apex, int(clip.offset))
        np.testing.assert_array_equal(found.flow, stored[row])
        assert (len(found.frames), found.frames.dtype) == (4, np.uint8)
        assert (found.faces is None) == (model.prepare['faces']['detector'] == 'none')


def test_a_video_is_read_frame_by_frame_from_onset_to_offset(tmp_path, model):
    levels = [40, 80, 120, 160, 200]
    video = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 50, (64, 48))
    for level in levels:
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    clip = make_clip(tmp_path / 'v.avi', model.prepare | dict(faces=None), onset=2, apex=3, offset=4)
    assert (clip.onset, clip.apex, clip.offset, clip.fps) == (2, 3, 4, 50)
    assert {number: round(cv2.imread(str(path)).mean() / 40) for number, path in clip.source.paths.items()} == {
        2: 2,
        3: 3,
        4: 4,
    }
    folder = clip.source.paths[2].parent
    del clip
    assert not folder.exists()  # the pictures go with the clip


def test_a_cut_in_a_video_is_noted(tmp_path, model):
    for number in range(1, 5):
        noise = np.random.default_rng(number // 3).integers(0, 256, (64, 64), dtype=np.uint8)  # of 1, 2 and of 3, 4
        cv2.imwrite(str(tmp_path / f'{number}.png'), noise)
    clip = make_clip(tmp_path, model.prepare | dict(faces=None), apex=3)
    assert any(note.startswith('unlike frames: ') and 'correct onset and offset' in note for note in clip.notes)


@pytest.fixture
def frames(tmp_path):
    """Four frames that show no face, and three files that are no clip."""
    for number in range(1, 5):
        (tmp_path / 'clip').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f'clip/{number}.png'), np.full((64, 64), 40 * number, np.uint8))
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    (tmp_path / 'text.txt').write_text('no clip')
    (tmp_path / 'empty').mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'span', 'what'),
    [
        ('clip', dict(onset=9), 'expected onset 9 to be one of its frames, 1 to 4'),
        ('clip', dict(onset=4), 'expected two frames or more from onset 4 to offset 4'),
        ('clip', dict(offset=9), 'expected two frames or more from onset 1 to offset 9, its frames are 1 to 4'),
        ('clip', dict(onset=2, apex=1), 'expected the apex from onset 2 to offset 4, found 1'),
        ('broken.mp4', {}, 'expected a video, it cannot be read as one'),
        ('text.txt', {}, 'or a folder of frames; give one of these'),
        ('empty', {}, 'found none; give a folder of frames'),
        ('nowhere', {}, 'found nothing; check the path'),
    ],
)
def test_what_is_no_clip_is_refused_in_one_sentence(frames, model, name, span, what):
    with pytest.raises(InputError, match=what) as error:
        model.clip(frames / name, **span)
    assert str(error.value).startswith(str(frames / name))


def test_a_clip_without_a_face_is_refused(frames, model):
    pytest.importorskip('dlib')
    with pytest.raises(InputError, match='dlib finds no face in five frames'):
        model.clip(frames / 'clip')


def test_a_missing_face_detector_is_named_with_the_command_that_installs_it(frames, model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'dlib', None)  # an import of it fails
    landmarks.load_dlib.cache_clear()
    faces = dict(detector='dlib', size=96)
    with pytest.raises(InputError, match='which is not installed here; run `pip install dlib-bin'):
        make_clip(frames / 'clip', model.prepare | dict(faces=faces))


def test_a_model_whose_preparation_cannot_be_repeated_on_a_video_says_why(frames, model):
    for key, value, what in (
        ('flow', 'published_pictures', 'published pictures of flow, whose preparation nobody can repeat'),
        ('flow_parameters', dict(preset=1), 'dis flow with preset 1, which this version does not compute'),
        ('sampling', 'another', 'frames chosen by another rule'),
        ('flow', 'raft', 'needs its weights'),
    ):
        with pytest.raises(InputError, match=what):
            make_clip(frames / 'clip', model.prepare | {key: value})


@pytest.mark.parametrize(
    ('apex', 'rule'),
    [
        (dict(annotated=5, middle=1), 'middle'),
        (dict(annotated=5), 'spotted'),
        (dict(spotted=5), 'spotted'),
        (dict(casme2=dict(annotated=5), smic=dict(middle=3)), 'middle'),
        ('middle', 'middle'),
    ],
)
def test_an_unknown_apex_is_found_by_the_rule_of_the_training(model, apex, rule):
    assert 'annotated' not in apex_rules('middle')
    assert flow_settings(model.prepare | dict(apex=apex), None).missing_apex == rule


def test_an_apex_at_the_onset_is_noted(model, clip_args):
    assert 'the apex is the onset' in ' '.join(model.clip(**clip_args | dict(apex=clip_args['onset'])).notes)


def test_faces_are_found_as_those_of_the_data_set_that_needed_it():
    dlib = dict(detector='dlib', size=96, stabilise=1, version=1)
    assert face_settings(dict(faces=dlib)) == FaceSettings('dlib', 96, True)
    assert face_settings(dict(faces=dict(smic=dict(detector='none'), casme2=dlib))) == FaceSettings('dlib', 96, True)
    assert face_settings(dict(faces=None)) == face_settings(dict(faces=dict(detector='none'))) == FaceSettings()


@pytest.mark.parametrize(
    'faces', [dict(detector='dlib'), dict(detector='dlib', size=10**9), dict(detector=[], size=96)]
)
def test_faces_that_a_stranger_wrote_are_refused(faces):
    with pytest.raises(InputError, match='expected the detector of the faces and their size'):
        face_settings(dict(faces=faces))
