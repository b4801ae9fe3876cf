import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.action_units import parse_action_units
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

SHEET = 'SAMM_Micro_FACS_Codes_v2.xlsx'
HEADER = 'Subject,Filename,Inducement Code,Onset Frame,Apex Frame,Offset Frame,Duration,Micro,Action Units,'
HEADER = (HEADER + 'Estimated Emotion,Objective Classes,Notes').split(',')
NOTES = [['Micro-movements; coded by hand'], *[[None]] * 12]  # the owner's header is in row 14
CLIPS = [('006', '006_9_2', 5562, 5588, 5632, '4', 'Anger', 3), ('011', '011_9_1', 180, 200, 230, 'L12', 'Other', 7)]


def write_samm(path, clips=CLIPS, above=NOTES):
    """Durations are formulas without a stored value, as some programs write them."""
    rows = [
        (subject, clip, 1, onset, apex, offset, f'=F{row}-D{row}+1', 'Micro - 1/2', *rest, None)
        for row, (subject, clip, onset, apex, offset, *rest) in enumerate(clips, start=15)
    ]
    return write_sheet(path, HEADER, rows, above, sheet='MICRO_ONLY')


@pytest.fixture
def samm(tmp_path):
    """Sheet and frames of two clips, padded to five and to four digits."""
    write_samm(tmp_path / SHEET)
    touch_frames(tmp_path / 'SAMM/006/006_9_2', range(5562, 5633), '006_{:05d}.jpg')
    touch_frames(tmp_path / 'SAMM/011/011_9_1', range(180, 231), '011_{:04d}.jpg')
    (tmp_path / 'SAMM/.DS_Store').touch()
    return tmp_path


def test_a_row_of_the_sheet_becomes_a_row_of_the_table(samm):
    reading = read('samm', samm)
    assert reading.table['sample_id'].tolist() == ['samm/006/006_9_2', 'samm/011/011_9_1']
    assert reading.table['emotion'].tolist() == ['anger', 'others']
    assert reading.table['objective_class'].tolist() == ['III', 'VII']
    assert reading.table['action_units'].tolist() == ['4', 'L12']
    assert reading.table['frames_dir'].tolist() == ['006/006_9_2', '011/011_9_1']
    assert (reading.table['fps'] == 200).all()


def test_frames_are_known_by_number_with_any_padding(samm):
    reading = read('samm', samm)
    assert reading.table['onset'].tolist() == [5562, 180]
    assert reading.frames['samm/006/006_9_2'][5588].name == '006_05588.jpg'
    assert reading.frames['samm/011/011_9_1'][200].name == '011_0200.jpg'
    assert reading.notes.empty


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    emotions = dict(zip(('Anger', 'Other', 'Happiness', 'Surprise'), (57, 26, 26, 15), strict=True))
    emotions |= {'Contempt': 12, 'Disgust': 9, 'Fear': 8, 'Sadness': 6}
    classes = dict(zip(range(1, 8), (24, 13, 20, 8, 3, 7, 84), strict=True))
    numbers = [number for number in range(6, 38) if number not in (8, 27, 29)]
    pairs = zip(repeat(emotions), repeat(classes), strict=True)
    clips = [
        (numbers[row % 29], f'{numbers[row % 29]:03d}_9_{row}', 1, 5, 9, '4', emotion, objective)
        for row, (emotion, objective) in enumerate(pairs)
    ]
    table = read('samm', sheets=[write_samm(tmp_path / SHEET, clips)], with_frames=False).table
    assert len(table) == 159
    assert table['subject'].nunique() == 29
    assert table['emotion'].value_counts().to_dict() == {
        **{emotion.lower(): number for emotion, number in emotions.items() if emotion != 'Other'},
        'others': 26,
    }
    romans = dict(zip(('I', 'II', 'III', 'IV', 'V', 'VI', 'VII'), classes.values(), strict=True))
    assert table['objective_class'].value_counts().to_dict() == romans


