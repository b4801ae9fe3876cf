import os
import re
import shutil
import signal
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.preparation import prepare
from mer_bench.preparation.faces import clip_faces
from mer_bench.preparation.faces.clip_faces import FoundFace
from mer_bench.preparation.faces.detection import Face
from mer_bench.preparation.flow import clip_flow
from mer_bench.preparation.frames import SPOTTING_REGIONS
from mer_bench.preparation.prepare import prepare_dataset, write_table
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.build import read_done, start_build
from mer_bench.preparation.store.fill import compute_clips
from mer_bench.preparation.store.flow_store import FlowStore
from mer_bench.processes import in_parallel
from tests.datasets.raw_data import write_sheet

SETTINGS = FlowSettings('dis', clip_len=4, size=28)


def prepare_smic(raw, out, settings, workers):
    prepare_dataset(DATASETS['smic'], Places(raw), out, settings, FaceSettings(), workers)


def apexes_of(out):
    return pd.read_csv(out / 'store' / 'index.csv')['apex'].tolist()


def test_smic_becomes_annotations_and_a_store_of_the_same_clips(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    annotations, store = read_annotations(tmp_path / 'out' / 'annotations.csv'), FlowStore(tmp_path / 'out' / 'store')
    assert list(store.index) == annotations['sample_id'].tolist()
    assert store.clips.shape == (4, 3, 4, 28, 28)
    assert annotations['apex'].isna().all()
    assert apexes_of(tmp_path / 'out') == [100] * 4
    assert store.info['apex'] == {'middle': 4}
    assert 'spotting_regions' not in store.info
    assert '--data-root' in capsys.readouterr().out


def test_an_emotion_that_no_label_scheme_knows_is_named(tmp_path, capsys):
    header = ['subject', 'clip', 'onset', 'offset', 'emotion']
    rows = [(f's{row}', 'a', 1, 9, emotion) for row, emotion in enumerate(['Happy', '7', 'joy', '7'])]
    sheet = write_sheet(tmp_path / 'own.csv', header, rows)
    write_table(DATASETS['csv'], Places(sheets=(sheet,)), tmp_path / 'out')
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith('note: ')]
    assert line.startswith("note: no label scheme knows the emotion '7' (2 clips), 'joy' (1 clip); correct the sheet")


def test_preparing_from_python_takes_the_options_of_the_tool_and_returns_the_folder(smic_raw, tmp_path):
    out = prepare.prepare('smic', str(smic_raw), tmp_path / 'out', flow='dis', clip_len=4, size=28, workers=1)
    prepare_smic(smic_raw, tmp_path / 'same', SETTINGS, workers=1)
    assert out == tmp_path / 'out'
    stores = [FlowStore(folder / 'store').info for folder in (out, tmp_path / 'same')]
    assert stores[0]['data_digest'] == stores[1]['data_digest']


@pytest.mark.parametrize(
    ('dataset', 'options', 'said'),
    [
        ('smicc', {}, "no data set 'smicc' .did you mean smic"),
        ('smic', {'raw': None}, 'expected --raw DIR'),
        ('smic', {'columns': ['subject']}, '--columns and --classes are for a table of your own'),
        ('smic', {'faces': 'haar'}, "face detector 'haar' is not one of"),
        ('smic', {'workers': 0}, 'workers must be at least 1'),
    ],
)
def test_a_wrong_option_in_python_is_an_input_error(tmp_path, dataset, options, said):
    with pytest.raises(InputError, match=said):
        prepare.prepare(dataset, **{'raw': tmp_path, 'out': tmp_path / 'out'} | options)


def test_two_workers_give_the_same_store_as_one(smic_raw, tmp_path):
    for workers in (1, 2):
        prepare_smic(smic_raw, tmp_path / str(workers), SETTINGS, workers)
    one, two = (FlowStore(tmp_path / name / 'store').info for name in '12')
    assert one['data_digest'] == two['data_digest']
    assert one['annotations_digest'] == two['annotations_digest']


def test_the_spotted_apex_is_recorded_with_the_regions_it_was_spotted_in(smic_raw, tmp_path, capsys):
    prepare_smic(smic_raw, tmp_path / 'out', FlowSettings('dis', 1, 28, 'spotted'), workers=1)
    assert apexes_of(tmp_path / 'out') == [101] * 4
    regions = FlowStore(tmp_path / 'out' / 'store').info['spotting_regions']
    assert regions['mouth'] == list(SPOTTING_REGIONS['mouth'])
    assert 'shares of a cropped face' in capsys.readouterr().out


def test_a_frame_of_something_else_is_named_in_the_report_and_on_the_screen_each_time(smic_raw, tmp_path, capsys):
    black = next(smic_raw.rglob('s1_po_01/reg_image101.bmp'))
    cv2.imwrite(str(black), np.zeros((64, 72), np.uint8))
    for _ in range(2):  # the second time the store is complete
        prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
        (note,) = pd.read_csv(tmp_path / 'out' / 'report.csv').itertuples()
        assert (note.subject, note.clip, note.kind) == ('s01', 's01_po_01', 'unlike frames')
        assert 'the first 98 and 101, have little in common' in note.detail
        assert 's01 s01_po_01: unlike frames: ' in capsys.readouterr().out


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
        (FlowSettings('dis', 4, 28, 'spotted'), 'apex middle 4 -> none, apex spotted none -> 4'),
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
    assert 'the clips or their frames' in capsys.readouterr().out
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['offset'].tolist() == [103, 102, 102, 102]


