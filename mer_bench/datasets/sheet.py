"""An annotation sheet (xlsx, xls or csv) as a table of text cells, its header found by name and not by row number."""

import csv
import importlib.util
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import pandas as pd

from mer_bench.datasets import workbook
from mer_bench.datasets.clip_row import note, row_text
from mer_bench.datasets.spellings import plain
from mer_bench.datasets.table import FRAME_NUMBERS
from mer_bench.errors import HIDDEN, InputError, cause_of
from mer_bench.files import refuse_special

SUFFIXES = ('.xlsx', '.xls', '.csv')
TEXT_SUFFIXES = ('.csv', '.txt', '.tsv')  # a text of the latter two has to be named
HEADER_ROWS = 40  # a header is looked for in the first rows; SAMM has it in row 14
LONGEST = 9  # digits in the number of a subject
LARGEST = 1 << 30  # bytes of a file
MOST_CELLS = 50_000_000  # of a CSV, short rows filled up
LONGEST_NUMBER = 100  # digits; int() refuses thousands
CHANGED = re.compile(rf'[^!-~\n]|\n\d+\.0+\n|\d{{{LONGEST_NUMBER}}}')  # in cells between line ends
VIDEO = r'\.(?:avi|mp4|mov|mkv|wmv|mpe?g)$'
MARKS = {b'\xef\xbb\xbf': 'utf-8-sig', b'\xff\xfe\0\0': 'utf-32', b'\xff\xfe': 'utf-16', b'\xfe\xff': 'utf-16'}
SAVE_AGAIN = "save it as 'CSV UTF-8' or as xlsx"
OTHER_FORM = (
    'give the sheet as its owner ships it, or rename its columns; `mer-bench prepare csv` reads any list, whose '
    'columns --columns names where it has no header'
)

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook, or a CSV.

    Attributes:
        path: the file.
        name: of the sheet in its workbook; '' for a CSV.
        cells: text; :func:`read_sheet` gives the columns our names.
        hidden: whether spreadsheet programs hide it.
        notes: what was not read, for report.csv.
    """

    path: Path
    name: str
    cells: pd.DataFrame
    hidden: bool = False
    notes: list[dict] = field(default_factory=list)

    def __str__(self) -> str:
        return f'{self.path} [{self.name}]' if self.name else str(self.path)


@dataclass(frozen=True)
class SheetForm:
    """What is known about an annotation sheet before it is read.

    Attributes:
        columns: our name -> spellings of the header cell; case, blanks and punctuation do not matter.
        file: pattern of the file's name, by which it is found in a folder.
        example: the owner's file name, for messages.
        optional: our names that may be absent; their cells are then empty.
        prefer: pattern of the sheet to take before others in a workbook.
    """

    columns: Columns
    file: str = ''
    example: str = 'a sheet'
    optional: Sequence[str] = ()
    prefer: str = ''


def read_sheet(path: Path, form: SheetForm) -> Sheet:
    """Return the rows below the header, as text under our names.

    Of the sheets of a workbook with such a header and with rows below it, those that are not hidden come first; where
    they differ, the first one is read and the others are noted.
    """
    shown = shown_sheets(path, form)
    prefer = form.prefer and re.compile(form.prefer, re.IGNORECASE)
    chosen = next((sheet for sheet in shown if prefer and prefer.search(sheet.name)), shown[0])
    return checked(chosen, shown, form)


def read_parts(path: Path, form: SheetForm) -> list[Sheet]:
    """Return the sheets with these columns that share no clip, parts of a data set in one workbook; note the others."""
    parts, others, clips = [], [], set()
    for sheet in shown_sheets(path, form):
        named = sheet.cells[sheet.cells['clip'] != '']
        own = set(zip(named['subject'].str.lower(), named['clip'].str.lower(), strict=True))
        (others if own & clips else parts).append(sheet)
        clips |= own
    return [checked(parts[0], others, form), *(checked(part, [], form) for part in parts[1:])]


def checked(sheet: Sheet, others: Sequence[Sheet], form: SheetForm) -> Sheet:
    """Return the sheet, with a note on each other one that would fit too; refuse formulas without values.

    A column of frame numbers that is all empty holds formulas that some program wrote without their values.
    """
    for other in others:
        if not other.cells.equals(sheet.cells):
            detail = f'{other} has the same columns and is not read: {sheet.name} is'
            sheet.notes.append(note('sheet', detail))
    for name in FRAME_NUMBERS:
        if sheet.name and name in form.columns and name not in form.optional and (sheet.cells[name] == '').all():
            raise InputError(
                f'{sheet}: the column {form.columns[name][0]} holds formulas without values, or nothing; open the file '
                'in a spreadsheet program and save it'
            )
    return sheet


def shown_sheets(path: Path, form: SheetForm) -> list[Sheet]:
    """Return the sheets with these columns and with rows, without hidden ones if there are others; at least one."""
    tables = read_tables(path)
    fitting = [sheet for table in tables if (sheet := named_rows(table, form))]
    if not fitting:
        raise InputError(f'{path}: {lacking(tables, form)}; {OTHER_FORM}')
    filled = [sheet for sheet in fitting if len(sheet.cells)]
    shown = [sheet for sheet in filled if not sheet.hidden] or filled
    if not shown:
        raise InputError(f'{fitting[0]}: expected rows below the header, found none; give the sheet that has them')
    return shown


def has_header(path: Path, form: SheetForm) -> bool:
    """Return whether :func:`read_sheet` would find these columns."""
    try:
        read_sheet(path, form)
    except InputError:
        return False
    return True


def one_sheet(paths: Sequence[Path], example: str) -> Path:
    """Return the only one of the sheets that were found; `example` is the owner's file name, for the message."""
    if len(paths) == 1:
        return paths[0]
    found = f'found {" and ".join(map(str, paths))}; name one' if paths else 'found none; name it'
    raise InputError(f'expected one annotation sheet such as {example}, {found} with --sheet')


