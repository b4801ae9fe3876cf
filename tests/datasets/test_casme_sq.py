import pandas as pd
import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames

MICRO = (1, 'anger1_2', 557, 565, 570, '4+L10', 'negative', 'micro-expression', 'anger')
MACRO = (1, 'anger1_1', 57, 72, 0, 6, 'negative', 'macro-expression', 'anger')
OTHER = (2, 'happy2_1', 30, 34, 41, None, 'others', 'micro-expression', 'helpless')
RULE1 = [(15, 's15', 1), (16, 's16', 2)]
RULE2 = [('0401', 'anger1'), ('0503', 'happy2')]


def write_book(path, labels, rule1=RULE1, rule2=RULE2):
    """Write the workbook; its sheets have no header."""
    with pd.ExcelWriter(path) as book:
        for name, rows in {'CASFEcode_final': labels, 'naming rule1': rule1, 'naming rule2': rule2}.items():
            pd.DataFrame(rows).to_excel(book, sheet_name=name, header=False, index=False)
    return path


@pytest.fixture
def casme_sq(tmp_path):
    """The workbook without frames."""
    write_book(tmp_path / 'CAS(ME)^2code_final(Updated).xlsx', [MACRO, MICRO, OTHER])
    return tmp_path


def test_only_micro_expressions_are_read_with_their_valence(casme_sq):
    reading = read('casme_sq', casme_sq, with_frames=False)
    clip = reading.table.iloc[0]
    assert reading.table['sample_id'].tolist() == ['casme_sq/s15/anger1_2', 'casme_sq/s16/happy2_1']
    assert (clip.onset, clip.apex, clip.offset, clip.fps) == (557, 565, 570, 30)
    assert reading.table['emotion'].tolist() == ['negative', 'others']
    assert reading.table['action_units'].tolist() == ['4+L10', '']
    assert reading.notes.empty


def test_57_of_357_rows_are_micro_expressions(tmp_path):
    kinds = repeat({'macro-expression': 300, 'micro-expression': 57})
    labels = [(row % 22 + 1, f'anger1_{row}', 1, 5, 9, 4, 'negative', kind, 'anger') for row, kind in enumerate(kinds)]
    people = [15, 16, *range(19, 28), *range(29, 39), 40]
    rule1 = [(number, f's{number}', row) for row, number in enumerate(people, start=1)]
    write_book(tmp_path / 'code_final.xlsx', labels, rule1)
    table = read('casme_sq', tmp_path, with_frames=False).table
    assert len(table) == 57
    assert set(table['subject']) == {f'casme_sq/s{number}' for number in people}


@pytest.mark.parametrize(
    ('folders', 'name'),
    [
        (('selectedpic/selectedpic/s15/anger1_2', 'selectedpic/selectedpic/s16/happy2_1'), 'img{}.jpg'),
        (('selectedpic/s15/anger1_2', 'selectedpic/s16/happy2_1'), 'img{}.jpg.jpg'),
        (('cropped/15/anger1_2', 'cropped/16/Happy2_1'), 'img{}.jpg'),
        (('rawpic/s15/15_0401girlcrashing', 'rawpic/s16/16_0503unnyfarting'), 'img{:03d}.jpg'),
        (('longVideoFaceCropped/s15/15_0401girlcrashing', 'longVideoFaceCropped/s16/16_0503unnyfarting'), 'img_{}.jpg'),
    ],
)
def test_frames_are_found_in_each_layout(casme_sq, folders, name):
    for folder, first in zip(folders, (550, 25), strict=True):
        touch_frames(casme_sq / folder, range(first, first + 25), name)
    reading = read('casme_sq', casme_sq)
    assert reading.frames['casme_sq/s15/anger1_2'].keys() == set(range(557, 571))
    assert reading.frames['casme_sq/s16/happy2_1'].keys() == set(range(30, 42))
    assert reading.notes.empty


