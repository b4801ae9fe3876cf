import pandas as pd
import pytest

from mer_bench.datasets.sheet import read_sheet
from mer_bench.errors import InputError
from tests.datasets.raw_data import write_sheet

COLUMNS = {'subject': ('Subject',), 'onset': ('OnsetFrame', 'Onset'), 'note': ('Note',)}


@pytest.mark.parametrize('mark', [',', ';', '\t'])
def test_a_csv_may_have_commas_semicolons_or_tabs(tmp_path, mark):
    rows = ['made by hand, in 2014;\t', 'Subject,onset frame ,NOTE', '1,46.0,a', '02,7,', ',,']
    (tmp_path / 'a.csv').write_text('\n'.join([rows[0], *(row.replace(',', mark) for row in rows[1:])]))
    assert read_sheet(tmp_path / 'a.csv', COLUMNS).to_numpy().tolist() == [['1', '46', 'a'], ['02', '7', '']]


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'latin-1'])
def test_a_csv_may_have_the_encodings_that_excel_writes(tmp_path, encoding):
    (tmp_path / 'a.csv').write_text('Subject,Onset,Note\n1,2,é\n', encoding=encoding)
    assert read_sheet(tmp_path / 'a.csv', COLUMNS)['note'].tolist() == ['é']


def test_numbers_of_a_workbook_are_texts_without_a_decimal_point(tmp_path):
    write_sheet(tmp_path / 'a.xlsx', ['Subject', 'Onset', 'Note'], [(6, 46.0, 0.5), ('006', ' 46 ', None)])
    assert read_sheet(tmp_path / 'a.xlsx', COLUMNS).to_numpy().tolist() == [['6', '46', '0.5'], ['006', '46', '']]


def test_the_first_sheet_with_the_columns_is_read(tmp_path):
    with pd.ExcelWriter(tmp_path / 'a.xlsx') as book:
        pd.DataFrame({'read': ['me']}).to_excel(book, sheet_name='first', index=False)
        pd.DataFrame({'Note': ['b'], 'Subject': [3], 'Onset': [4]}).to_excel(book, sheet_name='second', index=False)
    assert read_sheet(tmp_path / 'a.xlsx', COLUMNS).to_numpy().tolist() == [['3', '4', 'b']]


def test_an_optional_column_may_be_absent(tmp_path):
    write_sheet(tmp_path / 'a.csv', ['Subject', 'Onset'], [(1, 2)])
    assert read_sheet(tmp_path / 'a.csv', COLUMNS, ['note'])['note'].tolist() == ['']
    with pytest.raises(InputError, match=r'a.csv: expected a header row with Subject, OnsetFrame, Note, found none'):
        read_sheet(tmp_path / 'a.csv', COLUMNS)
