import cv2
import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.detection import Face
from mer_bench.preparation.faces.preview import CAPTION, GREY, PER_ROW, TILE, check_preview, preview_faces
from mer_bench.preparation.settings import FaceSettings

SETTINGS = FaceSettings('dlib', size=112)


@pytest.fixture
def sheet(tmp_path):
    def write(n_clips, lost=(), limit=100, settings=SETTINGS):
        pictures = [tmp_path / f'{i}.png' for i in range(n_clips)]
        for level, path in enumerate(pictures):
            cv2.imwrite(str(path), np.full((112, 112), level + 1, np.uint8))
        faces = [None if i in lost else Face(1, 0, 0, 0, 0, 0, 112, 112) for i in range(n_clips)]
        names = [f's1/clip_{i}' for i in range(n_clips)]
        sources = [ClipSource({1: path, 2: path}, 1, None, 2, face) for path, face in zip(pictures, faces, strict=True)]
        preview_faces(tmp_path / 'faces.png', names, sources, settings, limit)
        return cv2.imread(str(tmp_path / 'faces.png'), cv2.IMREAD_GRAYSCALE)

    return write


def test_the_sheet_shows_every_face_above_its_name(sheet):
    picture = sheet(PER_ROW + 1)
    assert picture.shape == (2 * (TILE + CAPTION), PER_ROW * TILE)
    assert (picture[:TILE, TILE : 2 * TILE] == 2).all()
    assert (picture[TILE + CAPTION : 2 * TILE + CAPTION, :TILE] == PER_ROW + 1).all()
    assert picture[TILE : TILE + CAPTION, :TILE].min() < 128


def test_a_clip_without_a_face_is_a_grey_tile_and_always_shown(sheet):
    picture = sheet(9, lost=[4], limit=3)
    assert picture.shape == (TILE + CAPTION, 3 * TILE)
    assert picture[0, [0, TILE, 2 * TILE]].tolist() == [1, GREY, 9]


def test_frames_taken_as_they_are_are_shown_as_they_are(sheet):
    picture = sheet(2, lost=[0, 1], settings=FaceSettings())
    assert picture[0, [0, TILE]].tolist() == [1, 2]


def test_a_preview_that_cannot_be_written_is_refused_beforehand(tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'folder.png').mkdir()
    faults = {'faces.jpg': 'ends in .png', 'file/faces.png': 'cannot write there', 'folder.png': 'it is a folder'}
    for name, fault in faults.items():
        with pytest.raises(InputError, match=fault):
            check_preview(tmp_path / name)
    check_preview(tmp_path / 'new' / 'faces.PNG')
    assert not list((tmp_path / 'new').iterdir())
