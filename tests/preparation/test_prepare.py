import re
import shutil

import numpy as np
import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.preparation.face_settings import FaceSettings
from mer_bench.preparation.flow_store import FlowStore
from mer_bench.preparation.prepare import prepare_dataset
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store_build import read_done, start_build
from mer_bench.preparation.workers import compute_clips

SETTINGS = FlowSettings('dis', clip_len=4, size=28)


def prepare_smic(raw, out, settings, workers):
    prepare_dataset(DATASETS['smic'], Places(raw), out, settings, FaceSettings(), workers)


def test_smic_becomes_annotations_and_a_store_of_the_same_clips(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    annotations, store = read_annotations(tmp_path / 'out' / 'annotations.csv'), FlowStore(tmp_path / 'out' / 'store')
    assert list(store.index) == annotations['sample_id'].tolist()
    assert store.clips.shape == (4, 3, 4, 28, 28)
    assert annotations['apex'].tolist() == [100] * 4
    assert store.info['apex'] == {'middle': 4}
    assert '--data-root' in capsys.readouterr().out


def test_two_workers_give_the_same_store_as_one(smic_raw, tmp_path):
    for workers in (1, 2):
        prepare_smic(smic_raw, tmp_path / str(workers), SETTINGS, workers)
    one, two = (FlowStore(tmp_path / name / 'store').info for name in '12')
    assert one['data_digest'] == two['data_digest']
    assert one['annotations_digest'] == two['annotations_digest']


def test_the_spotted_apex_is_recorded(smic_raw, tmp_path):
    prepare_smic(smic_raw, tmp_path / 'out', FlowSettings('dis', 1, 28, 'spotted'), workers=1)
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['apex'].tolist() == [101] * 4


def test_a_finished_store_is_left_alone(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    before = (tmp_path / 'out' / 'store' / 'flow.npy').stat().st_mtime_ns
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert 'already complete' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'store' / 'flow.npy').stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        (FlowSettings('farneback', 4, 28), 'flow dis -> farneback'),
        (FlowSettings('dis', 2, 28), 'clip_len 4 -> 2'),
        (FlowSettings('dis', 4, 32), r'size \[28, 28\] -> \[32, 32\]'),
        (FlowSettings('dis', 4, 28, 'spotted'), r"apex {'middle': 4} -> {'spotted': 4}"),
        (FlowSettings('dis', 4, 28, reference='previous'), 'reference onset -> previous'),
        (FlowSettings('dis', 4, 28, channels=('u', 'v')), r"channels \['u', 'v', 'strain'\] -> \['u', 'v'\]"),
    ],
)
def test_a_changed_setting_gives_a_new_store(smic_raw, tmp_path, capsys, changed, said):
    prepare_smic(smic_raw, tmp_path / 'fresh', changed, workers=1)
    for settings in (SETTINGS, changed):
        prepare_smic(smic_raw, tmp_path / 'out', settings, workers=1)
    assert re.search(said, capsys.readouterr().out)
    fresh, store = (FlowStore(tmp_path / name / 'store').info for name in ('fresh', 'out'))
    assert store['data_digest'] == fresh['data_digest']


def test_a_changed_frame_gives_a_new_store(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    shutil.copy(*(smic_raw / f'SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image{n}.bmp' for n in (102, 103)))
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert 'the clips, their frames or their table' in capsys.readouterr().out
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['offset'].tolist() == [103, 102, 102, 102]


def test_a_frame_with_other_grey_levels_and_the_same_size_gives_a_new_store(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    picture = smic_raw / 'SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image101.bmp'
    content = picture.read_bytes()
    picture.write_bytes(content[:-100] + bytes(255 - level for level in content[-100:]))
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert 'the clips, their frames or their table' in capsys.readouterr().out


@pytest.mark.parametrize('part', ['index.csv', 'flow.npy'])
def test_a_damaged_store_is_made_again(smic_raw, tmp_path, part):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    path = tmp_path / 'out' / 'store' / part
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2]) if part == 'flow.npy' else path.unlink()
    with pytest.raises(InputError):
        FlowStore(tmp_path / 'out' / 'store')
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert path.read_bytes() == whole


def test_finished_clips_are_not_computed_again(tmp_path):
    build = start_build(tmp_path, {'a': 1}, (3, 3, 1, 28, 28))
    (build / 'done.txt').write_text('0,,0.5\n2,,0.5\n1,')
    computed = []
    compute_clips(build, lambda row: (computed.append(row), (np.ones((3, 1, 28, 28)), None))[1], [(0,), (1,), (2,)], 1)
    assert computed == [1]
    assert read_done(build).keys() == {0, 1, 2}


@pytest.mark.parametrize('workers', [1, 2])
def test_a_fault_in_a_worker_reaches_the_user_as_its_sentence(smic_raw, tmp_path, workers):
    picture = smic_raw / 'SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_01/reg_image99.bmp'
    picture.write_text('no picture')
    with pytest.raises(InputError, match=r'reg_image99.bmp: expected a picture'):
        prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers)
    assert not (tmp_path / 'out' / 'store').exists()