def test_of_cells_of_the_shape_of_the_sheet_only_those_with_or_are_unknown(tmp_path):
    shapes = ['A12', 'A1B+A2C', '7C+A12B', '10A/B', 'A/L12', 'ref(7B)+43', 'R14+17+soft focus', 'R12 + R15', '4+7', 4]
    cells = [shapes[row % 10] for row in range(154)] + ['(R6 or R12)+R15'] * 2 + ['L12 or L14'] * 2 + ['R14A or 17A']
    clips = [(6, f'006_1_{row}', 1, 5, 9, cell, 'Anger', 3) for row, cell in enumerate(cells)]
    table = read('samm', sheets=[write_samm(tmp_path / SHEET, clips)], with_frames=False).table
    texts = table['action_units']
    assert len(texts) == 159
    assert sorted(texts[[parse_action_units(text) is None for text in texts]]) == sorted(cells[154:])


@pytest.mark.parametrize('above', [[], [['SAMM']], NOTES], ids=len)
@pytest.mark.parametrize('suffix', ['xlsx', 'csv'])
def test_the_header_is_found_in_any_row(tmp_path, above, suffix):
    sheet = write_samm(tmp_path / f'SAMM_20181215_Micro_FACS_Codes_v2.{suffix}', above=above)
    assert read('samm', tmp_path, with_frames=False).rows.sheets[0].path == sheet


@pytest.mark.parametrize('subject', [6, 6.0, '6', '006'])
@pytest.mark.parametrize('clip', ['006_9_2', '6_9_2'])
def test_subjects_and_clips_have_one_spelling(samm, subject, clip):
    write_samm(samm / SHEET, [(subject, clip, *CLIPS[0][2:])])
    assert read('samm', samm).table.loc[0, ['sample_id', 'frames_dir']].tolist() == ['samm/006/006_9_2', '006/006_9_2']


@pytest.mark.parametrize(('emotion', 'name'), [('Other', 'others'), ('Others', 'others'), (' Happiness ', 'happiness')])
def test_emotions_have_one_spelling(tmp_path, emotion, name):
    sheet = write_samm(tmp_path / SHEET, [(*CLIPS[0][:6], emotion, 3)])
    assert read('samm', sheets=[sheet], with_frames=False).table['emotion'].tolist() == [name]


def test_an_apex_outside_the_clip_is_unknown(tmp_path):
    clips = [('028', '028_4_1', 1071, 1, 1134, '4', 'Anger', 3), ('032', '032_3_2', 5126, 5127, 5200, '4', 'Anger', 3)]
    reading = read('samm', sheets=[write_samm(tmp_path / SHEET, clips)], with_frames=False)
    assert reading.table['apex'].isna().tolist() == [True, False]
    assert details(reading) == {('028', '028_4_1', 'unknown'): 'apex 1 is not in 1072..1134: taken as unknown'}


@pytest.mark.parametrize('folder', ['SAMM_CROP', 'SAMM/SAMM', 'samm-full/SAMM-full/SAMM'])
@pytest.mark.parametrize(('clip', 'name'), [('006/006_9_2', '006_{:05d}.jpg'), ('6/006_9_2', '{}.JPG')])
def test_frames_are_found_however_nested_and_padded(tmp_path, folder, clip, name):
    write_samm(tmp_path / folder / SHEET, CLIPS[:1])
    touch_frames(tmp_path / folder / clip, range(5562, 5633), name)
    reading = read('samm', tmp_path)
    assert reading.table['frames_dir'].tolist() == [clip]
    assert reading.rows.frames == tmp_path / folder


@pytest.mark.parametrize('folder', ['6', 's06', 'sub_006', 'sub 6'])
def test_folders_of_subjects_may_be_renamed(samm, folder):
    (samm / 'SAMM/006').rename(samm / 'SAMM' / folder)
    assert read('samm', samm).table['frames_dir'].tolist() == [f'{folder}/006_9_2', '011/011_9_1']


@pytest.mark.parametrize(('apex', 'right'), [(1930, 4930), (4931, 4931)])
def test_the_slip_in_the_apex_of_032_3_1_is_corrected(tmp_path, apex, right):
    clips = [('032', '032_3_1', 4900, apex, 4990, '4', 'Anger', 3)]
    reading = read('samm', sheets=[write_samm(tmp_path / SHEET, clips)], with_frames=False)
    assert reading.table['apex'].tolist() == [right]
    assert ('032', '032_3_1', 'corrected') in details(reading) or apex == right


