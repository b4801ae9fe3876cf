import pandas as pd
import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

HEADER = [
    *('Subject', 'Filename', None, 'OnsetF', 'ApexF1', 'ApexF2', 'OffsetF'),
    *(None, 'Onset', 'Total', 'AU', 'Emotion'),
]
SECTION_A = (1, 'EP90_12', 73, 81, '\\', 91, 4, 'tense')
SECTION_B = (8, 'EP91_5', 13, 21, 25, 33, 'R12', 'comtempt')


def write_section(path, *clips):
    rows = [(*clip[:2], None, *clip[2:6], None, 150, 316.67, *clip[6:]) for clip in clips]
    return write_sheet(path, HEADER, rows)


@pytest.fixture
def casme(tmp_path):
    """Both sections as they are shipped: a sheet and a tree each, frames with the clip's name and without."""
    write_section(tmp_path / 'CASME_A/Section A/Section A.xlsx', SECTION_A)
    write_section(tmp_path / 'CASME_B/Section B/Section B.xlsx', SECTION_B)
    touch_frames(tmp_path / 'CASME_A/Section A/sub01/EP90_12', range(70, 95), 'EP90_12-{}.jpg')
    touch_frames(tmp_path / 'CASME_B/Section B/sub08/EP91_5', range(1, 40), 'img{:03d}.jpg')
    (tmp_path / 'CASME_A/Section A/sub01/EP90_12/Thumbs.db').touch()
    return tmp_path


def test_expressions_of_one_video_are_clips_with_the_onset_in_their_names(tmp_path):
    clips = [
        (1, 'EP01_12', 10, 14, '\\', 20, 4, 'tense'),
        ('1', 'ep01_12', '40', 43, None, 50, 14, 'repression'),
        (2, 'EP01_12', 40, 43, 45, 50, 14, 'repression'),
    ]
    write_section(tmp_path / 'CASME-coded.xlsx', *clips)
    touch_frames(tmp_path / 'Cropped/sub01/EP01_12', range(10, 51), 'reg_EP01_12-{}.jpg')
    touch_frames(tmp_path / 'Cropped/sub02/EP01_12', range(40, 51), 'reg_EP01_12-{}.jpg')
    reading = read('casme', tmp_path)
    table = reading.table.set_index('sample_id')
    assert table.index.tolist() == ['casme/sub01/EP01_12_10', 'casme/sub01/ep01_12_40', 'casme/sub02/EP01_12']
    assert table['frames_dir'].tolist() == ['sub01/EP01_12', 'sub01/EP01_12', 'sub02/EP01_12']
    assert table['emotion'].tolist() == ['tense', 'repression', 'repression']
    assert [list(frames)[:: len(frames) - 1] for frames in reading.frames.values()] == [[10, 20], [40, 50], [40, 50]]
    assert reading.notes.empty


def test_expressions_that_begin_and_end_together_have_the_apex_in_their_names(tmp_path):
    clips = [(1, 'EP01_12', 10, apex, None, '\\', 4, 'tense') for apex in (14, 17)]
    table = read('casme', sheets=[write_section(tmp_path / 'casme.xlsx', *clips)], with_frames=False).table
    assert table[['clip', 'offset']].to_numpy().tolist() == [['EP01_12_14', 14], ['EP01_12_17', 17]]


@pytest.mark.parametrize('apex', [15, None])
def test_two_rows_of_one_span_are_refused(tmp_path, apex):
    clips = [(1, 'EP01_12', 10, number, None, 20, 4, 'tense') for number in (14, apex)]
    with pytest.raises(InputError, match='EP01_12 occurs twice, and the rows differ'):
        read('casme', sheets=[write_section(tmp_path / 'casme.xlsx', *clips)], with_frames=False)


def test_a_sheet_of_the_real_shape_keeps_its_197_rows(tmp_path):
    """162 names of one row, 10 of two and 5 of three: 197 rows, 177 names, 35 rows that share a name."""
    times = repeat({1: 162, 2: 10, 3: 5})
    clips = [
        (row % 19 + 1, f'EP{row:02d}_1', 30 * take, 30 * take + 4, '\\', 30 * take + 9, 4, 'tense')
        for row, number in enumerate(times)
        for take in range(number)
    ]
    table = read('casme', sheets=[write_section(tmp_path / 'casme.xlsx', *clips)], with_frames=False).table
    assert (len(clips), len(table), table['subject'].nunique()) == (197, 197, 19)
    assert table['sample_id'].is_unique
    assert table['clip'].str.fullmatch(r'EP\d+_1_\d+').sum() == 35


@pytest.mark.parametrize('column', [2, 3, 5])
def test_versions_that_disagree_about_a_frame_number_are_refused(tmp_path, column):
    first = write_section(tmp_path / 'a.xlsx', SECTION_A)
    second = write_section(tmp_path / 'b.xlsx', (*SECTION_A[:column], SECTION_A[column] + 1, *SECTION_A[column + 1 :]))
    with pytest.raises(InputError, match=r'a.xlsx .* and .*b.xlsx .*: sub01 EP90_12 occurs twice, and the rows differ'):
        read('casme', sheets=[first, second], with_frames=False)


