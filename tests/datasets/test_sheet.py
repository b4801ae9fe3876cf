import datetime
import re
import zipfile
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest
import xlwt

from mer_bench.datasets.sheet import SheetForm, cell_text, clip_rows, read_sheet, read_tables
from mer_bench.errors import InputError
from tests.datasets.raw_data import write_sheet

SHEET1 = 'xl/worksheets/sheet1.xml'
FORM = SheetForm({'subject': ('Subject',), 'onset': ('OnsetFrame', 'Onset'), 'note': ('Note',)})


@pytest.mark.parametrize('mark', [',', ';', '\t'])
def test_a_csv_may_have_commas_semicolons_or_tabs(tmp_path, mark):
    rows = ['made by hand, in 2014;\t', 'Subject,onset frame ,NOTE', '1,46.0,a', '02,7,', ',,']
    (tmp_path / 'a.csv').write_text('\n'.join([rows[0], *(row.replace(',', mark) for row in rows[1:])]))
    assert read_sheet(tmp_path / 'a.csv', FORM).cells.to_numpy().tolist() == [['1', '46', 'a'], ['02', '7', '']]


@pytest.mark.parametrize(
    ('encoding', 'said'),
    [('utf-8-sig', ''), ('utf-16', ''), ('gb18030', 'GB18030'), ('utf-16-le', 'UTF-16-LE'), ('utf-16-be', 'UTF-16-BE')],
)
def test_a_csv_may_have_the_encodings_that_excel_writes(tmp_path, encoding, said):
    (tmp_path / 'a.csv').write_text('Subject,Onset,Note\n1,2,惊讶\n', encoding=encoding)
    sheet = read_sheet(tmp_path / 'a.csv', FORM)
    assert sheet.cells['note'].tolist() == ['惊讶']
    assert [note['kind'] for note in sheet.notes] == ['encoding'] * bool(said)
    assert all(f'read as {said}' in note['detail'] for note in sheet.notes)


