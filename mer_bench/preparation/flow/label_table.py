"""The label table that comes with published flow pictures of the MEGC2019 clips, with or without a header.

Two forms are in wide use: the official list `data set, subject, clip, label` without a header (SAMM subjects written
6), and tables with a header such as `dataset, sub, filename_o, label, apex, ...` (SAMM subjects written 006).
"""

from pathlib import Path

import pandas as pd

from mer_bench.datasets.reader import frame_numbers
from mer_bench.datasets.sheet import read_tables
from mer_bench.datasets.spellings import DATASETS, EMOTIONS, plain, spell
from mer_bench.errors import InputError

HEADERS = {
    'dataset': ('dataset', 'database', 'db'),
    'subject': ('subject', 'sub', 'subjects', 'subjectid'),
    'clip': ('filename', 'filenameo', 'clip', 'clipname', 'file', 'video'),
    'label': ('label', 'class', 'emotion', 'gt'),
    'onset': ('onset', 'onsetframe'),
    'apex': ('apex', 'apexframe'),
    'offset': ('offset', 'offsetframe'),
}
WITHOUT_HEADER = {3: ('subject', 'clip', 'label'), 6: ('subject', 'clip', 'onset', 'apex', 'offset', 'label')}


def read_labels(path: str | Path) -> pd.DataFrame:
    """Return one row per clip: dataset, subject, clip (identifiers in one spelling), emotion, onset, apex, offset."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such label table; give a CSV with the columns subject, file name and label')
    cells = read_cells(path)
    columns = named_columns(cells[0]) or unnamed_columns(cells, path)
    rows = cells[1:] if named_columns(cells[0]) else cells
    width = max(place + 1 for place, cell in enumerate(cells[0]) if cell) if named_columns(cells[0]) else None
    if longer := next((row for row in rows if width and any(row[width:])), None):
        raise InputError(
            f'{path}: expected at most {width} cells in a row, as in the header, found {longer}; correct it'
        )
    if not rows:
        raise InputError(f'{path}: expected one row per clip after the header, found none; complete the table')
    raw = pd.DataFrame([{name: row[place] for name, place in columns.items()} for row in rows])
    table = pd.DataFrame([spell(*clip, path) for clip in raw.reindex(columns=['dataset', 'subject', 'clip']).values])
    table['emotion'] = [read_emotion(label, path) for label in raw['label']]
    for name in ('onset', 'apex', 'offset'):
        table[name] = frame_numbers(raw[name]) if name in raw else pd.NA
    twice = table[table.duplicated(['subject', 'clip'])]
    if len(twice):
        raise InputError(f'{path}: {twice.iloc[0]["subject"]} {twice.iloc[0]["clip"]} occurs twice; keep one row')
    return table


def read_cells(path: Path) -> list[list[str]]:
    """Return the cells of a table, without its empty rows; print a note where its encoding had to be guessed."""
    tables = read_tables(path)
    sheet = next((table for table in tables if len(table.cells) and not table.hidden), tables[0])
    for remark in sheet.notes:
        print(f'{remark["kind"]}: {remark["detail"]}')
    cells = [row for row in sheet.cells.to_numpy().tolist() if any(row)]
    if not cells:
        raise InputError(f'{path}: expected one row per clip, found none; complete the table')
    return cells


def named_columns(header: list[str]) -> dict[str, int] | None:
    """Return {our name: place} if the row is a header, else None."""
    cells = [plain(cell) for cell in header]
    places = {
        ours: next((cells.index(name) for name in names if name in cells), None) for ours, names in HEADERS.items()
    }
    found = {ours: place for ours, place in places.items() if place is not None}
    return found if {'subject', 'clip', 'label'} <= found.keys() else None


def unnamed_columns(cells: list[list[str]], path: Path) -> dict[str, int]:
    """Return {our name: place} of a table without header: the data set is known by its values, the rest by order."""
    columns = list(zip(*cells, strict=True))
    named = [place for place, column in enumerate(columns) if all(plain(cell) in DATASETS for cell in column)]
    rest = [place for place in range(len(columns)) if place not in named]
    if len(rest) not in WITHOUT_HEADER or len(named) > 1:
        raise InputError(
            f'{path}: expected a header with subject, filename and label, or rows of data set, subject, file name, '
            f'label, found {cells[0]}; add a header'
        )
    return dict(zip(['dataset'] * len(named) + list(WITHOUT_HEADER[len(rest)]), named + rest, strict=True))


def read_emotion(label: str, path: Path) -> str:
    """Return the emotion of `0` or `negative` and so on."""
    if label.lower() in EMOTIONS:
        return label.lower()
    if label in ('0', '1', '2'):
        return EMOTIONS[int(label)]
    raise InputError(f'{path}: label {label!r} is not 0, 1, 2 or one of {EMOTIONS}; correct the table')
