"""Small workbooks whose bytes depend on their cells alone: xlsx, xls or csv by the ending of the path."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook

from mer_bench.errors import InputError
from mer_bench.files import write_atomically

Cell = int | float | str | None
Sheets = Mapping[str, Sequence[Sequence[Cell]]]

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows


def write_workbook(sheets: Sheets, path: Path) -> None:
    """Write sheets of cells as a workbook.

    Args:
        sheets: name -> rows; text that begins with '=' is a formula in an xlsx. A csv takes the first sheet alone.
        path: ends in .xlsx, .xls or .csv.
    """
    writers: dict[str, Callable[[Sheets], bytes]] = {'.xlsx': xlsx_bytes, '.xls': xls_bytes, '.csv': csv_bytes}
    if path.suffix not in writers:
        raise InputError(f'{path}: expected a name that ends in {", ".join(writers)}; choose one of them')
    content = writers[path.suffix](sheets)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def xlsx_bytes(sheets: Sheets) -> bytes:
    """Return an xlsx without the time of writing, which openpyxl puts into the file and into its zip entries."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    written, timeless = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(timeless, 'w', zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == 'docProps/core.xml':
                content = re.sub(rb'\d{4}-\d\d-\d\dT[\d:.]+Z', b'1980-01-01T00:00:00Z', content)
            target.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return timeless.getvalue()


def xls_bytes(sheets: Sheets) -> bytes:
    """Return a workbook of Excel 97 to 2003."""
    try:
        import xlwt
    except ImportError as error:
        raise InputError('this data set has a sheet in xls, which needs xlwt; run pip install xlwt') from error
    book = xlwt.Workbook(encoding='utf-8')
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if value is not None:
                    sheet.write(y, x, value)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def csv_bytes(sheets: Sheets) -> bytes:
    """Return the first sheet as UTF-8 with commas."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(next(iter(sheets.values())))
    return text.getvalue().encode()
