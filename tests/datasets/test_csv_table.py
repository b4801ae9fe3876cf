import pandas as pd
import pytest

from mer_bench.datasets.csv_table import table_of_your_own
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.table import write_annotations
from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, touch_frames, write_sheet

HEADER = ['dataset', 'subject', 'clip', 'onset', 'offset', 'emotion', 'frames_dir']
ROWS = [('mine', 'p1', 'a', 3, 20, 'Happy', 'p1/a'), ('mine', 'p2', 'b', 1, 9, 'anger', 'p2/b')]


@pytest.fixture
def clips(tmp_path):
    write_sheet(tmp_path / 'clips.csv', HEADER, ROWS)
    touch_frames(tmp_path / 'p1/a', range(30), 'frame{:04d}.png')
    touch_frames(tmp_path / 'p2/b', range(1, 10), 'cam2_{}_face.jpeg')
    (tmp_path / 'p2/b/._cam2_3_face.jpeg').touch()
    return tmp_path


def test_a_row_of_the_table_becomes_a_row_of_the_annotations(clips):
    reading = read('csv', sheets=[clips / 'clips.csv'])
    assert reading.table['sample_id'].tolist() == ['mine/p1/a', 'mine/p2/b']
    assert reading.table['dataset'].tolist() == ['mine', 'mine']
    assert reading.table['emotion'].tolist() == ['happiness', 'anger']
    assert reading.table[['apex', 'fps']].isna().all(axis=None)
    assert list(reading.frames['mine/p2/b']) == list(range(1, 10))
    assert reading.notes.empty


def test_optional_columns_are_read(tmp_path):
    header = [*HEADER, 'apex', 'FPS', 'Objective Class', 'action_units']
    write_sheet(tmp_path / 'clips.xlsx', header, [(*ROWS[0], 7, 29.97, 2, 12), (*ROWS[1], None, None, 'iv', '4+L10')])
    table = read('csv', tmp_path, with_frames=False).table
    assert table['apex'].astype(object).tolist() == [7, pd.NA]
    assert table['fps'].fillna(0).tolist() == [29.97, 0]
    assert table['objective_class'].tolist() == ['II', 'IV']
    assert table['action_units'].tolist() == ['12', '4+L10']


def test_annotations_that_were_written_read_back_equal(clips, tmp_path):
    table = read('csv', clips).table
    write_annotations(table, tmp_path / 'again/annotations.csv')
    again = read('csv', sheets=[tmp_path / 'again/annotations.csv'], frames=clips)
    pd.testing.assert_frame_equal(again.table, table)


def test_a_clip_without_frames_is_left_out_with_a_note(clips):
    write_sheet(clips / 'clips.csv', HEADER, [*ROWS, ('mine', 'p3', 'c', 1, 9, 'anger', 'p3/c')])
    assert details(read('csv', clips)) == {('p3', 'c', 'left out'): 'no folder p3/c'}


def test_a_folder_of_frames_is_below_that_of_all(clips):
    row = ('mine', 'p3', 'c', 1, 9, 'anger')
    write_sheet(clips / 'sheets/clips.csv', HEADER, [ROWS[0], (*row, str(clips / 'p2/b'))])
    assert 'mine/p3/c' in read('csv', sheets=[clips / 'sheets/clips.csv'], frames=clips).frames
    write_sheet(clips / 'sheets/clips.csv', HEADER, [('mine', 'p1', 'a', 3, 20, 'Happy', 'a'), (*row, '../p2/b')])
    left_out = details(read('csv', sheets=[clips / 'sheets/clips.csv'], frames=clips / 'p1'))
    assert 'is not below' in left_out['p3', 'c', 'left out']


@pytest.mark.parametrize(
    ('row', 'fault'),
    [
        (('other', *ROWS[1][1:]), r"clips.csv: expected one name in the column dataset, found \['mine', 'other'\]"),
        (('mine', '', *ROWS[1][2:]), "row 2 below the header has the subject ''"),
        (('mine', 'p2', 'b/1', *ROWS[1][3:]), "the clip 'b/1', expected a name without slashes"),
        ((*ROWS[0][:5], 'fear', 'p1/a'), 'p1 a occurs twice'),
    ],
)
def test_a_wrong_row_is_refused_in_one_sentence(tmp_path, row, fault):
    sheet = write_sheet(tmp_path / 'clips.csv', HEADER, [ROWS[0], row])
    with pytest.raises(InputError, match=fault):
        read('csv', sheets=[sheet], with_frames=False)


def test_a_wrong_frame_rate_is_refused(tmp_path):
    sheet = write_sheet(tmp_path / 'clips.csv', [*HEADER, 'fps'], [(*ROWS[0], 'fast')])
    with pytest.raises(InputError, match="fps 'fast', expected a positive number"):
        read('csv', sheets=[sheet], with_frames=False)


def test_clips_that_the_table_calls_synthetic_stay_so(tmp_path):
    sheet = write_sheet(tmp_path / 'clips.csv', [*HEADER, 'synthetic'], [(*ROWS[0], True), (*ROWS[1], 'false')])
    assert read('csv', sheets=[sheet], with_frames=False).table['synthetic'].tolist() == [True, False]


def test_frames_behind_a_link_into_a_generated_tree_are_synthetic(clips, tmp_path_factory):
    (clips / 'synthetic.json').write_text('{}')
    place = tmp_path_factory.mktemp('elsewhere')
    (place / 'frames').symlink_to(clips)
    sheet = write_sheet(place / 'clips.csv', HEADER, ROWS)
    assert read('csv', sheets=[sheet], frames=place / 'frames').table['synthetic'].all()


