"""The cells of the sheets, read without our readers; what is expected stands in the owners' sheets."""

import zipfile

import openpyxl
import pandas as pd
import pytest

from mer_bench.datasets.synthetic.sheets import SHEETS, SheetRow, write_sheet
from mer_bench.errors import InputError

ROW = SheetRow(6, '006_1_2', 100, 110, 130, 'happiness', '12', 'I')


@pytest.fixture
def cells(tmp_path):
    """Write the rows of a data set and return the cells of its sheets by name."""

    def write(like, *rows, suffix='.xlsx'):
        write_sheet(like, rows, tmp_path / f'sheet{suffix}')
        tables = pd.read_excel(tmp_path / f'sheet{suffix}', sheet_name=None, header=None, dtype=object, na_filter=False)
        return {name: table.to_numpy().tolist() for name, table in tables.items()}

    return write


def test_casme2_has_two_columns_without_a_name(cells):
    header, first, second = cells('casme2', ROW, SheetRow(1, 'EP02_01f', 46, '/', 86, 'disgust', '4+L10'))['Sheet1']
    frames = ['OnsetFrame', 'ApexFrame', 'OffsetFrame']
    assert header == ['Subject', 'Filename', '', *frames, '', 'Action Units', 'Estimated Emotion']
    assert first[7] == 12
    assert second == [1, 'EP02_01f', '', 46, '/', 86, '', '4+L10', 'disgust']


def test_objective_classes_of_casme2_are_numbers(cells):
    assert cells('casme2_objective', ROW)['Sheet1'][1] == [6, '006_1_2', 1]


def test_samm_has_its_header_in_row_14_and_subjects_as_text(cells, tmp_path):
    rows = cells('samm', ROW, SheetRow(6, '006_1_3', 100, 110, 130, 'others'))['MICRO_ONLY']
    assert rows[13][:3] == ['Subject', 'Filename', 'Inducement Code']
    assert rows[14][:6] == ['006', '006_1_2', 1, 100, 110, 130]
    assert [row[9] for row in rows[14:]] == ['Happiness', 'Other']
    assert openpyxl.load_workbook(tmp_path / 'sheet.xlsx')['MICRO_ONLY']['G15'].value == '=F15-D15+1'


@pytest.mark.parametrize('suffix', ['.xls', '.xlsx'])
def test_casme_has_durations_and_a_backslash(cells, suffix):
    row = SheetRow(1, 'EP01_12', 73, 81, 91, 'contempt', 'R12')
    header, values = cells('casme', row, suffix=suffix)['Sheet1']
    assert header[3:7] == ['OnsetF', 'ApexF1', 'ApexF2', 'OffsetF']
    assert values == [1, 'EP01_12', '', 73, 81, '\\', 91, '', 150, 316.67, 'R12', 'comtempt']


def test_casme_sq_has_three_sheets_without_a_header(cells):
    rows = [SheetRow(15, 'anger1_1', 5, 9, 12, 'negative', '4+10'), SheetRow(16, 'happy1_1', 5, 9, 12, 'positive', '')]
    sheets = cells('casme_sq', *rows, SheetRow(16, 'happy1_2', 20, 30, 50, 'positive', '12', micro=False))
    labels, people, stimuli = sheets.values()
    assert list(sheets) == ['CASFEcode_final', 'naming rule1', 'naming rule2']
    assert labels[0][:8] == [1, 'anger1_1', 5, 9, 12, '4+10', 'negative', 'micro-expression']
    assert [row[7] for row in labels[1:]] == ['micro-expression', 'macro-expression']
    assert people == [[15, 's15', 1], [16, 's16', 2]]
    assert ['0401', 'anger1'] in stimuli


def test_casme3_names_the_video_by_a_letter(cells):
    header, values = cells('casme3', SheetRow(10, 'spNO.10_a_116', 116, 120, 130, 'sadness', '2+1', 'II'))['label']
    assert header == ['Subject', 'Filename', 'Onset', 'Apex', 'Offset', 'AU', 'Objective class', 'emotion']
    assert values == ['spNO.10', 'a', 116, 120, 130, '2+1', 'II', 'sad']


def test_4dme_marks_units_and_emotions_with_ones(cells):
    header, values = cells('4dme', SheetRow(3, 'S03_1st_001_01_1', 1, 5, 9, 'surprise+positive', '1+L12'))['Sheet1']
    row = dict(zip(header, values, strict=True))
    assert (row['AUs'], row['Emotion']) == ('AU1+L12', 'Surprise+Positive')
    assert {name for name, value in row.items() if value == 1} == {'Onset', 'AU1', 'AU12', 'Positive', 'Surprise'}


def test_smic_e_has_columns_for_three_expressions_and_a_text_below(cells):
    header, values, *rest = cells('smic_e_hs', SheetRow(1, 's1_ne_01', 100, None, 130, 'negative'))['Sheet1']
    assert header[3:11] == ['OnsetF', 'OffsetF', 'Onset2F', 'Offset2F', 'Onset3F', 'Offset3F', '', 'FirstF']
    assert values[:5] == [1, 's1_ne_01', '', 100, 130]
    assert not str(rest[-1][0]).isdigit()


@pytest.mark.parametrize('like', SHEETS)
def test_the_file_depends_on_the_rows_alone(like, tmp_path):
    row = SheetRow(1, 'spNO.1_1_1', 100, 110, 130, 'surprise', '1+2')
    write_sheet(like, [row] * 3, tmp_path / 'sheet.xlsx')
    with zipfile.ZipFile(tmp_path / 'sheet.xlsx') as book:
        assert {entry.date_time[0] for entry in book.infolist()} == {1980}
        assert {text[:4] for text in str(book.read('docProps/core.xml')).split('W3CDTF">')[1:]} == {'1980'}
    write_sheet(like, [row] * 3, tmp_path / 'again.xlsx')
    assert (tmp_path / 'again.xlsx').read_bytes() == (tmp_path / 'sheet.xlsx').read_bytes()


def test_the_bytes_of_an_xls_depend_on_the_rows_alone(tmp_path):
    for name in ('sheet.xls', 'again.xls'):
        write_sheet('casme', [ROW], tmp_path / name)
    assert (tmp_path / 'again.xls').read_bytes() == (tmp_path / 'sheet.xls').read_bytes()


def test_a_csv_has_the_first_sheet(tmp_path):
    write_sheet('dfme', [SheetRow(3, 'sub0003_01', 1, 2, 3, 'fear', '20')], tmp_path / 'sheet.csv')
    assert (tmp_path / 'sheet.csv').read_text().splitlines()[1] == 'sub0003,sub0003_01,1,2,3,fear,20'


@pytest.mark.parametrize(('like', 'name'), [('smic', 'sheet.xlsx'), ('samm', 'sheet.txt')])
def test_what_cannot_be_written_names_the_choices(tmp_path, like, name):
    with pytest.raises(InputError, match=r'expected .*\.xlsx|expected a data set with a sheet: .*samm'):
        write_sheet(like, [ROW], tmp_path / name)
