import importlib.util
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mer_bench.datasets.synthetic.face import HEIGHT, MARGIN, TEXTURE_SCALE, WIDTH, draw_face
from mer_bench.errors import InputError
from mer_bench.preparation.faces.landmarks import face_landmarks, import_dlib, largest_first, model_path


def box(area):
    return SimpleNamespace(area=lambda: area)


def test_the_largest_face_comes_first_and_background_goes():
    small, large, background = box(10), box(20), box(30)
    assert largest_first([small, large, background], [1.5, 0.9, 0.01]) == [large, small]
    assert largest_first([], []) == []


def test_without_the_extra_one_sentence_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'dlib', None)
    with pytest.raises(InputError, match=r'run `pip install dlib-bin face-recognition-models`'):
        import_dlib()


def test_ctrl_c_while_dlib_is_loaded_stays_ctrl_c(monkeypatch, tmp_path):
    """dlib raises ImportError('initialization failed') from the KeyboardInterrupt."""
    text = "raise ImportError('initialization failed') from {}"
    for cause, seen in (('KeyboardInterrupt()', KeyboardInterrupt), ('OSError()', ImportError)):
        (tmp_path / 'dlib.py').write_text(text.format(cause))
        monkeypatch.delitem(sys.modules, 'dlib', raising=False)
        monkeypatch.setattr(sys, 'path', [str(tmp_path)])
        monkeypatch.setattr(sys, 'dont_write_bytecode', True)
        importlib.invalidate_caches()
        with pytest.raises(seen) as raised:
            import_dlib()
        assert not isinstance(raised.value, InputError)


@pytest.mark.parametrize('folders', [None, ['nowhere']])
def test_a_missing_landmark_model_is_named(monkeypatch, folders):
    spec = folders and SimpleNamespace(submodule_search_locations=folders)
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)
    with pytest.raises(InputError, match=r'shape_predictor_68_face_landmarks.dat .*pip install'):
        model_path()


def test_a_drawn_face_is_found_at_any_size():
    pytest.importorskip('dlib')
    texture = draw_face(np.random.default_rng(3)).texture
    inner = texture[MARGIN * TEXTURE_SCALE :, MARGIN * TEXTURE_SCALE :][
        : HEIGHT * TEXTURE_SCALE, : WIDTH * TEXTURE_SCALE
    ]
    for scale in (1, 8):  # 8: larger than what the detector is given
        picture = cv2.resize(inner, (WIDTH * scale, HEIGHT * scale), interpolation=cv2.INTER_AREA)
        (landmarks,) = face_landmarks(picture.clip(0, 255).astype(np.uint8), upsample=1 if scale == 1 else 0)
        eyes = landmarks[36:42].mean(axis=0) / scale, landmarks[42:48].mean(axis=0) / scale
        # 27 pixels beside the midline at height 71 (MEAN_LANDMARKS), each face drawn about 3 pixels off
        np.testing.assert_allclose(eyes, [(WIDTH / 2 - 27, 71), (WIDTH / 2 + 27, 71)], atol=7)