def clip_rows(*sheets: Sheet) -> pd.DataFrame:
    """Return the rows that name a subject by a number and a clip, at least one; others, such as a sum, leave a note.

    The column `sheet` has the sheet of each row.
    """
    rows = pd.concat([own_clip_rows(sheet).assign(sheet=str(sheet)) for sheet in sheets], ignore_index=True)
    if rows.empty:
        raise InputError(
            f'{" and ".join(map(str, sheets))}: expected rows with the number of a subject and the name of a clip, '
            'found none; give the sheet as its owner ships it'
        )
    return rows


def own_clip_rows(sheet: Sheet) -> pd.DataFrame:
    """Return the rows of :func:`clip_rows` of one sheet; refuse a row that names only one of subject and clip."""
    cells = sheet.cells
    subject, clip = cells['subject'].str.contains(r'\d'), cells['clip'] != ''
    halves = cells[(subject != clip) & cells['onset'].str.isdigit() & cells['offset'].str.isdigit()]
    if len(halves):
        first = halves.iloc[0]
        raise InputError(
            f'{sheet}: the row with frames {first["onset"]} to {first["offset"]} (subject {first["subject"]!r}, clip '
            f'{first["clip"]!r}) does not name subject and clip; complete the row'
        )
    return kept_rows(sheet, subject & clip)


def kept_rows(sheet: Sheet, kept: pd.Series) -> pd.DataFrame:
    """Return some rows of a sheet, with a note on each of the others."""
    for row in sheet.cells[~kept].to_dict('records'):
        sheet.notes.append(note('row passed over', f'{sheet}: {row_text(row)}'))
    return sheet.cells[kept].reset_index(drop=True)


def number_in(text: str) -> int:
    """Return the first number in a subject's name: 'sub01', '01' and '1' are 1."""
    number = re.search(r'\d+', text)[0]
    if len(number) > LONGEST:
        raise InputError(
            f'subject {number[:LONGEST]}...: expected a number of at most {LONGEST} digits; correct the cell'
        )
    return int(number)