@pytest.mark.parametrize(
    ('content', 'fault'),
    [
        ('1,2,é\n'.encode('latin-1'), 'found the byte 0xE9 in line 2, which is none of them'),
        (b'1,2,a\0\n', 'found the sign NUL in line 2'),
        (b'1,2,' + b'9' * 5000, 'a cell holds the number 99999999... of 5000 digits'),
        (b'1' + b',' * 10**6 + b'\n' * 10**5, 'lines, one of them with 1000001 cells'),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_in_one_line(tmp_path, content, fault):
    (tmp_path / 'a.csv').write_bytes(b'Subject,Onset,Note\n' + content)
    with pytest.raises(InputError, match=fault) as error:
        read_sheet(tmp_path / 'a.csv', FORM)
    assert '\n' not in str(error.value)


def test_a_cell_may_hold_marks_and_line_ends(tmp_path):
    (tmp_path / 'a.csv').write_text('Subject,Onset,Note\n"1\n",2,"a,b\nc"\n')
    assert read_sheet(tmp_path / 'a.csv', FORM).cells.to_numpy().tolist() == [['1', '2', 'a,b c']]


def with_part(path, part, change):
    """Change one part of an xlsx."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


def far_cell(path):
    """One cell in the last row and column, which the stated dimension denies."""
    book = openpyxl.Workbook()
    book.active['A1'] = book.active['XFD1048576'] = 'x'
    book.save(path)
    return with_part(path, SHEET1, lambda xml: re.sub(rb'<dimension[^>]*>', b'<dimension ref="A1:B2"/>', xml))


def zip_bomb(path):
    """300 million letters, below a megabyte as a file."""
    row = b'<row><c t="inlineStr"><is><t>' + b'x' * 10**6 + b'</t></is></c></row>'
    return with_part(
        write_book(path, a=[['x']]), SHEET1, lambda xml: xml.replace(b'<sheetData>', b'<sheetData>' + row * 300)
    )


def outer_entity(path):
    """A cell that asks for a file of this machine."""
    head = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet'
    return with_part(
        write_book(path, a=[['x']]), SHEET1, lambda xml: xml.replace(b'<worksheet', head).replace(b'>x<', b'>&e;<')
    )


@pytest.mark.parametrize(
    ('write', 'fault'),
    [
        (far_cell, 'a cell is far below or beside the table'),
        (zip_bomb, r'its cells hold \d{9} signs'),
        (outer_entity, 'cannot be read as a sheet'),
        (lambda path: path.write_bytes(b'PK\3\4'), 'cannot be read as a sheet'),
    ],
)
def test_a_hostile_workbook_is_refused_and_kills_nothing(tmp_path, write, fault):
    write(tmp_path / 'a.xlsx')
    with pytest.raises(InputError, match=fault) as error:
        read_sheet(tmp_path / 'a.xlsx', FORM)
    assert '\n' not in str(error.value)


def test_a_wide_xls_is_refused(tmp_path):
    book = xlwt.Workbook()
    book.add_sheet('a').write(65535, 255, 1)
    book.save(str(tmp_path / 'a.xls'))
    with pytest.raises(InputError, match="sheet 'a' reaches to row 65536 and column 256: 16777216 cells"):
        read_sheet(tmp_path / 'a.xls', FORM)


def test_numbers_of_a_workbook_are_texts_without_a_decimal_point(tmp_path):
    write_sheet(tmp_path / 'a.xlsx', ['Subject', 'Onset', 'Note'], [(6, 46.0, 0.5), ('006', ' 46 ', None)])
    assert read_sheet(tmp_path / 'a.xlsx', FORM).cells.to_numpy().tolist() == [['6', '46', '0.5'], ['006', '46', '']]


def test_the_first_sheet_with_the_columns_is_read(tmp_path):
    with pd.ExcelWriter(tmp_path / 'a.xlsx') as book:
        pd.DataFrame({'read': ['me']}).to_excel(book, sheet_name='first', index=False)
        pd.DataFrame({'Note': ['b'], 'Subject': [3], 'Onset': [4]}).to_excel(book, sheet_name='second', index=False)
    assert read_sheet(tmp_path / 'a.xlsx', FORM).cells.to_numpy().tolist() == [['3', '4', 'b']]


def test_an_optional_column_may_be_absent(tmp_path):
    write_sheet(tmp_path / 'a.csv', ['Subject', 'Onset'], [(1, 2)])
    assert read_sheet(tmp_path / 'a.csv', replace(FORM, optional=['note'])).cells['note'].tolist() == ['']
    with pytest.raises(InputError, match=r'a.csv: expected a header row with Subject, OnsetFrame, Note, found none'):
        read_sheet(tmp_path / 'a.csv', FORM)


def write_book(path, **sheets):
    """Write sheets of rows; the name of a hidden one begins with `hidden`."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = 'hidden' if name.startswith('hidden') else 'visible'
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


HEADER = ['Subject', 'Onset', 'Note']


def test_hidden_and_empty_sheets_are_passed_by_and_a_second_one_is_noted(tmp_path):
    sheets = {'hidden': [HEADER, [9, 9, 'h']], 'empty': [HEADER], 'a': [HEADER, [1, 2, 'a']]}
    path = write_book(tmp_path / 'a.xlsx', **sheets, b=[HEADER, [1, 2, 'b']], c=[HEADER, [1, 2, 'a']])
    sheet = read_sheet(path, FORM)
    assert (sheet.name, sheet.cells['note'].tolist()) == ('a', ['a'])
    assert [note['detail'] for note in sheet.notes] == [f'{path} [b] has the same columns and is not read: a is']
    assert read_sheet(path, replace(FORM, prefer='B')).name == 'b'
    assert read_sheet(write_book(path, hidden=sheets['hidden'], other=[['x']]), FORM).hidden


def test_a_header_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'a.xlsx \[a\]: expected rows below the header, found none'):
        read_sheet(write_book(tmp_path / 'a.xlsx', a=[HEADER]), FORM)


def test_the_last_row_that_names_the_columns_is_the_header(tmp_path):
    path = write_book(tmp_path / 'a.xlsx', a=[['Note', 'Subject', 'Onset'], ['explained', 0, 0], HEADER, [1, 2, 'a']])
    sheet = read_sheet(path, FORM)
    assert sheet.cells.to_numpy().tolist() == [['1', '2', 'a']]
    assert 'rows 1 and 3 name the columns' in sheet.notes[0]['detail']


def test_formulas_without_values_are_refused(tmp_path):
    path = write_book(tmp_path / 'a.xlsx', a=[HEADER, [1, '=1+1', 'a'], [2, '=2+1', 'b']])
    with pytest.raises(InputError, match=r'the column OnsetFrame holds formulas .* open the file in a spreadsheet'):
        read_sheet(path, FORM)


def test_cells_of_a_workbook_are_always_texts(tmp_path):
    day = datetime.date(2014, 5, 8)
    path = write_book(tmp_path / 'a.xlsx', a=[HEADER, [True, 46, day], [6.0, 7, 0.5], ['', 8, '#N/A']])
    texts = [['True', '46', '2014-05-08'], ['6', '7', '0.5'], ['', '8', '']]
    assert read_sheet(path, FORM).cells.to_numpy().tolist() == texts


def test_an_xls_is_read_without_its_hidden_sheet(tmp_path):
    book = xlwt.Workbook()
    for name, rows in {'hidden': [HEADER, [9, 9, 'h']], 'a': [HEADER, ['006', 46, 0.5], [7, 8.0, 'é']]}.items():
        sheet = book.add_sheet(name)
        sheet.visibility = int(name == 'hidden')
        for y, row in enumerate(rows, start=13):
            for x, value in enumerate(row):
                sheet.write(y, x, value)
    book.set_active_sheet(1)
    book.save(str(tmp_path / 'a.xls'))
    sheet = read_sheet(tmp_path / 'a.xls', FORM)
    assert (sheet.name, sheet.cells.to_numpy().tolist()) == ('a', [['006', '46', '0.5'], ['7', '8', 'é']])


@pytest.mark.parametrize(
    ('cell', 'text'),
    [
        ('\uff11\uff12', '12'),
        ('\ufeffsub01\u200b', 'sub01'),
        ('\x1bsub\x7f 01', 'sub 01'),
        ('4\xa0+ 7', '4 + 7'),
        ('\\', '\\'),
        ('/', '/'),
        ('\uff3c', '\\'),
    ],
)
def test_signs_that_look_alike_are_alike(cell, text):
    assert cell_text(cell) == text


def test_a_row_of_sums_is_passed_over_and_half_a_name_is_refused(tmp_path):
    columns = {'subject': ('Subject',), 'clip': ('Clip',), 'onset': ('Onset',), 'offset': ('Offset',)}
    header, rows = [name[0] for name in columns.values()], [('s1', 'a', 1, 9), ('Total', None, 10, 90)]
    sheet = read_sheet(write_sheet(tmp_path / 'a.xlsx', header, rows), SheetForm(columns))
    assert clip_rows(sheet)['clip'].tolist() == ['a']
    assert sheet.notes[0]['detail'].endswith(': Total | 10 | 90')
    for half in ((None, 'b', 1, 9), ('s2', None, 1, 9)):
        with pytest.raises(InputError, match=r'the row with frames 1 to 9 .* does not name subject and clip'):
            clip_rows(read_sheet(write_sheet(tmp_path / 'a.xlsx', header, [*rows, half]), SheetForm(columns)))


def test_a_csv_has_no_sign_that_a_terminal_obeys(tmp_path):
    (tmp_path / 'a.csv').write_text('\x1b]0;a\x07,b\x08\n1,2\n')
    assert read_tables(tmp_path / 'a.csv')[0].cells.to_numpy().tolist() == [[']0;a', 'b'], ['1', '2']]