def test_a_repeated_row_without_frame_numbers_does_not_count(tmp_path):
    sheet = write_sheet(tmp_path / 'clips.csv', HEADER, [*ROWS, (*ROWS[0][:3], None, None, 'fear', None)])
    reading = read('csv', sheets=[sheet], with_frames=False)
    assert reading.table['emotion'].tolist() == ['happiness', 'anger']
    assert set(details(reading)) == {('p1', 'a', 'wrong numbers')}


def test_a_table_without_a_column_is_refused(tmp_path):
    sheet = write_sheet(tmp_path / 'clips.csv', HEADER[:5], [row[:5] for row in ROWS])
    with pytest.raises(InputError, match=r'expected a header row with subject, .*emotion, found none .*lacks emotion'):
        read('csv', sheets=[sheet], with_frames=False)


@pytest.mark.parametrize(
    'header',
    [
        ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'AU', 'Estimated Emotion'],
        ['sub', 'File name', 'Onset', 'Apex', 'Offset', 'Action Units', 'label'],
    ],
)
def test_the_usual_names_of_columns_are_known(tmp_path, header):
    rows = [('s1', 'EP03_02.avi', 3, 7, 20, '4+7', 'Happy'), ('s2', 'b', '46.0', '', 60, '12', 'fear')]
    touch_frames(tmp_path / 's1/EP03_02', range(30), '{}.jpg')
    touch_frames(tmp_path / 's2/b', range(40, 70), '{}.jpg')
    table = read('csv', sheets=[write_sheet(tmp_path / 'own.csv', header, rows)]).table
    assert table['sample_id'].tolist() == ['own/s1/EP03_02', 'own/s2/b']
    assert table[['onset', 'offset']].to_numpy().tolist() == [[3, 20], [46, 60]]
    assert table['apex'].astype(object).tolist() == [7, pd.NA]
    assert table[['action_units', 'emotion']].to_numpy().tolist() == [['4+7', 'happiness'], ['12', 'fear']]


def test_frame_numbers_are_preferred_to_the_milliseconds_of_casme(tmp_path):
    sheet = write_sheet(tmp_path / 'a.csv', ['Subject', 'Filename', 'OnsetF', 'OffsetF', 'Onset', 'Emotion'], [LIST[0]])
    assert read('csv', sheets=[sheet], with_frames=False).table.loc[0, ['onset', 'offset']].tolist() == [3, 20]


LIST = [('s1', 'a', 3, 20, 55, 0), ('s2', 'b', 1, 9, 66, 2)]
NAMES = ('subject', 'Filename', 'onset', 'OffsetFrame', '-', 'label')
CLASSES = ('negative', 'positive', 'surprise')


def read_list(sheet, columns=NAMES, classes=CLASSES):
    return read_dataset(table_of_your_own(columns, classes), Places(sheets=(sheet,)), with_frames=False).table


def test_a_list_without_a_header_is_read_by_the_names_and_classes_that_are_given(tmp_path):
    table = read_list(write_sheet(tmp_path / 'own.csv', LIST[0], LIST[1:]))
    assert table['sample_id'].tolist() == ['own/s1/a', 'own/s2/b']
    assert table['onset'].tolist() == [3, 1]
    assert table['emotion'].tolist() == ['negative', 'surprise']


@pytest.mark.parametrize(
    ('columns', 'classes', 'fault'),
    [
        (NAMES[:-1], CLASSES, 'emotion is missing'),
        (('subject', *NAMES), CLASSES, '--columns subject: expected each of'),
        ((*NAMES, '-'), CLASSES, 'has 6 columns, --columns names 7'),
        (('person', *NAMES[1:]), CLASSES, '--columns person: expected each of dataset, subject'),
        (NAMES, CLASSES[:2], "emotion '2', expected a number from 0 to 1"),
    ],
)
def test_wrong_names_of_columns_or_classes_are_refused_in_one_sentence(tmp_path, columns, classes, fault):
    sheet = write_sheet(tmp_path / 'own.csv', LIST[0], LIST[1:])
    with pytest.raises(InputError, match=fault):
        read_list(sheet, columns, classes)


def test_columns_for_a_table_that_names_its_own_are_refused(tmp_path):
    sheet = write_sheet(tmp_path / 'own.csv', ['Subject', 'Filename', 'Onset', 'Offset', 'x', 'Emotion'], LIST)
    with pytest.raises(InputError, match='its first row names the columns'):
        read_list(sheet)


@pytest.mark.parametrize('number', [2**63, 10**30, '1e400', 'nan', -5, 46.5])
def test_a_number_that_is_no_frame_number_is_unknown(tmp_path, number):
    rows = [ROWS[0], ('mine', 'p3', 'c', 1, number, 'anger', 'p3/c')]
    reading = read('csv', sheets=[write_sheet(tmp_path / 'clips.csv', HEADER, rows)], with_frames=False)
    assert reading.table['clip'].tolist() == ['a']
    assert details(reading)['p3', 'c', 'unknown'] == f"offset is '{number}', not a frame number: taken as unknown"


@pytest.mark.parametrize('fps', ['1e400', 'nan', -1])
def test_a_frame_rate_that_is_no_number_is_refused(tmp_path, fps):
    sheet = write_sheet(tmp_path / 'clips.csv', [*HEADER, 'fps'], [(*ROWS[0], fps)])
    with pytest.raises(InputError, match=f"fps '{fps}', expected a positive number"):
        read('csv', sheets=[sheet], with_frames=False)
