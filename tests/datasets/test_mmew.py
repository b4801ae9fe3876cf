import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

HEADER = [
    'Subject',
    'Filename',
    'OnsetFrame',
    'ApexFrame',
    'OffsetFrame',
    'Action Units',
    'Estimated Emotion',
    'remarks',
]
CLIPS = [
    (1, 'S01-01-091', 1, 5, 14, '6+12', 'happiness', None),
    (3, 'S03-04-092', 1, 6, 15, '12L', 'others', 'made up'),
]


def write_labels(path, clips=CLIPS, header=HEADER):
    return write_sheet(path, header, clips)


@pytest.fixture
def mmew(tmp_path):
    """The released tree; the class `others` lies in a folder of another name."""
    write_labels(tmp_path / 'MMEW_Final/MMEW_Micro_Exp.xlsx')
    for folder in ('Micro_Expression/happiness/S01-01-091', 'Micro_Expression/repression/S03-04-092'):
        touch_frames(tmp_path / 'MMEW_Final' / folder, range(1, 16), '{}.jpg')
    touch_frames(tmp_path / 'MMEW_Final/Macro_Expression/happiness/S01-01-091', range(1, 99), '{}.jpg')
    return tmp_path


def test_a_clip_is_found_by_its_name_and_macro_expressions_are_not_read(mmew):
    reading = read('mmew', mmew)
    assert reading.table['sample_id'].tolist() == ['mmew/S01/S01-01-091', 'mmew/S03/S03-04-092']
    assert reading.table['frames_dir'].tolist() == ['happiness/S01-01-091', 'repression/S03-04-092']
    assert reading.table['emotion'].tolist() == ['happiness', 'others']
    assert (reading.table['fps'] == 90).all()
    assert reading.frames['mmew/S01/S01-01-091'].keys() == set(range(1, 15))
    assert reading.notes.empty


def test_the_layout_of_the_owners_page_is_read(tmp_path):
    write_labels(tmp_path / 'MMEW_Micro_Exp_v2.xlsx')
    touch_frames(tmp_path / 'MMEW/S01/happiness/S01-01-091', range(1, 15), '{}.jpg')
    touch_frames(tmp_path / 'MMEW/s03/others/s03-04-092', range(1, 16), '{:03d}.JPG')
    reading = read('mmew', tmp_path)
    assert reading.table['frames_dir'].tolist() == ['S01/happiness/S01-01-091', 's03/others/s03-04-092']


@pytest.mark.parametrize('subject', [1, '01', 'S1', 1.0])
def test_the_person_is_the_one_of_the_file_name(tmp_path, subject):
    sheet = write_labels(tmp_path / 'a.csv', [(subject, *CLIPS[0][1:]), (subject, 'happy9', *CLIPS[0][2:])])
    assert set(read('mmew', sheets=[sheet], with_frames=False).table['subject']) == {'mmew/S01'}


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    emotions = {'surprise': 89, 'disgust': 72, 'others': 66, 'happiness': 36, 'fear': 16, 'sadness': 13, 'anger': 8}
    clips = [
        (0, f'S{row % 30 + 1:02d}-01-{row:03d}', 1, 5, 9, 4, name, None) for row, name in enumerate(repeat(emotions))
    ]
    table = read('mmew', sheets=[write_labels(tmp_path / 'a.xlsx', clips)], with_frames=False).table
    assert (len(table), table['subject'].nunique()) == (300, 30)
    assert table['emotion'].value_counts().to_dict() == emotions


def test_numbers_beyond_the_frames_of_a_clip_are_noted(mmew):
    clips = [(1, 'S01-01-091', 1, 17, 17, 4, 'others', None), (3, 'S03-04-092', 1, 40, 75, 4, 'others', None)]
    reading = read('mmew', mmew, sheets=[write_labels(mmew / 'a.xlsx', clips)])
    assert reading.table['offset'].tolist() == [15, 15]
    assert reading.table['apex'].isna().tolist() == [False, True]  # 17 is near, 40 is not
    assert {kind for *_, kind in details(reading)} == {'no apex frame', 'no offset frame', 'few frames'}


def test_a_person_that_the_file_name_denies_is_noted(mmew):
    write_labels(mmew / 'MMEW_Final/MMEW_Micro_Exp.xlsx', [(2, *CLIPS[0][1:]), CLIPS[1]])
    reading = read('mmew', mmew)
    assert reading.table['subject'].tolist() == ['mmew/S01', 'mmew/S03']
    assert set(details(reading)) == {('S01', 'S01-01-091', 'subject')}


def test_two_folders_of_one_clip_are_refused(mmew):
    touch_frames(mmew / 'MMEW_Final/Micro_Expression/others/S03-04-092', range(1, 16), '{}.jpg')
    with pytest.raises(InputError, match=r'others/S03-04-092 and .*repression/S03-04-092: expected one folder'):
        read('mmew', mmew)


def test_a_wrong_sheet_names_the_columns(mmew):
    sheet = write_labels(mmew / 'a.xlsx', [CLIPS[0][:3]], HEADER[:3])
    with pytest.raises(InputError, match='expected a header row with Subject, Filename, OnsetFrame, ApexFrame'):
        read('mmew', mmew, sheets=[sheet])