def test_sections_in_one_workbook_are_read_together_and_a_copy_is_noted(tmp_path):
    rows = {'A': [SECTION_A], 'B': [SECTION_B], 'old A': [(*SECTION_A[:-1], 'fear')]}
    with pd.ExcelWriter(tmp_path / 'casme.xlsx') as book:
        for name, clips in rows.items():
            cells = [(*clip[:2], None, *clip[2:6], None, 150, 316.67, *clip[6:]) for clip in clips]
            pd.DataFrame([HEADER, *cells]).to_excel(book, sheet_name=name, header=False, index=False)
    reading = read('casme', tmp_path, with_frames=False)
    assert reading.table['emotion'].tolist() == ['tense', 'contempt']
    assert reading.notes['detail'].str.contains(r'\[old A\] has the same columns and is not read').tolist() == [True]


def test_two_sections_are_read_as_one_data_set(casme):
    reading = read('casme', casme)
    assert reading.table['sample_id'].tolist() == ['casme/sub01/EP90_12', 'casme/sub08/EP91_5']
    assert reading.table['frames_dir'].str.split('/').str[0].tolist() == ['CASME_A', 'CASME_B']
    assert reading.frames['casme/sub01/EP90_12'].keys() == set(range(73, 92))
    assert reading.frames['casme/sub08/EP91_5'].keys() == set(range(13, 34))
    assert reading.notes.empty


def test_the_first_apex_is_the_apex_and_durations_are_no_frames(casme):
    clip = read('casme', casme).table.iloc[1]
    assert (clip.onset, clip.apex, clip.offset, clip.fps) == (13, 21, 33, 60)
    assert (clip.emotion, clip.action_units) == ('contempt', 'R12')


def test_a_clip_without_an_offset_ends_at_its_apex(tmp_path):
    clips = [
        (1, f'EP90_{number}', 73, 81, '\\', offset, 4, 'tense') for number, offset in enumerate(['\\', None, 73, 'x'])
    ]
    reading = read('casme', sheets=[write_section(tmp_path / 'casme.xlsx', *clips)], with_frames=False)
    assert reading.table[['clip', 'offset']].to_numpy().tolist() == [['EP90_0', 81], ['EP90_1', 81]]
    notes = details(reading)
    assert [key for key in notes if key[1] == 'EP90_0'] == [('sub01', 'EP90_0', 'no offset')]
    assert notes['sub01', 'EP90_0', 'no offset'] == 'offset is not known: the clip ends at its apex 81'
    assert notes['sub01', 'EP90_2', 'wrong numbers'] == 'offset 73 is not after onset 73: left out'
    assert notes['sub01', 'EP90_3', 'wrong numbers'] == 'onset or offset is not known: left out'


def test_a_clip_with_neither_offset_nor_apex_is_left_out(tmp_path):
    lost = (1, 'EP90_13', 73, '\\', '\\', '\\', 4, 'tense')
    reading = read('casme', sheets=[write_section(tmp_path / 'casme.csv', SECTION_A, lost)], with_frames=False)
    assert reading.table['clip'].tolist() == ['EP90_12']
    assert details(reading)['sub01', 'EP90_13', 'wrong numbers'] == 'onset or offset is not known: left out'


@pytest.mark.parametrize('name', ['reg_EP90_12-{}.jpg', 'EP90_12-{:03d}.JPG', 'img{}.bmp', 'reg_img{}.jpg'])
def test_frames_are_found_under_each_of_their_names(tmp_path, name):
    sheet = write_section(tmp_path / 'CASME-coded-20190721.xlsx', SECTION_A)
    touch_frames(tmp_path / 'Cropped/Cropped/Sub1/ep90_12', range(73, 92), name)
    reading = read('casme', tmp_path)
    assert [found.path for found in reading.rows.sheets] == [sheet]
    assert reading.frames['casme/sub01/EP90_12'].keys() == set(range(73, 92))


def test_of_raw_and_cropped_frames_one_must_be_named(casme):
    cropped = casme / 'Cropped'
    touch_frames(cropped / 'sub01/EP90_12', range(73, 92), 'reg_EP90_12-{}.jpg')
    with pytest.raises(InputError, match=r'Section A/.* and .*Cropped/sub01/EP90_12: expected one .* name a folder'):
        read('casme', casme)
    reading = read('casme', casme, frames=cropped)
    assert reading.table['clip'].tolist() == ['EP90_12']
    assert details(reading) == {('sub08', 'EP91_5', 'left out'): 'no folder sub08/EP91_5'}


def test_rows_that_a_merged_sheet_repeats_are_read_once(casme):
    write_section(casme / 'casme.xlsx', SECTION_A, (8, 'ep91_5', *SECTION_B[2:]))
    reading = read('casme', casme)
    assert reading.table['clip'].tolist() == ['EP90_12', 'ep91_5']
    assert set(details(reading)) == {('sub01', 'EP90_12', 'row repeated'), ('sub08', 'EP91_5', 'row repeated')}


def test_rows_of_a_clip_that_differ_are_refused_with_all_their_sheets(casme):
    write_section(casme / 'casme.xlsx', (1, 'ep90_12', 73, 80, *SECTION_A[4:]))
    with pytest.raises(
        InputError, match=r'casme.xlsx \[Sheet1\] and .*Section A.xlsx .*ep90_12 occurs twice, and the rows'
    ):
        read('casme', casme)
    assert len(read('casme', casme, sheets=[casme / 'casme.xlsx']).table) == 1


def test_a_sheet_of_casme2_is_not_taken_for_casme(tmp_path):
    sheet = write_sheet(
        tmp_path / 'CASME2-coding.xlsx', ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame'], [(1, 'EP90')]
    )
    with pytest.raises(InputError, match='expected a header row with Subject, Filename, OnsetF, ApexF1, OffsetF'):
        read('casme', sheets=[sheet], with_frames=False)
