"""Sanity bounds: the UF1 that a method must reach on a table, or the reason why it does not (sanity_bounds.csv)."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

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
    if path is None:
        return {}
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise InputError(f'{path}: expected a table, but {str(error).strip()}; correct the file') from None
    if tuple(table.columns) != COLUMNS:
        found = f'{", ".join(table.columns):.200}'
        raise InputError(f'{path}: expected the columns {", ".join(COLUMNS)}, found {found}; correct the header')
    twice = table[table.duplicated(['table', 'method'])]
    if len(twice):
        raise InputError(
            f'{path}: {twice.iloc[0]["method"]} of {twice.iloc[0]["table"]} is there twice; remove one row'
        )
    return {(row.table, row.method): Bound(_uf1(path, row.uf1), row.reason.strip()) for row in table.itertuples()}


def read_text(path: Path) -> str:
    """Read a table as UTF-8 text."""
    refuse_special(path)
    try:
        return path.read_bytes().decode('utf-8-sig')
    except UnicodeDecodeError:
        raise InputError(f'{path}: expected UTF-8 text, but it is not; save it as UTF-8') from None
    except OSError as error:
        raise InputError(file_fault(error)) from None


def _uf1(path: Path, text: str) -> float | None:
    try:
        number = float(text) if text.strip() else None
    except ValueError:
        number = math.nan
    if number is not None and not 0 <= number <= 1:
        raise InputError(f'{path}: expected a number from 0 to 1 or nothing as uf1, found {text!r}; correct it')
    return number


def find_bound(bounds: dict[tuple[str, str], Bound], table: str, method: str) -> Bound:
    """Return the bound of a method on a table."""
    general = bounds.get((table, ANY), Bound(None, ''))
    own = bounds.get((table, method), Bound(None, ''))
    return Bound(general.uf1 if own.uf1 is None else own.uf1, own.reason)


def judge(row: dict, bound: Bound) -> dict:
    """Return the columns on the bound of a row: sanity_uf1, sanity_reached, sanity_reason; nothing without a bound."""
    if bound.uf1 is None:
        return {}
    reached = row['uf1'] >= bound.uf1
    return {'sanity_uf1': bound.uf1, 'sanity_reached': reached, 'sanity_reason': '' if reached else bound.reason}
