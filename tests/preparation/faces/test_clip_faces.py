import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces import clip_faces
from mer_bench.preparation.faces.clip_faces import find_faces, frames_to_try
from mer_bench.preparation.faces.detection import Face
from mer_bench.preparation.settings import FaceSettings

SETTINGS = FaceSettings('dlib', size=64)
IDS = ['d/s1/a', 'd/s1/b', 'd/s2/c']


@pytest.fixture
def clips(tmp_path):
    """Three clips of nine frames; the grey level of a frame tells what the stub detector says."""
    clips = []
    for clip, faces_from in enumerate([1, 5, 99]):
        clips.append({number: tmp_path / f'{clip}_{number}.png' for number in range(1, 10)})
        for number, path in clips[-1].items():
            cv2.imwrite(str(path), np.full((8, 8), 10 * (clip + 1) if number >= faces_from else 0, np.uint8))
    return clips


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
    """A detector that finds a face in every picture that is not black."""
    looked = []

    def stub(picture, settings):
        looked.append(int(picture[0, 0]))
        return Face(picture[0, 0] / 7, 0.5, 1.25, -3, 0, 0, 8, 8) if picture.any() else None

    monkeypatch.setattr(clip_faces, 'find_face', stub)
    monkeypatch.setattr(clip_faces, 'finding_parameters', lambda settings: {'size': settings.size})
    return looked


def find(out, clips, settings=SETTINGS):
    return find_faces(out, IDS, [ClipSource(paths, 1, 9, 9) for paths in clips], settings)


def test_the_onset_is_tried_first_then_frames_up_to_the_apex():
    assert frames_to_try(range(90, 130), 100, 120) == [100, 105, 110, 115, 120]
    assert frames_to_try(range(90, 130), 100, 101) == [100, 101]


def test_every_clip_has_a_row_and_the_same_face_when_read_again(clips, tmp_path, looked_at):
    faces = find(tmp_path / 'out', clips)
    table = pd.read_csv(tmp_path / 'out' / 'faces.csv', dtype=str, keep_default_na=False)
    assert table['sample_id'].tolist() == IDS
    assert table['frame'].tolist() == ['1', '5', '']
    first, second = (Face(level / 7, 0.5, 1.25, -3, 0, 0, 8, 8) for level in (10, 20))
    assert faces == [(first, 1), (second, 5), (None, None)]
    assert not (tmp_path / 'out' / '.faces.csv').exists()
    looked_at.clear()
    assert find(tmp_path / 'out', clips) == faces
    assert looked_at == []


def test_a_changed_onset_or_setting_is_looked_at_again(clips, tmp_path, looked_at):
    find(tmp_path / 'out', clips)
    looked_at.clear()
    cv2.imwrite(str(clips[0][1]), np.full((8, 8), 77, np.uint8))
    assert find(tmp_path / 'out', clips)[0].face.a == 11
    assert looked_at == [77]
    find(tmp_path / 'out', clips, FaceSettings('dlib', size=65))
    assert {77, 20, 0} <= set(looked_at)


def test_any_changed_frame_that_may_be_tried_is_looked_at_again(clips, tmp_path, looked_at):
    find(tmp_path / 'out', clips)
    looked_at.clear()
    cv2.imwrite(str(clips[1][3]), np.full((8, 8), 77, np.uint8))  # before the frame that showed the face
    assert find(tmp_path / 'out', clips)[1] == (Face(11, 0.5, 1.25, -3, 0, 0, 8, 8), 3)
    assert looked_at == [0, 77]
    cv2.imwrite(str(clips[1][4]), np.full((8, 8), 78, np.uint8))  # frames 1, 3, 5, 7 and 9 may be tried
    find(tmp_path / 'out', clips)
    assert looked_at == [0, 77]


def test_a_stopped_run_is_continued(clips, tmp_path, looked_at):
    faces = find(tmp_path / 'out', clips)
    header, first, second, _ = (tmp_path / 'out' / 'faces.csv').read_text().splitlines(keepends=True)
    (tmp_path / 'out' / 'faces.csv').unlink()
    (tmp_path / 'out' / '.faces.csv').write_text(header + first + second[:-20])  # the last line is half written
    looked_at.clear()
    assert find(tmp_path / 'out', clips) == faces
    assert 10 not in looked_at
    assert 20 in looked_at


@pytest.mark.parametrize('cell', ['x', '', '7', 'nan', '1e308', '9' * 5000, '"', '\udcff'])
@pytest.mark.parametrize('place', [2, 3])
def test_a_damaged_row_is_found_again(clips, tmp_path, looked_at, cell, place):
    faces = find(tmp_path / 'out', clips)
    path = tmp_path / 'out' / 'faces.csv'
    header, first, *rows = path.read_text().splitlines()
    cells = first.split(',')
    first = ','.join([*cells[:place], cell, *cells[place + 1 :]])
    path.write_text('\n'.join([header, first, *rows, '']), errors='surrogateescape')
    looked_at.clear()
    assert find(tmp_path / 'out', clips) == faces
    assert 10 in looked_at
