"""Reads the frames of clips again and says which clips lack some or have damaged ones."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_bench.datasets.notes import NOTE, note
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import DataSet, Reading, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.store_fill import track
from mer_bench.preparation.summary import print_notes, print_reading

FAULTS = ['left out', 'no onset frame', 'no apex frame', 'no offset frame', 'few frames', 'damaged']
AT_ONCE = 64  # pictures in memory


def check_dataset(dataset: DataSet, places: Places) -> bool:
    """Print what is missing or damaged, and apart from that what the sheet lacks.

    Returns:
        Whether all frames that the sheet names are there and can be read.
    """
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    named = {clip.sample_id: [clip.onset, clip.apex, clip.offset] for clip in reading.table.itertuples()}
    notes = pd.concat([reading.notes, damaged_clips(reading, named)], ignore_index=True)
    print_notes(notes, None, shown=len(notes))
    tell(int(reading.table['apex'].isna().sum()), 'have no known apex')
    tell(clips_of(notes, ['wrong numbers']), 'cannot be used, as the sheet has no good onset and offset for them')
    faulty = clips_of(notes, FAULTS)
    tell(faulty, 'lack a frame that the sheet names, or have a damaged one')
    if not faulty:
        print('no frame is missing or damaged')
    return not faulty


def damaged_clips(reading: Reading, numbers: dict[str, Sequence[int]] | None = None) -> pd.DataFrame:
    """Return a note on every clip of which a frame cannot be read or has another size.

    Args:
        reading: of the data set, with its frames.
        numbers: the frames of each clip to look at, those that are there; None for all.
    """
    found = []
    for clip in track(list(reading.table.itertuples()), 'reading frames'):
        paths = reading.frames[clip.sample_id]
        if numbers:
            paths = {number: paths[number] for number in numbers[clip.sample_id] if number is not pd.NA}
        if fault := first_fault(paths):
            found.append(note('damaged', fault, clip.subject.split('/', 1)[1], clip.clip))
    return pd.DataFrame(found, columns=NOTE)


def first_fault(paths: dict[int, Path]) -> str | None:
    """Return what is wrong with these frames of a clip, None if all can be read and have one size."""
    numbers = list(paths)
    try:
        for start in range(0, len(numbers), AT_ONCE):
            read_frames({number: paths[number] for number in [numbers[0], *numbers[start : start + AT_ONCE]]})
    except InputError as error:
        return str(error)
    return None


def clips_of(notes: pd.DataFrame, kinds: list[str]) -> int:
    """Return how many clips have a note of one of these kinds."""
    return len(notes[notes['kind'].isin(kinds)][['subject', 'clip']].drop_duplicates())


def tell(number: int, what: str) -> None:
    """Print how many clips there are of a kind, if any."""
    if number:
        print(f'{number} clips {what}')
