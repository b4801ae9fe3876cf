"""Reads every frame of every clip again and says which clips lack some or have damaged ones."""

from pathlib import Path

import pandas as pd

from mer_bench.datasets.notes import NOTE, note
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import DataSet, Reading, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.store.fill import track
from mer_bench.preparation.summary import print_notes, print_reading

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


def check_dataset(dataset: DataSet, places: Places) -> bool:
    """Print what is missing or damaged, and apart from that what the sheet lacks.

    Returns:
        Whether all frames that the sheet names are there and can be read.
    """
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    notes = pd.concat([reading.notes, damaged_clips(reading)], ignore_index=True)
    print_notes(notes, None, shown=len(notes))
    faulty = clips_of(notes, FAULTS)
    print(f'clips without a known apex: {reading.table["apex"].isna().sum()}')
    print(f'clips without a usable onset and offset in the sheet: {clips_of(notes, ["wrong numbers"])}')
    print(f'clips that lack a frame or have a damaged one: {faulty}')
    return not faulty


def damaged_clips(reading: Reading) -> pd.DataFrame:
    """Return a note on every clip of which a frame from onset to offset cannot be read or has another size."""
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
