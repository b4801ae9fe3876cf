import subprocess
import sys

import pytest

from mer_bench.errors import InputError
from mer_bench.preparation.faces.settings import FaceSettings


@pytest.mark.parametrize(
    ('settings', 'sentence'),
    [
        ({'detector': 'haar'}, r"face detector: expected one of .*'dlib'.*, found 'haar'; choose one of them"),
        ({'detector': 'dlib', 'size': 63}, 'face size: expected at least 64 pixels, found 63; 224 is the default'),
        ({'stabilise': True}, "stabilise: expected a face detector .*, found 'none'; choose the detector dlib"),
    ],
)
def test_a_wrong_setting_is_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        FaceSettings(**settings)


def test_the_settings_load_neither_opencv_nor_dlib():
    code = 'import sys, mer_bench.preparation.faces.settings; print({"cv2", "dlib"} & set(sys.modules))'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == 'set()\n'
