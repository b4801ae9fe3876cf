import subprocess
import sys

import pytest

from mer_bench.errors import InputError
from mer_bench.preparation.settings import FaceSettings, FlowSettings


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        ({'flow': 'horn'}, "flow 'horn' is not one of"),
        ({'apex': 'last'}, "apex 'last' is not one of"),
        ({'missing_apex': 'annotated'}, "missing-apex 'annotated' is not one of"),
        ({'reference': 'apex'}, "reference 'apex' is not one of"),
        ({'clip_len': 0}, 'clip-len must be at least 1'),
        ({'size': 27}, 'size must be at least 28'),
        ({'channels': ('u', 'w')}, "channel 'w' is not one of"),
        ({'channels': ('u', 'v', 'u')}, 'each once'),
        ({'channels': ()}, 'expected one or more'),
        ({'flow': 'still', 'channels': ('v', 'u')}, "mirroring changes the values of 'u'"),
        ({'channels': ('angle',)}, "add 'magnitude', or both 'u' and 'v'"),
        ({'channels': ('u', 'angle')}, "add 'magnitude', or both 'u' and 'v'"),
        ({'flow': 'raft'}, 'give --raft-weights FILE'),
        ({'raft_weights': 'raft.pth'}, 'choose --flow raft or leave them out'),
    ],
)
def test_a_wrong_choice_is_named(wrong, said):
    with pytest.raises(InputError, match=said):
        FlowSettings(**wrong)


def test_settings_from_a_list_of_channels_equal_those_from_a_tuple():
    assert FlowSettings(channels=['v', 'strain']) == FlowSettings(channels=('v', 'strain'))


@pytest.mark.parametrize('beside', [('magnitude',), ('u', 'v')])
def test_an_angle_is_allowed_beside_what_shows_that_nothing_moves(beside):
    assert FlowSettings(channels=('angle', *beside)).channels == ('angle', *beside)


def test_the_settings_load_neither_opencv_nor_torch():
    code = 'import sys, mer_bench.preparation.settings; assert not {"cv2", "torch"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize(
    ('settings', 'sentence'),
    [
        ({'detector': 'haar'}, r"face detector 'haar' is not one of .*'dlib'.*; choose one of them"),
        ({'detector': 'dlib', 'size': 63}, 'face size: expected at least 64 pixels, found 63; 224 is the default'),
        ({'stabilise': True}, "stabilise: expected a face detector .*, found 'none'; choose the detector dlib"),
    ],
)
def test_a_wrong_setting_of_faces_is_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        FaceSettings(**settings)
