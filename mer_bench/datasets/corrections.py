"""Known errors of the annotation sheets as data: `corrections/<dataset>.csv`, each row with its reason and source."""

from pathlib import Path

import pandas as pd

from mer_bench.datasets.notes import note
from mer_bench.errors import InputError

FOLDER = Path(__file__).parent / 'corrections'
COLUMNS = ['subject', 'clip', 'column', 'old', 'new', 'reason', 'source']


def read_corrections(dataset: str) -> pd.DataFrame:
    """Return the corrections of a data set, all cells text; no file, no corrections."""
    path = FOLDER / f'{dataset}.csv'
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(path, dtype=str, na_filter=False)
    if list(table.columns) != COLUMNS:
        raise InputError(f'{path}: expected the columns {", ".join(COLUMNS)}, found {", ".join(table.columns)}')
    return table


def apply_corrections(rows: pd.DataFrame, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[dict]]:
    """Correct the cells whose value is the old one.

    Args:
        rows: text cells with subject and clip, as the reader spells them; capitals do not matter.
        corrections: as :func:`read_corrections` returns it. An empty `new` makes the cell unknown.

    Returns:
        The corrected rows, and a note for each correction that was applied.
    """
    rows, notes = rows.copy(), []
    names = rows['subject'].str.lower() + '/' + rows['clip'].str.lower()
    for fix in corrections.itertuples():
        hit = (names == f'{fix.subject}/{fix.clip}'.lower()) & (rows[fix.column] == fix.old)
        if hit.any():
            rows.loc[hit, fix.column] = fix.new
            detail = f'{fix.column} {fix.old!r} -> {fix.new or "unknown"}: {fix.reason} ({fix.source})'
            notes.append(note('corrected', detail, fix.subject, fix.clip))
    return rows, notes