def test_an_offset_behind_the_last_frame_becomes_the_last_frame(samm):
    write_samm(samm / SHEET, [(*CLIPS[0][:4], 5999, *CLIPS[0][5:]), CLIPS[1]])
    reading = read('samm', samm)
    assert reading.table['offset'].tolist() == [5632, 230]
    assert reading.notes['kind'].tolist() == ['few frames', 'no offset frame']


def test_a_clip_without_a_folder_is_left_out_with_a_note(samm):
    write_samm(samm / SHEET, [*CLIPS, ('037', '037_9_1', *CLIPS[0][2:])])
    reading = read('samm', samm)
    assert len(reading.table) == 2
    assert details(reading) == {('037', '037_9_1', 'left out'): 'no folder 037/037_9_1'}


def test_the_sheet_of_micro_expressions_is_read_and_another_noted(tmp_path):
    sheet = write_samm(tmp_path / SHEET, CLIPS[1:], above=[])
    rows = pd.read_excel(sheet)
    with pd.ExcelWriter(sheet) as book:
        for name, times in (('FULL', 2), ('Micro_Only', 1)):
            rows.assign(Subject='011').loc[[0] * times].to_excel(book, sheet_name=name, index=False)
    reading = read('samm', tmp_path, with_frames=False)
    assert str(reading.rows.sheets[0]) == f'{sheet} [Micro_Only]'
    assert reading.notes['kind'].tolist() == ['sheet']
    assert '[FULL] has the same columns and is not read' in reading.notes['detail'].iloc[0]


def test_the_sheet_of_the_long_videos_is_refused(tmp_path):
    header = ['Subject', 'Filename', 'Inducement Code', 'Onset', 'Apex', 'Offset', 'Duration', 'Type', 'Action Units']
    write_sheet(tmp_path / 'SAMM_LongVideos_V2_Release.xlsx', header, [('006', '006_9_2', 1, 1, 2, 3, 3, 'Macro', '4')])
    with pytest.raises(InputError, match=r'V2_Release.xlsx: expected a header row with .*Estimated Emotion'):
        read('samm', tmp_path)


@pytest.mark.parametrize(
    ('clips', 'fault'),
    [
        ([CLIPS[0], (6, *CLIPS[0][1:-1], 5)], '006 006_9_2 occurs twice'),
        ([('011', *CLIPS[0][1:])], 'the row of the clip 006_9_2 has the subject 011'),
    ],
)
def test_a_wrong_row_is_refused_in_one_sentence(tmp_path, clips, fault):
    with pytest.raises(InputError, match=fault):
        read('samm', sheets=[write_samm(tmp_path / SHEET, clips)], with_frames=False)


def test_a_missing_folder_names_whom_to_ask(tmp_path):
    with pytest.raises(InputError, match=r'no such folder.*Manchester'):
        read('samm', tmp_path / 'nowhere')


def test_the_sheet_of_casme2_is_not_taken_for_that_of_samm(tmp_path):
    columns = ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'Action Units', 'Estimated Emotion']
    sheet = write_sheet(tmp_path / 'coding.xlsx', columns, [(1, 'EP90_01f', 46, 59, 86, 4, 'fear')])
    with pytest.raises(
        InputError,
        match=r"clips of SAMM .*found the row '1 . EP90_01f .*, which looks like one of CASME II or CASME; prep",
    ):
        read('samm', sheets=[sheet], with_frames=False)


def test_the_sheet_of_samm_is_not_taken_for_that_of_casme2(tmp_path):
    columns = ['Subject', 'Filename', 'Onset Frame', 'Apex Frame', 'Offset Frame', 'Action Units', 'Estimated Emotion']
    sheet = write_sheet(tmp_path / 'coding.xlsx', columns, [(6, '006_1_2', 46, 59, 86, 4, 'Anger')])
    with pytest.raises(InputError, match=r'expected the clips of CASME II .*006_1_2'):
        read('casme2', sheets=[sheet], with_frames=False)
