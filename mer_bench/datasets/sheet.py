"""An annotation sheet (xlsx, xls or csv) as a table of text cells, its header found by name and not by row number."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError

SUFFIXES = ('.xlsx', '.xls', '.csv')
HEADER_ROWS = 40  # a header is looked for in the first rows; SAMM has it in row 14

Columns = Mapping[str, Sequence[str]]


def read_sheet(path: Path, columns: Columns, optional: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows below the header that names `columns`, as text under our names.

    Args:
        path: an Excel workbook, of which the first sheet with such a header is read, or a CSV.
        columns: our name -> the spellings of the header cell; case, blanks and marks do not matter.
        optional: our names that may be absent; their cells are then empty.
    """
    tables = read_tables(path)
    for cells in tables.values():
        for row in range(min(HEADER_ROWS, len(cells))):
            places = header_places(cells.iloc[row], columns)
            if all(name in places or name in optional for name in columns):
                return named_rows(cells.iloc[row + 1 :], places, columns)
    wanted = ', '.join(spellings[0] for name, spellings in columns.items() if name not in optional)
    raise InputError(
        f'{path}: expected a header row with {wanted}, found none in the sheets {", ".join(tables)}; '
        'give the annotation sheet as its owner ships it with --sheet'
    )


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


def clip_rows(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows that name a subject by a number and a clip, without the notes that may stand below a table."""
    named = cells['subject'].str.contains(r'\d') & (cells['clip'] != '')
    unnamed = cells[~named & cells['onset'].str.isdigit() & cells['offset'].str.isdigit()]
    if len(unnamed):
        first = unnamed.iloc[0]
        raise InputError(
            f'{path}: the row with frames {first["onset"]} to {first["offset"]} (subject {first["subject"]!r}, clip '
            f'{first["clip"]!r}) does not say whose clip it is; complete the row'
        )
    return cells[named].reset_index(drop=True)


def number_in(text: str) -> int:
    """Return the first number in a subject's name: 'sub01', '01' and '1' are 1."""
    return int(re.search(r'\d+', text)[0])


def read_tables(path: Path) -> dict[str, pd.DataFrame]:
    """Return {name of the sheet: all its cells as text}; a CSV is one sheet."""
    if not path.is_file():
        raise InputError(f'{path}: no such annotation sheet; give the file with --sheet')
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f'{path}: expected a sheet {", ".join(SUFFIXES)}; save it as one of them')
    try:
        if path.suffix.lower() == '.csv':
            tables = {path.name: read_csv(path)}
        else:
            tables = pd.read_excel(path, sheet_name=None, header=None, dtype=object, na_filter=False)
    except ImportError:
        raise
    except Exception as error:  # every Excel engine has errors of its own
        raise InputError(
            f'{path}: cannot be read as a sheet ({str(error).splitlines()[0]}); save it again as xlsx or csv'
        ) from error
    return {str(name): table.map(cell_text) for name, table in tables.items()}


def read_csv(path: Path) -> pd.DataFrame:
    """Return the cells of a CSV with commas, semicolons or tabs; short rows are filled up."""
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        text = path.read_text(encoding='latin-1')
    mark = max(',;\t', key=text.count)  # over the whole text: notes above the header have any marks
    width = max((line.count(mark) for line in text.splitlines()), default=0) + 1
    return pd.read_csv(io.StringIO(text), sep=mark, header=None, names=range(width), dtype=str, na_filter=False)


def cell_text(value: object) -> str:
    """Return a cell as text: 46, 46.0 and '46.0' are '46', an empty cell is ''."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ''
    return re.sub(r'^(\d+)\.0+$', r'\1', ' '.join(str(value).split()))


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


def named_rows(cells: pd.DataFrame, places: dict[str, int], columns: Columns) -> pd.DataFrame:
    """Return the rows that are not empty, under our names."""
    rows = pd.DataFrame({name: cells.iloc[:, place] for name, place in places.items()}).reindex(columns=list(columns))
    rows = rows.fillna('').astype(str)
    return rows[(rows != '').any(axis=1)].reset_index(drop=True)
