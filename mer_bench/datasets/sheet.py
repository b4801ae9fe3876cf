"""An annotation sheet (xlsx, xls or csv) as a table of text cells, its header found by name and not by row number."""

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from mer_bench.datasets.notes import note, row_text
from mer_bench.errors import InputError

SUFFIXES = ('.xlsx', '.xls', '.csv')
HEADER_ROWS = 40  # a header is looked for in the first rows; SAMM has it in row 14
FRAME_NUMBERS = ('onset', 'apex', 'offset')

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook, or a CSV.

    Attributes:
        path: the file.
        name: of the sheet in its workbook; '' for a CSV.
        cells: text; :func:`read_sheet` gives the columns our names.
        hidden: whether a spreadsheet program does not show it.
        notes: what was not read, for report.csv.
    """

    path: Path
    name: str
    cells: pd.DataFrame
    hidden: bool = False
    notes: list[dict] = field(default_factory=list)

    def __str__(self) -> str:
        return f'{self.path} [{self.name}]' if self.name else str(self.path)


def read_sheet(path: Path, columns: Columns, optional: Sequence[str] = (), prefer: str = '') -> Sheet:
    """Return the rows below the header that names `columns`, as text under our names.

    Args:
        path: a workbook or a CSV. Of the sheets with such a header and with rows below it, those that are not hidden
            come first; where they differ, the first one is read and the others are noted.
        columns: our name -> the spellings of the header cell; case, blanks and marks do not matter.
        optional: our names that may be absent; their cells are then empty.
        prefer: name of the sheet to take before others.
    """
    tables = read_tables(path)
    fitting = [sheet for table in tables if (sheet := named_rows(table, columns, optional))]
    if not fitting:
        raise InputError(f'{path}: {lacking(tables, columns, optional)}; give the sheet as its owner ships it')
    filled = [sheet for sheet in fitting if len(sheet.cells)]
    shown = [sheet for sheet in filled if not sheet.hidden] or filled
    if not shown:
        raise InputError(f'{fitting[0]}: expected rows below the header, found none; give the sheet that has them')
    chosen = next((sheet for sheet in shown if plain(sheet.name) == plain(prefer)), shown[0])
    for other in shown:
        if not other.cells.equals(chosen.cells):
            chosen.notes.append(note('sheet', f'{other} has the same columns and is not read: {chosen.name} is'))
    refuse_formulas(chosen, columns, optional)
    return chosen


def has_header(path: Path, columns: Columns, optional: Sequence[str] = ()) -> bool:
    """Say whether :func:`read_sheet` would find these columns."""
    try:
        read_sheet(path, columns, optional)
    except InputError:
        return False
    return True


def one_sheet(paths: Sequence[Path], example: str) -> Path:
    """Return the only one of the sheets that were found; `example` is the owner's file name, for the message."""
    if len(paths) == 1:
        return paths[0]
    found = f'found {" and ".join(map(str, paths))}; name one' if paths else 'found none; name it'
    raise InputError(f'expected one annotation sheet such as {example}, {found} with --sheet')


def clip_rows(sheet: Sheet) -> pd.DataFrame:
    """Return the rows that name a subject by a number and a clip; others, such as a sum, leave a note."""
    cells = sheet.cells
    subject, clip = cells['subject'].str.contains(r'\d'), cells['clip'] != ''
    halves = cells[(subject != clip) & cells['onset'].str.isdigit() & cells['offset'].str.isdigit()]
    if len(halves):
        first = halves.iloc[0]
        raise InputError(
            f'{sheet}: the row with frames {first["onset"]} to {first["offset"]} (subject {first["subject"]!r}, clip '
            f'{first["clip"]!r}) does not say whose clip it is; complete the row'
        )
    return kept_rows(sheet, subject & clip)


def all_clip_rows(sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Return the rows of several sheets; the column `sheet` tells whose they are."""
    return pd.concat([clip_rows(sheet).assign(sheet=str(sheet)) for sheet in sheets], ignore_index=True)


def kept_rows(sheet: Sheet, kept: pd.Series) -> pd.DataFrame:
    """Return some rows of a sheet, with a note on each of the others."""
    for row in sheet.cells[~kept].to_dict('records'):
        sheet.notes.append(note('row passed over', f'{sheet}: {row_text(row)}'))
    return sheet.cells[kept].reset_index(drop=True)


def number_in(text: str) -> int:
    """Return the first number in a subject's name: 'sub01', '01' and '1' are 1."""
    return int(re.search(r'\d+', text)[0])


def read_tables(path: Path) -> list[Sheet]:
    """Return all sheets of a file as text, hidden ones too; a CSV is one sheet."""
    if not path.is_file():
        raise InputError(f'{path}: no such annotation sheet; give the file with --sheet')
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f'{path}: expected a sheet {", ".join(SUFFIXES)}; save it as one of them')
    try:
        tables = [Sheet(path, '', read_csv(path))] if path.suffix.lower() == '.csv' else read_workbook(path)
    except (CalamineError, ValueError, OSError) as error:
        raise InputError(f'{path}: cannot be read as a sheet ({error}); save it again as xlsx or csv') from error
    return [replace(table, cells=table.cells.map(cell_text)) for table in tables]


