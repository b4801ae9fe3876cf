"""Sanity bounds: the UF1 that a method must reach on a table, or the reason why it does not (sanity_bounds.csv)."""

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError, file_fault
from mer_bench.files import refuse_special

COLUMNS = ('table', 'method', 'uf1', 'reason')
ANY = '*'


@dataclass(frozen=True)
class Bound:
    """The UF1 to reach, None where nothing is demanded, and why a method stays below."""

    uf1: float | None
    reason: str


def read_bounds(path: Path | None) -> dict[tuple[str, str], Bound]:
    """Read sanity_bounds.csv: a row per table and method; the method `*` means all others of the table.

    A row may have a reason and no uf1; then the uf1 of `*` counts.
    """
    rows = read_rows(path, COLUMNS) if path else []
    bounds = {(row['table'], row['method']): Bound(_uf1(path, row['uf1']), row['reason'].strip()) for row in rows}
    if len(bounds) < len(rows):
        (table, method), _ = Counter((row['table'], row['method']) for row in rows).most_common(1)[0]
        raise InputError(f'{path}: {method} of {table} is there twice; remove one row')
    return bounds


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a csv in UTF-8 that has just these columns."""
    refuse_special(path)
    try:
        reader = csv.DictReader(io.StringIO(path.read_bytes().decode('utf-8-sig'), newline=''), strict=True)
        rows = list(reader)
    except UnicodeDecodeError:
        raise InputError(f'{path}: expected UTF-8 text, but it is not; save it as UTF-8') from None
    except csv.Error as error:
        raise InputError(f'{path}: expected a csv, but got: {error}; correct it') from None
    except OSError as error:
        raise InputError(file_fault(error)) from None
    if tuple(reader.fieldnames or ()) != columns:
        found = f'{", ".join(reader.fieldnames or ["an empty file"]):.200}'
        raise InputError(f'{path}: expected the columns {", ".join(columns)}, found {found}; correct the header')
    if wrong := next((row for row in rows if None in row or None in row.values()), None):
        found = ', '.join(str(cell) for cell in wrong.values() if isinstance(cell, str))
        raise InputError(f'{path}: expected {len(columns)} cells in every line, but not in {found:.80}; correct it')
    return rows


def _uf1(path: Path, text: str) -> float | None:
    try:
        number = float(text) if text.strip() else None
    except ValueError:
        number = math.nan
    if number is not None and not 0 <= number <= 1:
        raise InputError(f'{path}: expected a number from 0 to 1 or nothing as uf1, found {text!r}; correct it')
    return number


def judge(row: dict, bounds: dict[tuple[str, str], Bound], table: str) -> dict:
    """Return the columns on the bound of a row: sanity_uf1, sanity_reached, sanity_reason; nothing without a bound."""
    general, own = (bounds.get((table, method), Bound(None, '')) for method in (ANY, row['method']))
    uf1 = general.uf1 if own.uf1 is None else own.uf1
    if uf1 is None:
        return {}
    reached = row['uf1'] >= uf1
    return {'sanity_uf1': uf1, 'sanity_reached': reached, 'sanity_reason': '' if reached else own.reason}
