"""tools/prepare.py with every option of faces and flow, on drawn faces in a raw tree."""

import json

import cv2
import pandas as pd
import pytest

from mer_bench.cli.prepare import main
from mer_bench.preparation.store.flow_store import FlowStore

SMALL = ['--flow', 'dis', '--clip-len', '2', '--size', '28', '--workers', '1']
CHANNELS = ['u', 'v', 'magnitude', 'angle']


def prepare(*args):
    main([str(arg) for arg in args])


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    """The raw tree of SAMM: two subjects, three clips each, one of them with a grey picture in place of the face."""
    raw = tmp_path_factory.mktemp('samm') / 'raw'
    prepare('synthetic', '--like', 'samm', '--out', raw, '--subjects', 2, '--clips', 3, '--layout', 'raw')
    clip = next(path for path in sorted(raw.rglob('*_1_*')) if path.is_dir())
    for path in clip.glob('*.jpg'):
        cv2.imwrite(str(path), cv2.imread(str(path)) * 0 + 127)
    return raw


def test_faces_are_found_aligned_steadied_and_shown(raw, tmp_path, capsys):
    pytest.importorskip('dlib')
    faces = ['--faces', 'dlib', '--face-size', 96, '--stabilise', '--preview', tmp_path / 'faces.png']
    prepare('samm', '--raw', raw, '--out', tmp_path / 'out', *SMALL, '--channels', *CHANNELS, *faces)
    store = FlowStore(tmp_path / 'out' / 'store')
    assert store.clips.shape == (5, 4, 2, 28, 28)
    assert (store.info['faces']['size'], store.info['faces']['stabilise']) == (96, True)
    assert (pd.read_csv(tmp_path / 'out' / 'faces.csv')['frame'].notna()).sum() == 5
    assert cv2.imread(str(tmp_path / 'faces.png')) is not None
    assert 'no face' in capsys.readouterr().out
    assert 'no face' in pd.read_csv(tmp_path / 'out' / 'report.csv')['kind'].tolist()


def test_reference_channels_and_apex_are_recorded(raw, tmp_path):
    options = ['--reference', 'previous', '--channels', 'u', 'v', '--apex', 'spotted']
    prepare('samm', '--raw', raw, '--out', tmp_path, *SMALL, *options)
    info = json.loads((tmp_path / 'store' / 'store.json').read_text())
    assert (info['reference'], info['channels'], info['apex']) == ('previous', ['u', 'v'], {'spotted': 6})
    assert info['spotting_regions']
