"""Tables of predictions with a header: a csv with comma, semicolon or tab."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.labels import LONGEST, NO_LABEL, shown

MOST_COLUMNS = 1000
LONGEST_NAME = 200  # of a column
NAMES = ['sample_id', 'dataset', 'subject', 'clip', 'y_true', 'y_pred']
OWN = ('sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true', 'y_pred')  # how a run begins predictions.csv
LARGEST_OWN = 1 << 20  # bytes that pandas does not read faster
SYNONYMS = {
    'sample_id': ('sampleid',),
    'dataset': ('database',),
    'subject': ('sub', 'subjectid', 'subjectname'),
    'clip': ('filename', 'video', 'videoname', 'clipname', 'file'),
    'y_true': ('ytrue', 'true', 'truth', 'groundtruth', 'gt', 'label', 'labels', 'truelabel', 'target', 'actual'),
    'y_pred': (
        'ypred',
        'pred',
        'preds',
        'predict',
        'predicted',
        'prediction',
        'predictions',
        'predlabel',
        'predictedlabel',
    ),
}


class RawTable(NamedTuple):
    """A file as text: rows with y_true and y_pred, and the function that gives file and line of a row."""

    frame: pd.DataFrame
    where: Callable[[int], str]
    is_csv: bool = False


def name_columns(names: list[str]) -> list[str]:
    """Rename usual synonyms of our columns, unless a column already has our name."""
    names = [name.strip() for name in names]
    plain = [re.sub('[ _.-]', '', name.lower()) for name in names]
    for ours, others in SYNONYMS.items():
        same = [number for number, name in enumerate(plain) if name in others or name == ours.replace('_', '')]
        if ours not in names and len(same) == 1:
            names[same[0]] = ours
    return names


def read_own_csv(data: bytes) -> dict[str, list] | None:
    """Read a predictions.csv exactly as a run writes it, 30 times faster; return None for any other file.

    The result is that of :func:`read_predictions`, as lists. Only plain names and labels are accepted, which need
    neither correction nor an error message.
    """
    if len(data) > LARGEST_OWN or not data.isascii() or not data.endswith(b'\n'):
        return None
    lines = data.decode().split('\n')[:-1]
    header, *rows = [line.split(',') for line in lines]
    plain = all(line.isprintable() and not {' ', '"'} & {*line} for line in lines)
    if not plain or tuple(header[: len(OWN)]) != OWN or not _is_plain(header) or {*map(len, rows)} != {len(header)}:
        return None
    table = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    labels = {name.removeprefix('score_') for name in header if name.startswith('score_')}
    names = [tuple(sample_id.split('/', 2)) for sample_id in table['sample_id']]
    if {*map(len, names)} != {3} or not all(map(all, names)) or len({*table['sample_id']}) < len(rows):
        return None
    if [(dataset, f'{dataset}/{subject}') for dataset, subject, _ in names if dataset != 'full'] != [
        *zip(table['dataset'], table['subject'], strict=True)
    ]:
        return None
    known = {*table['y_true'], *table['y_pred']} <= labels
    if not known or any(
        not label.isidentifier() or label.lower() in NO_LABEL or len(label) > LONGEST for label in labels
    ):
        return None
    scores = {name: cells for name, cells in table.items() if 'score_' in name}
    try:
        numbers = {name: [*map(float, cells)] for name, cells in scores.items()}
    except ValueError:
        return None
    # 1_000 is a number to Python alone
    if any('_' in ''.join(cells) for cells in scores.values()) or not np.isfinite([*numbers.values()]).all():
        return None
    identity = {'clip': [clip for _, _, clip in names], 'y_true': table['y_true'], 'y_pred': table['y_pred']}
    others = {name: table[name] for name in header if name not in NAMES}
    return {name: table[name] for name in NAMES[:3]} | identity | others | numbers


def _is_plain(header: list[str]) -> bool:
    """Return whether the column names are unique and none is a synonym of one of ours."""
    ours = name_columns(header) == header and 'clip' not in header
    short = len(header) <= MOST_COLUMNS and all(0 < len(name) <= LONGEST_NAME for name in header)
    return ours and short and len({*header}) == len(header)


def read_csv(path: str | Path, data: bytes, mark: str, names: list[str], line: int) -> RawTable:
    """Read a csv that begins with its header, which is line `line` of the file."""
    lacks = [name for name in ('y_true', 'y_pred') if name not in names]
    lacks = ['sample_id'] * ('sample_id' not in names and 'subject' not in names) + lacks
    wrong = lacks or [name for name, number in Counter(names).items() if name and number > 1]
    if wrong or len(names) > MOST_COLUMNS:
        fault = ', '.join(map(bare, wrong[:12])) + ' is missing or twice there' if wrong else f'there are {len(names)}'
        raise InputError(
            f'{path}, line {line}: expected the columns sample_id (or subject), y_true, y_pred, each name once and '
            f'at most {MOST_COLUMNS}, but {fault}; correct the header'
        )
    if odd := [name for name in names if len(name) > LONGEST_NAME or not name.isprintable()]:
        raise InputError(
            f'{path}, line {line}: expected printable names of columns, of at most {LONGEST_NAME} characters, but got '
            f'{shown(odd[0])}; rename it'
        )
    where = _line_finder(path, data, mark, line)
    frame = _parse(data, mark, names)
    if frame is None or _may_be_short(frame, len(names)):
        _refuse_lengths(path, data, mark, len(names), line)
    if frame is None:
        frame = _parse(data, mark, names, as_text=True)
    if frame is None:
        raise InputError(f'{path}: expected a csv, but its quotation marks do not close; correct it')
    frame = frame[[number for number, name in enumerate(names) if name]]
    frame.columns = [name for name in names if name]
    if not data.isascii() or b' ' in data or (mark != '\t' and b'\t' in data):
        text = [name for name in frame if frame[name].dtype != float]
        frame = frame.assign(**{name: frame[name].astype(str).str.strip() for name in text})
    blank = (frame['y_true'] == '') & (frame['y_pred'] == '')
    for name in set(NAMES) & set(frame):
        blank &= frame[name] == ''
    rows = np.flatnonzero(~blank)
    return RawTable(frame.iloc[rows], lambda row: where(rows[row]), is_csv=True)


def bare(name: str) -> str:
    return shown(name)[1:-1]


def _parse(data: bytes, mark: str, names: list[str], as_text: bool = False) -> pd.DataFrame | None:
    """Return the rows, by default with scores as numbers; None where they are no such table."""
    # not as categories, which pandas would turn into numbers: 006 is no 6
    kinds = {number: float if 'score_' in name and not as_text else str for number, name in enumerate(names)}
    options = dict(keep_default_na=False, skip_blank_lines=False, float_precision='round_trip', low_memory=False)
    try:
        frame = pd.read_csv(io.BytesIO(data), sep=mark, header=0, names=[*range(len(names))], dtype=kinds, **options)
    except (ValueError, OverflowError):  # a row of several cells too many, a score that is no number
        return None
    return frame if isinstance(frame.index, pd.RangeIndex) else None


def _may_be_short(frame: pd.DataFrame, n_columns: int) -> bool:
    """Return whether a row may have too few cells: missing cells are read as empty."""
    last = frame[n_columns - 1]
    return bool((last.isna() if last.dtype == float else last == '').any())


def _refuse_lengths(path: str | Path, data: bytes, mark: str, n_columns: int, line: int) -> None:
    """Name the first row with another number of cells than the header, if there is one."""
    rows = csv.reader(io.StringIO(data.decode(), newline=''), delimiter=mark)
    try:
        for row in rows:
            if len(row) != n_columns and any(row):
                raise InputError(
                    f'{path}, line {line - 1 + rows.line_num}: expected {n_columns} cells as in the header, but got '
                    f'{len(row)}; correct it'
                )
    except csv.Error as error:
        raise InputError(
            f'{path}, line {line - 1 + rows.line_num}: expected a csv, but got: {error}; correct it'
        ) from None


def _line_finder(path: str | Path, data: bytes, mark: str, line: int) -> Callable[[int], str]:
    """Return the function that gives file and line of a row."""

    def where(row: int) -> str:
        if b'"' not in data:
            return f'{path}, line {line + 1 + row}'
        rows = csv.reader(io.StringIO(data.decode(), newline=''), delimiter=mark)
        for _, _ in zip(range(row + 2), rows, strict=False):
            pass
        return f'{path}, line {line - 1 + rows.line_num}'

    return where