def read_workbook(path: Path) -> list[Sheet]:
    """Return the sheets of an xlsx or xls; formulas have the values that were stored with them."""
    with CalamineWorkbook.from_path(path) as book:
        return [
            Sheet(
                path,
                sheet.name,
                pd.DataFrame(book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False), dtype=object),
                sheet.visible != SheetVisibleEnum.Visible,
            )
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet
        ]


def read_csv(path: Path) -> pd.DataFrame:
    """Return the cells of a CSV with commas, semicolons or tabs; short rows are filled up."""
    content = path.read_bytes()
    try:
        text = content.decode('utf-16' if content[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig')
    except UnicodeDecodeError:
        text = content.decode('latin-1')
    mark = max(',;\t', key=text.count)  # over the whole text: notes above the header have any marks
    width = max((line.count(mark) for line in text.splitlines()), default=0) + 1
    return pd.read_csv(io.StringIO(text), sep=mark, header=None, names=range(width), dtype=str, na_filter=False)


def cell_text(value: object) -> str:
    """Return a cell as text: 46, 46.0 and '46.0' are '46', full-width signs are plain, invisible ones are left off."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ''
    text = ''.join(sign for sign in unicodedata.normalize('NFKC', str(value)) if unicodedata.category(sign) != 'Cf')
    return re.sub(r'^(\d+)\.0+$', r'\1', ' '.join(text.split()))


def plain(text: str) -> str:
    """Return a header cell in lower case without blanks and marks."""
    return re.sub(r'[^a-z0-9]', '', text.lower())


def header_places(header: pd.Series, columns: Columns) -> dict[str, int]:
    """Return {our name: position} of the columns that this row names; the first of equal names counts."""
    cells = [plain(cell) for cell in header]
    places = {}
    for name, spellings in columns.items():
        found = [cells.index(plain(spelling)) for spelling in spellings if plain(spelling) in cells]
        if found:
            places[name] = found[0]
    return places


def header_rows(table: Sheet, columns: Columns) -> list[dict[str, int]]:
    """Return what each of the first rows names, in order."""
    return [header_places(row, columns) for _, row in table.cells.head(HEADER_ROWS).iterrows()]


def named_rows(table: Sheet, columns: Columns, optional: Sequence[str]) -> Sheet | None:
    """Return the rows below the header that are not empty, under our names; None where there is no such header.

    Of several such rows the last is the header: notes above it may name the columns too.
    """
    found = header_rows(table, columns)
    headers = [row for row, places in enumerate(found) if not columns.keys() - places.keys() - set(optional)]
    if not headers:
        return None
    cells = table.cells.iloc[headers[-1] + 1 :]
    rows = pd.DataFrame({name: cells.iloc[:, place] for name, place in found[headers[-1]].items()})
    rows = rows[(rows != '').any(axis=1)].reindex(columns=list(columns), fill_value='').reset_index(drop=True)
    notes = []
    if len(headers) > 1:
        lines = ' and '.join(str(row + 1) for row in headers)
        notes.append(note('sheet', f'{table}: rows {lines} name the columns, what follows the last of them is read'))
    return replace(table, cells=rows, notes=notes)


def lacking(tables: Sequence[Sheet], columns: Columns, optional: Sequence[str]) -> str:
    """Return which columns no header row has, for the message."""
    wanted = [name for name in columns if name not in optional]
    best = max((places.keys() for table in tables for places in header_rows(table, columns)), key=len, default=())
    names = ', '.join(columns[name][0] for name in wanted)
    text = f'expected a header row with {names}, found none in {", ".join(table.name or "it" for table in tables)}'
    return f'{text} (the nearest lacks {", ".join(columns[name][0] for name in wanted if name not in best)})'


def refuse_formulas(sheet: Sheet, columns: Columns, optional: Sequence[str]) -> None:
    """A column of frame numbers that is all empty holds formulas that some program wrote without their values."""
    for name in FRAME_NUMBERS:
        if sheet.name and name in columns and name not in optional and (sheet.cells[name] == '').all():
            raise InputError(
                f'{sheet}: the column {columns[name][0]} holds formulas without values, or nothing; open the file in a '
                'spreadsheet program and save it'
            )
