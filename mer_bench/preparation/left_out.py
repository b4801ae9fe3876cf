"""Further notes on the clips of a reading, and clips that are left out after it."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from mer_bench.datasets.notes import NOTE, note
from mer_bench.datasets.reader import Reading
from mer_bench.errors import InputError
from mer_bench.preparation.check import damaged_clips


def with_notes(reading: Reading, notes: Iterable[tuple[str, str, str]]) -> Reading:
    """Return the reading with further notes, each (sample_id, kind, detail)."""
    rows = [note(kind, detail, *name.split('/', 2)[1:]) for name, kind, detail in notes]
    return replace(reading, notes=pd.concat([reading.notes, pd.DataFrame(rows, columns=NOTE)], ignore_index=True))


def leave_out(reading: Reading, kept: np.ndarray, notes: pd.DataFrame) -> Reading:
    """Return the reading with some of its clips alone.

    Args:
        reading: of the data set.
        kept: for each row of the table, whether it stays, (N,) bool.
        notes: on those that do not.
    """
    lost = reading.table[~kept]
    return replace(
        reading,
        table=reading.table[kept].reset_index(drop=True),
        lost=pd.concat([reading.lost, lost], ignore_index=True) if len(reading.lost) else lost,
        notes=pd.concat([reading.notes, notes], ignore_index=True),
    )


def leave_out_damaged(reading: Reading) -> Reading:
    """Return the reading without the clips of which a picture cannot be read."""
    damaged = damaged_clips(reading)
    names = damaged['subject'] + '/' + damaged['clip']
    whole = ~reading.table['sample_id'].str.split('/', n=1).str[1].isin(names)
    if not whole.any():
        raise InputError(f'{reading.rows.frames}: each of {len(whole)} clips has a damaged picture; restore the frames')
    return leave_out(reading, whole.to_numpy(), damaged.assign(detail=damaged['detail'] + ': left out'))
