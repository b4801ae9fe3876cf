"""Which clips lack frames or have damaged ones: reported by `check`, left out by --skip-damaged."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.clip_row import NOTE, note
from mer_bench.datasets.dataset import DataSet
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import Reading, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.summary import print_notes, print_reading, track, write_report

FAULTS = [
    'left out',
    'span of the folder',
    'no onset frame',
    'no apex frame',
    'no offset frame',
    'few frames',
    'damaged',
]
AT_ONCE = 64  # pictures in memory


def check_dataset(dataset: DataSet, places: Places, out: Path) -> bool:
    """Print what is missing or damaged, and separately what the sheet lacks; write all notes to OUT/report.csv.

    Returns:
        Whether all frames that the sheet names are there and can be read.
    """
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    notes = pd.concat([reading.notes, damaged_clips(reading)], ignore_index=True)
    write_report(notes, out)
    print_notes(notes, out)
    faulty = clips_of(notes, FAULTS)
    print(f'clips without a known apex: {reading.table["apex"].isna().sum()}')
    print(f'clips without a usable onset and offset in the sheet: {clips_of(notes, ["wrong numbers"])}')
    print(f'clips that lack a frame or have a damaged one: {faulty}')
    return not faulty


def damaged_clips(reading: Reading) -> pd.DataFrame:
    """Return a note on every clip with a frame from onset to offset that cannot be read or differs in size."""
    found = []
    for clip in track(list(reading.table.itertuples()), 'reading frames'):
        if fault := first_fault(reading.frames[clip.sample_id]):
            found.append(note('damaged', fault, clip.subject.split('/', 1)[1], clip.clip))
    return pd.DataFrame(found, columns=NOTE)


def first_fault(paths: dict[int, Path]) -> str | None:
    """Return what is wrong with these frames of a clip, None if all can be read and have one size."""
    numbers = list(paths)
    try:
        for start in range(0, len(numbers), AT_ONCE):
            read_frames({number: paths[number] for number in [numbers[0], *numbers[start : start + AT_ONCE]]})
    except InputError as error:
        return str(error).partition('; ')[0]  # without the advice, which is to leave such clips out
    return None


def clips_of(notes: pd.DataFrame, kinds: list[str]) -> int:
    """Return how many clips have a note of one of these kinds."""
    return len(notes[notes['kind'].isin(kinds)][['subject', 'clip']].drop_duplicates())


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
    """Return the reading without clips that have an unreadable picture."""
    damaged = damaged_clips(reading)
    names = damaged['subject'] + '/' + damaged['clip']
    whole = ~reading.table['sample_id'].str.split('/', n=1).str[1].isin(names)
    if not whole.any():
        raise InputError(f'{reading.rows.frames}: each of {len(whole)} clips has a damaged picture; restore the frames')
    return leave_out(reading, whole.to_numpy(), damaged.assign(detail=damaged['detail'] + ': left out'))
