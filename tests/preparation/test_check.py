import os

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.preparation.check import check_dataset
from mer_bench.preparation.prepare import prepare_dataset
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.flow_store import FlowStore

HEADER = ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'Action Units', 'Estimated Emotion']
CLIP = 'SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_01'


@pytest.fixture
def casme2(smic_raw):
    """The pictures of two clips under the names of CASME II, and a sheet of three rows."""
    for clip, name in (('s1/micro/negative/s1_ne_01', 'EP1'), ('s1/micro/positive/s1_po_01', 'EP2')):
        folder = smic_raw / 'Cropped/sub01' / name
        folder.mkdir(parents=True)
        for path in (smic_raw / 'SMIC_all_cropped/HS' / clip).iterdir():
            path.rename(folder / path.name.replace('image', 'img'))
    rows = [(1, 'EP1', 98, 100, 102, 4, 'fear'), (1, 'EP2', 98, '/', 102, 4, 'fear'), (1, 'EP3', 9, 5, 3, 4, 'fear')]
    pd.DataFrame(rows, columns=HEADER).to_excel(smic_raw / 'CASME2-coding.xlsx', index=False)
    return smic_raw


def test_faults_of_the_sheet_are_separate_from_those_of_frames(casme2, tmp_path, capsys):
    assert check_dataset(DATASETS['casme2'], Places(casme2), tmp_path)
    told = capsys.readouterr().out
    assert 'clips without a known apex: 1' in told
    assert 'clips without a usable onset and offset in the sheet: 1' in told
    assert 'clips that lack a frame or have a damaged one: 0\n' in told
    assert f'sheet: {casme2 / "CASME2-coding.xlsx"} [Sheet1]' in told


def test_a_damaged_frame_and_a_missing_one_are_faults(casme2, tmp_path, capsys):
    (casme2 / 'Cropped/sub01/EP1/reg_img99.bmp').write_text('no picture')
    (casme2 / 'Cropped/sub01/EP2/reg_img98.bmp').unlink()
    assert not check_dataset(DATASETS['casme2'], Places(casme2), tmp_path)
    assert 'clips that lack a frame or have a damaged one: 2' in capsys.readouterr().out


def test_check_shows_the_first_twelve_notes_and_writes_all_to_the_report(tmp_path, capsys):
    rows = [(1, f'EP{number:02d}', 9, 5, 3, 4, 'fear') for number in range(20)]
    (tmp_path / 'sub01/EP99').mkdir(parents=True)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f'sub01/EP99/img{number}.jpg'), np.zeros((9, 9)))
    rows.append((1, 'EP99', 1, 2, 2, 4, 'fear'))
    pd.DataFrame(rows, columns=HEADER).to_excel(tmp_path / 'CASME2-coding.xlsx', index=False)
    assert check_dataset(DATASETS['casme2'], Places(tmp_path), tmp_path / 'out')
    shown = capsys.readouterr().out
    assert 'wrong numbers: 20' in shown
    assert shown.count('sub01 EP') == 12
    assert f'and 8 more in {tmp_path}/out/report.csv' in shown
    assert len(pd.read_csv(tmp_path / 'out/report.csv')) == 20


def prepare_smic(raw, out, **options):
    prepare_dataset(DATASETS['smic'], Places(raw), out, FlowSettings('dis', 1, 28), FaceSettings(), 1, **options)


def test_clips_with_a_damaged_picture_are_left_out_on_demand(smic_raw, tmp_path):
    (smic_raw / CLIP / 'reg_image99.bmp').write_text('no picture')  # no sampled frame
    prepare_smic(smic_raw, tmp_path / 'out', skip_damaged=True)
    assert read_annotations(tmp_path / 'out/annotations.csv')['clip'].tolist() == [
        's01_ne_01',
        's01_po_01',
        's02_ne_01',
    ]
    (note,) = pd.read_csv(tmp_path / 'out/report.csv').itertuples()
    assert (note.clip, note.kind) == ('s02_sur_01', 'damaged')
    assert 'reg_image99.bmp' in note.detail


def test_a_damaged_picture_otherwise_names_the_option(smic_raw, tmp_path):
    (smic_raw / CLIP / 'reg_image100.bmp').write_text('no picture')
    with pytest.raises(InputError, match=r'restore it, or leave such clips out with --skip-damaged'):
        prepare_smic(smic_raw, tmp_path / 'out')


def test_a_pipe_in_place_of_a_frame_is_refused_or_its_clip_left_out_and_never_waited_for(smic_raw, tmp_path):
    frame = smic_raw / CLIP / 'reg_image99.bmp'
    frame.unlink()
    os.mkfifo(frame)
    with pytest.raises(InputError, match=r'reg_image99.bmp: expected a file, found a pipe; .* --skip-damaged'):
        prepare_smic(smic_raw, tmp_path / 'out')
    prepare_smic(smic_raw, tmp_path / 'out', skip_damaged=True)
    assert len(read_annotations(tmp_path / 'out/annotations.csv')) == 3


def test_what_became_of_sixteen_bits_is_in_the_report_and_the_store_is_not_that_of_eight(smic_raw, tmp_path):
    prepare_smic(smic_raw, tmp_path / 'out')
    for path in smic_raw.rglob('*.bmp'):
        cv2.imwrite(str(path.with_suffix('.png')), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 4)
        path.unlink()
    prepare_smic(smic_raw, tmp_path / 'out')
    report = pd.read_csv(tmp_path / 'out/report.csv')
    assert report['kind'].tolist() == ['16-bit pictures'] * 4
    assert report['detail'].str.fullmatch(r'levels \d+ to \d+ become \d+ to \d+ in all frames').all()
    assert 'one scale for all frames of a clip' in FlowStore(tmp_path / 'out/store').info['levels']
