import pandas as pd
import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

HEADER = ['Subject', 'Filename', None, 'OnsetF', 'OffsetF', 'Onset2F', 'Offset2F', 'Onset3F', 'Offset3F', None]
HEADER += ['FirstF', 'LastF', 'TotalMF1', 'TotalMF2', 'TotalMF3', 'TotalVL', 'Emotion']
CLIPS = [(20, 's20_ne_01', 17581039, 17581055, 'NEGATIVE'), (1, 's1_sur_01', 559740, 559760, 'surprise')]


def write_smic_e(path, clips=CLIPS, header=HEADER):
    rows = [
        (subject, clip, None, onset, offset, *[None] * 5, onset - 9, offset + 9, *[None] * 4, *emotion)
        for subject, clip, onset, offset, *emotion in clips
    ]
    return write_sheet(path, header, [*rows, ['Onset2F is the second expression of a clip']])


@pytest.fixture
def smic_e(tmp_path):
    """The sheet and the frames of two clips of SMIC-E-HS, each longer than its expression."""
    hs = tmp_path / 'SMIC-E_raw image/HS_long/SMIC-HS-E'
    write_smic_e(hs / 'SMIC-HS-E_annotation.xlsx')
    touch_frames(hs / 'HS/s20/s20_ne_01', range(17581030, 17581070), 'image{}.jpg')
    touch_frames(hs / 'HS/s01/s1_sur_01', range(559700, 559800), 'image{:06d}.jpg')
    return tmp_path


def test_a_row_of_the_sheet_becomes_a_row_of_the_table(smic_e):
    reading = read('smic_e_hs', smic_e)
    assert reading.table['sample_id'].tolist() == ['smic_e_hs/s01/s01_sur_01', 'smic_e_hs/s20/s20_ne_01']
    assert reading.table['emotion'].tolist() == ['surprise', 'negative']
    assert reading.table['frames_dir'].tolist() == ['s01/s1_sur_01', 's20/s20_ne_01']
    assert reading.table['apex'].isna().all()
    assert (reading.table['fps'] == 100).all()
    assert reading.notes['detail'].str.endswith(']: Onset2F is the second expression of a clip').tolist() == [True]


def test_only_frames_from_onset_to_offset_belong_to_the_clip(smic_e):
    reading = read('smic_e_hs', smic_e)
    assert list(reading.frames['smic_e_hs/s01/s01_sur_01']) == list(range(559740, 559761))


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    """65, 51 and 41 by the names of the clips; the cell of s18_sur_03 says negative."""
    codes = repeat({'ne': 65, 'po': 51, 'sur': 40})
    emotions = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}
    clips = [(1, f's1_{code}_{row:03d}', 1, 9, emotions[code]) for row, code in enumerate(codes)]
    sheet = write_smic_e(tmp_path / 'SMIC-HS-E_annotation_2019.xlsx', [*clips, (18, 's18_sur_03', 1, 9, 'Negative')])
    reading = read('smic_e_hs', sheets=[sheet], with_frames=False)
    assert len(reading.table) == 157
    assert reading.table['emotion'].value_counts().to_dict() == {'negative': 65, 'positive': 51, 'surprise': 41}
    assert list(details(reading))[1:] == [('s18', 's18_sur_03', 'corrected')]


@pytest.mark.parametrize(
    ('part', 'sheet', 'name'),
    [('VIS', 'SMIC_VIS_E_annotation.xlsx', '{:05d}.jpg'), ('NIR', 'SMIC-NIR-E_annotation.xlsx', 'Image {:05d}.jpg')],
)
def test_vis_and_nir_have_sheets_of_their_own(smic_e, part, sheet, name):
    folder = smic_e / f'SMIC-E_raw image/{part}_long/SMIC-{part}-E'
    header = [f'{cell} NIR' if part == 'NIR' and cell in ('OnsetF', 'OffsetF') else cell for cell in HEADER]
    write_smic_e(folder.parent / sheet, [(11, 's11_po_02', 1234, 1250)], header)
    touch_frames(folder / 's11/s11_po_02', range(1200, 1300), name)
    table = read(f'smic_e_{part.lower()}', smic_e).table
    assert table.loc[0, ['onset', 'offset', 'fps', 'emotion']].tolist() == [1234, 1250, 25, 'positive']


@pytest.fixture
def workbook(tmp_path):
    """One workbook with HS, VIS and more in sheets of the same columns."""
    path = tmp_path / 'SMIC-HS-E_annotation_2019.xlsx'
    header = ['Subject', 'Filename', 'OnsetF', 'OffsetF', 'Emotion']
    clips = {'HS': 157, 'SMIC-E_VIS': 71}
    with pd.ExcelWriter(path) as book:
        for name, number in clips.items():
            rows = [(row % 8 + 11, f's{row % 8 + 11}_ne_{row}', 5, 9, 'negative') for row in range(number)]
            pd.DataFrame(rows, columns=header).to_excel(book, sheet_name=name, index=False)
    return path


def test_of_a_workbook_with_a_sheet_for_each_part_the_own_one_is_read(workbook):
    for places in ({'sheets': [workbook]}, {'raw': workbook.parent}):
        counts = [len(read(name, **places, with_frames=False).table) for name in ('smic_e_hs', 'smic_e_vis')]
        assert counts == [157, 71]


def test_a_part_that_the_workbook_lacks_is_refused(workbook):
    fault = r'\[HS\]: expected the sheet of SMIC-E-NIR, found that of SMIC-E-HS; give SMIC-NIR-E_annotation.xlsx, or'
    for places in ({'sheets': [workbook]}, {'raw': workbook.parent}):
        with pytest.raises(InputError, match=fault):
            read('smic_e_nir', **places, with_frames=False)


def test_the_sheet_of_another_part_is_recognised_by_its_file(tmp_path):
    sheet = write_smic_e(tmp_path / 'SMIC_HS_E_annotation.xlsx')
    with pytest.raises(InputError, match='expected the sheet of SMIC-E-VIS, found that of SMIC-E-HS'):
        read('smic_e_vis', sheets=[sheet], with_frames=False)


def test_nir_takes_its_own_frame_numbers(tmp_path):
    header = ['Subject', 'Filename', 'OnsetF', 'OffsetF', 'OnsetF NIR', 'OffsetF NIR', 'Emotion']
    sheet = write_sheet(tmp_path / 'nir.xlsx', header, [(11, 's11_po_02', 5, 9, 15, 19, 'positive')])
    for name, onset in (('smic_e_vis', 5), ('smic_e_nir', 15)):
        assert read(name, sheets=[sheet], with_frames=False).table['onset'].tolist() == [onset]


def test_a_clip_without_a_folder_is_left_out_with_a_note(smic_e):
    sheet = write_smic_e(smic_e / 'sheet.xlsx', [*CLIPS, (2, 's2_sur_05', 1, 9, 'surprise')])
    reading = read('smic_e_hs', smic_e, sheets=[sheet])
    assert len(reading.table) == 2
    assert details(reading)['s02', 's02_sur_05', 'left out'] == 'no folder s02/s02_sur_05'


def test_smic_itself_is_not_taken_for_smic_e(tmp_path):
    sheet = write_smic_e(tmp_path / 'SMIC-HS-E_annotation.xlsx')
    touch_frames(tmp_path / 'HS/s1/micro/surprise/s1_sur_01', range(559740, 559761), 'image{}.bmp')
    with pytest.raises(InputError, match=r'expected SMIC-HS-E_annotation.xlsx .*, found 21 .bmp'):
        read('smic_e_hs', tmp_path, sheets=[sheet])