def read_tables(path: Path) -> list[Sheet]:
    """Return all sheets of a file as text, hidden ones too; a CSV is one sheet."""
    refuse_special(path, 'give the file with --sheet')
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: no such annotation sheet ({cause_of(error)}); give the file with --sheet') from error
    if path.suffix.lower() not in (*SUFFIXES, *TEXT_SUFFIXES):
        raise InputError(f'{path}: expected a sheet {", ".join(SUFFIXES)}; save it as one of them')
    if found.st_size > LARGEST:
        raise InputError(
            f'{path}: expected an annotation sheet, found {found.st_size / 1e9:.1f} GB; is it another file?'
        )
    tables, remark = read_file(path, found.st_mtime_ns, found.st_size)
    notes = [note('encoding', f'{path}: {remark}')] if remark else []
    return [Sheet(path, name, cells, hidden, list(notes)) for name, hidden, cells in tables]


@lru_cache(maxsize=4)  # some readers ask several times for one file
def read_file(path: Path, changed: int, size: int) -> tuple[list[tuple[str, bool, pd.DataFrame]], str]:
    """Return name, whether it is hidden, and the cells of each sheet of a file, and a remark on its encoding.

    Args:
        path: of the file.
        changed: when it was written, ns; the same file is read once.
        size: in bytes.
    """
    try:
        if path.suffix.lower() in TEXT_SUFFIXES:
            text, remark = decode(path.read_bytes(), path)
            tables = [('', False, read_csv(text))]
        else:
            tables, remark = read_workbook(path), ''
        return [(name, hidden, cells.apply(cell_texts)) for name, hidden, cells in tables], remark
    except (ValueError, OSError, MemoryError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
        reason = ' '.join(str(error).split()) or 'too large'
        raise InputError(f'{path}: cannot be read as a sheet ({reason}); save it again as xlsx or csv') from error


def read_workbook(path: Path) -> list[tuple[str, bool, pd.DataFrame]]:
    """Return name, whether it is hidden, and the cells of the sheets of an xlsx or xls.

    They are read by :mod:`mer_bench.datasets.workbook` in a separate process, which a hostile file may kill.
    """
    library = Path(importlib.util.find_spec('python_calamine').origin).parents[1]
    command = [sys.executable, '-I', '-S', workbook.__file__, str(library), str(path.absolute())]
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5 * workbook.SECONDS)
    except subprocess.TimeoutExpired:
        run = None
    if run and run.returncode == 0:
        return [
            (name, hidden, pd.DataFrame(rows, dtype=object).fillna('')) for name, hidden, rows in json.loads(run.stdout)
        ]
    if run and run.returncode == 3:
        raise ValueError(run.stdout.decode(errors='replace'))
    raise InputError(
        f'{path}: expected an annotation sheet, found a file that cannot be read with {workbook.MEMORY >> 30} GB of '
        f'memory in {workbook.SECONDS} s: it is damaged, or a cell is far below or beside the table; delete what '
        'is there, and save it again as xlsx or csv'
    )


def decode(content: bytes, path: Path) -> tuple[str, str]:
    """Return the text of a CSV, and a remark where its encoding was guessed.

    UTF-8, and UTF-16 with a byte order mark, are certain. Chinese programs mostly write GB18030 (GBK), which is assumed
    only where all bytes are valid in it.
    """
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), 'utf-8')
    remark = ''
    if encoding == 'utf-8' and 4 * content.count(0) >= len(content) > 0:
        encoding = 'utf-16-le' if content[1::2].count(0) > content[::2].count(0) else 'utf-16-be'
        remark = f'read as {encoding.upper()}, although it has no byte order mark'
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != 'utf-8':
            raise InputError(f'{path}: its text is not {encoding} as it begins; {SAVE_AGAIN}') from error
        place = f'the byte 0x{content[error.start]:02X} in line {content.count(10, 0, error.start) + 1}'
        try:
            text, remark = content.decode('gb18030'), f'{place} is not UTF-8: read as GB18030 (Chinese)'
        except UnicodeDecodeError:
            raise InputError(
                f'{path}: expected text in UTF-8, UTF-16 or GB18030, found {place}, which is none of them; {SAVE_AGAIN}'
            ) from error
    if '\0' in text:
        line = text.count('\n', 0, text.index('\0')) + 1
        raise InputError(
            f'{path}: expected text, found the sign NUL in line {line} (UTF-16 without a mark?); {SAVE_AGAIN}'
        )
    return text, remark and f'{remark}; if its text looks wrong, {SAVE_AGAIN}'