def test_a_video_in_the_folder_of_another_subject_is_not_taken(casme_sq):
    touch_frames(casme_sq / 'rawpic/s15/15_0401girlcrashing', range(550, 575), 'img{}.jpg')
    touch_frames(casme_sq / 'rawpic/s16/23_0503unnyfarting', range(25, 45), 'img{:03d}.jpg')
    reading = read('casme_sq', casme_sq)
    assert reading.table['clip'].tolist() == ['anger1_2']
    assert details(reading) == {('s16', 'happy2_1', 'left out'): 'no folder s16/happy2_1'}


def test_raw_and_selected_frames_together_are_ambiguous(casme_sq):
    touch_frames(casme_sq / 'rawpic/s15/15_0401girlcrashing', range(550, 575), 'img{}.jpg')
    touch_frames(casme_sq / 'selectedpic/s15/anger1_2', range(557, 571), 'img{}.jpg')
    with pytest.raises(InputError, match=r'found .*rawpic and .*selectedpic; name one with --frames'):
        read('casme_sq', casme_sq)
    assert len(read('casme_sq', casme_sq, frames=casme_sq / 'selectedpic').table) == 1


def test_the_sheets_may_be_csv_files_with_codes_that_lost_their_zero(tmp_path):
    tables = {'CASFEcode_final.csv': [MICRO], 'naming_rule1.csv': RULE1, 'naming_rule2.csv': [(401, 'anger1')]}
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(tmp_path / name, header=False, index=False)
    touch_frames(tmp_path / 'rawpic/s15/15_0401girlcrashing', range(550, 575), 'img{:03d}.jpg')
    assert read('casme_sq', tmp_path).table['frames_dir'].tolist() == ['s15/15_0401girlcrashing']


def test_videos_need_the_names_of_the_stimuli(tmp_path):
    write_book(tmp_path / 'code_final.xlsx', [MICRO], rule2=[])
    touch_frames(tmp_path / 'rawpic/s15/15_0401girlcrashing', range(550, 575), 'img{}.jpg')
    with pytest.raises(InputError, match='expected the sheet "naming rule2"'):
        read('casme_sq', tmp_path)


@pytest.mark.parametrize(
    ('labels', 'rule1', 'fault'),
    [
        ([MICRO[:7]], RULE1, 'expected a sheet without header and with the columns participant'),
        ([MICRO, OTHER], RULE1[:1], 'participant 2 is not in the sheet "naming rule1"'),
        ([MICRO, (*MICRO[:3], 560, *MICRO[4:])], RULE1, 's15 anger1_2 occurs twice'),
    ],
)
def test_a_wrong_workbook_is_refused_in_one_sentence(tmp_path, labels, rule1, fault):
    sheet = write_book(tmp_path / 'code_final.xlsx', labels, rule1)
    with pytest.raises(InputError, match=fault):
        read('casme_sq', sheets=[sheet], with_frames=False)


def test_two_workbooks_must_be_chosen_by_the_user(casme_sq):
    older = write_book(casme_sq / 'CAS(ME)^2code_final.xlsx', [MICRO])
    with pytest.raises(InputError, match=r'found .*Updated.*\[CASFEcode_final\] and .*; name one file with'):
        read('casme_sq', casme_sq, with_frames=False)
    assert len(read('casme_sq', sheets=[older], with_frames=False).table) == 1


def test_rows_of_no_known_type_and_other_files_are_noted(tmp_path):
    write_book(tmp_path / 'code_final.xlsx', [MICRO, MACRO, (*OTHER[:7], 'micro-expresion')])
    pd.DataFrame([(1, 2)]).to_csv(tmp_path / 'code_final.csv', header=False, index=False)
    notes = read('casme_sq', tmp_path, with_frames=False).notes
    assert notes['kind'].tolist() == ['sheet not read', 'row passed over']
    assert "type 'micro-expresion': 2 | happy2_1 | 30" in notes['detail'].iloc[1]
    with pytest.raises(InputError, match=r'code_final.csv: expected labels .* or a naming rule, found neither'):
        read('casme_sq', sheets=[*tmp_path.glob('code_final.*')], with_frames=False)