def test_a_frame_with_other_grey_levels_and_the_same_size_gives_a_new_store(smic_raw, tmp_path, capsys):
    def info(name):
        return {key: value for key, value in FlowStore(tmp_path / name / 'store').info.items() if key != 'seconds'}

    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    prepare_smic(shutil.copytree(smic_raw, tmp_path / 'moved'), tmp_path / 'copy', SETTINGS, workers=1)
    first = info('out')
    assert info('copy') == first  # wherever the frames lie
    picture = smic_raw / 'SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image101.bmp'
    content = picture.read_bytes()
    picture.write_bytes(content[:-100] + bytes(255 - level for level in content[-100:]))
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert 'the clips or their frames' in capsys.readouterr().out
    assert {key for key, value in info('out').items() if value != first[key]} == {
        *('frames_digest', 'data_digest', 'parameters_digest'),
    }


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


@pytest.mark.parametrize('part', ['flow.npy', 'store.json'])
def test_damage_is_reported(smic_raw, tmp_path, capsys, part):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    (tmp_path / 'out' / 'store' / part).write_text('{')
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert re.search(rf'store is damaged \({part}.*\): all clips are recomputed', capsys.readouterr().out)
    assert len(FlowStore(tmp_path / 'out' / 'store').clips) == 4


def test_a_deleted_table_is_written_again_without_computing(smic_raw, tmp_path, monkeypatch):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    path = tmp_path / 'out' / 'annotations.csv'
    whole = path.read_bytes()
    path.unlink()
    monkeypatch.setattr(prepare, 'clip_flow', None)
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b'negative', b'disgust'))
    with pytest.raises(InputError, match='changed since'):
        prepare_smic(smic_raw, tmp_path / 'out', FlowSettings('farneback', 4, 28), workers=1)


def test_a_frame_under_another_number_gives_a_new_store(smic_raw, tmp_path, capsys):
    """The same pictures in the same order, and the same row of the table."""
    clip = smic_raw / 'SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01'
    (clip / 'reg_image101.bmp').unlink()
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    (clip / 'reg_image100.bmp').rename(clip / 'reg_image101.bmp')
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert 'the clips or their frames' in capsys.readouterr().out


def faces_stub(*faces):
    return lambda out, *_: ((out / 'faces.csv').touch(), [FoundFace(*face) for face in faces])[1]


def test_what_asks_for_a_look_at_a_face_is_noted(smic_raw, tmp_path, monkeypatch, capsys):
    """Textures have no nose: each clip is noted as not stabilised, or with its motion."""
    face, two = Face(1, 0, 0, 0, 0, 0, 64, 64), Face(1, 0, 0, 0, 0, 0, 64, 64, n_faces=2)
    monkeypatch.setattr(clip_faces, 'find_faces', faces_stub((face, 98), (face, 99), (two, 98), (None, None)))
    monkeypatch.setattr(clip_flow, 'face_parameters', asdict)
    steady = FaceSettings('dlib', 64, stabilise=True)
    for _ in range(2):  # the second finds the store finished
        prepare_dataset(DATASETS['smic'], Places(smic_raw), tmp_path / 'out', SETTINGS, steady, 1)
        report = pd.read_csv(tmp_path / 'out' / 'report.csv')
        kinds = report[~report['kind'].isin(['head motion', 'not stabilised'])].set_index('clip')['kind'].to_dict()
        assert kinds == {'s01_po_01': 'face not on the onset', 's02_ne_01': 'several faces', 's02_sur_01': 'no face'}
        assert report['kind'].isin(['head motion', 'not stabilised']).sum() == 3
        assert 'in five frames from onset to apex' in report.set_index('kind').loc['no face', 'detail']
    shown = capsys.readouterr().out
    assert 'several faces: 2 on frame 98' in shown
    assert 'head motion' not in shown


def test_faces_of_an_earlier_run_go(smic_raw, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'faces.csv').touch()
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    assert not (tmp_path / 'out' / 'faces.csv').exists()


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_one_sentence():
    with (
        pytest.raises(InputError, match='fewer --workers than 2'),
        in_parallel(killed, [(1,), (2,)], 2) as results,
    ):
        list(results)


def test_a_bad_preview_is_refused_before_the_work(smic_raw, tmp_path):
    with pytest.raises(InputError, match=r'ends in \.png'):
        prepare_dataset(
            DATASETS['smic'], Places(smic_raw), tmp_path / 'out', SETTINGS, FaceSettings(), 1, Path('preview.jpg')
        )
    assert not (tmp_path / 'out').exists()


def test_finished_clips_are_not_computed_again(tmp_path):
    build = start_build(tmp_path, {'a': 1}, (3, 3, 1, 28, 28))
    (build / 'done.txt').write_text('0,,0.5,\n2,,0.5,\n1,')
    computed = []
    compute_clips(
        build, lambda row: (computed.append(row), (np.ones((3, 1, 28, 28)), None, ''))[1], [(0,), (1,), (2,)], 1
    )
    assert computed == [1]
    assert read_done(build).keys() == {0, 1, 2}


@pytest.mark.parametrize('workers', [1, 2])
def test_a_fault_in_a_worker_reaches_the_user_as_its_sentence(smic_raw, tmp_path, workers):
    picture = smic_raw / 'SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_01/reg_image99.bmp'
    picture.write_text('no picture')
    with pytest.raises(InputError, match=r'reg_image99.bmp: expected a picture'):
        prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers)
    assert not (tmp_path / 'out' / 'store').exists()


def test_the_store_of_another_data_set_is_not_replaced(smic_raw, tmp_path):
    prepare_smic(smic_raw, tmp_path / 'out', SETTINGS, workers=1)
    for tree in smic_raw.rglob('HS'):
        tree.rename(tree.with_name('VIS'))
    with pytest.raises(
        InputError, match='expected an empty folder or one of smic_vis, it holds smic; give another --out'
    ):
        prepare_dataset(DATASETS['smic_vis'], Places(smic_raw), tmp_path / 'out', SETTINGS, FaceSettings(), 1)