def read_csv(text: str) -> pd.DataFrame:
    """Return the cells of a CSV with commas, semicolons or tabs; short rows are filled up."""
    mark = max(',;\t', key=text.count)  # over the whole text: notes above the header have any marks
    text = text.replace('\r\n', '\n').replace('\r', '\n')
    if '"' in text:  # a cell may hold marks and line ends
        lines = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if row]
        width = max(map(len, lines), default=1)
    else:
        lines = text.split('\n')
        width = max(line.count(mark) for line in lines) + 1
    if len(lines) * width > MOST_CELLS:
        raise ValueError(f'{len(lines)} lines, one of them with {width} cells')
    if '"' in text:
        return pd.DataFrame(lines, dtype=object).fillna('')
    del lines  # the text is long enough
    return pd.read_csv(io.StringIO(text), sep=mark, header=None, names=range(width), dtype=str, na_filter=False)


def each(texts: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """Return the texts, each changed; equal ones are changed once."""
    return texts.map({text: change(text) for text in texts.unique()})


def cell_texts(column: pd.Series) -> pd.Series:
    """Return the cells of a column as :func:`cell_text` does; most columns need no change, which one search shows."""
    joined = '\n'.join(['', *column.tolist(), ''])
    unchanged = joined.count('\n') == len(column) + 1 and not CHANGED.search(joined)
    return column.astype(str) if unchanged else each(column, cell_text)


def cell_text(text: str) -> str:
    """Return a cell without invisible characters; '46.0' becomes '46', full-width signs plain ones, blanks single."""
    if len(text) >= LONGEST_NUMBER and (found := re.search(rf'\d{{{LONGEST_NUMBER},}}', text)):
        raise ValueError(f'a cell holds the number {found[0][:8]}... of {len(found[0])} digits')
    if not (text.isascii() and text.isprintable()):
        signs = unicodedata.normalize('NFKC', text)
        text = ''.join(sign for sign in signs if sign.isspace() or unicodedata.category(sign) not in HIDDEN)
    return re.sub(r'^(\d+)\.0+$', r'\1', ' '.join(text.split()))


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


def named_rows(table: Sheet, form: SheetForm) -> Sheet | None:
    """Return the rows below the header that are not empty, under our names; None where there is no such header.

    Of several such rows the last is the header: notes above it may name the columns too.
    """
    needed = form.columns.keys() - set(form.optional)
    found = header_rows(table, form.columns)
    headers = [row for row, places in enumerate(found) if needed <= places.keys()]
    if not headers:
        return None
    cells = table.cells.iloc[headers[-1] + 1 :]
    rows = pd.DataFrame({name: cells.iloc[:, place] for name, place in found[headers[-1]].items()})
    rows = rows[(rows != '').any(axis=1)].reindex(columns=list(form.columns), fill_value='').reset_index(drop=True)
    if 'clip' in rows:
        rows['clip'] = without_suffix(rows['clip'])
    notes = list(table.notes)
    if len(headers) > 1:
        lines = ' and '.join(str(row + 1) for row in headers)
        notes.append(note('sheet', f'{table}: rows {lines} name the columns, what follows the last of them is read'))
    return replace(table, cells=rows, notes=notes)


def without_suffix(clips: pd.Series) -> pd.Series:
    """Return the names of clips without that of a video file: EP03_02.avi is EP03_02."""
    return clips.str.replace(VIDEO, '', case=False, regex=True)


def lacking(tables: Sequence[Sheet], form: SheetForm) -> str:
    """Return which columns no header row has, for the message."""
    columns = {name: spellings for name, spellings in form.columns.items() if name not in form.optional}
    best = max((row.keys() for table in tables for row in header_rows(table, form.columns)), key=len, default=())
    shown = {name: name if name in spellings else spellings[0] for name, spellings in columns.items()}
    text = f'expected a header row with {", ".join(shown.values())}, found none in '
    text += ', '.join(table.name or 'it' for table in tables)
    return f'{text} (the nearest lacks {", ".join(shown[name] for name in shown if name not in best)})'
