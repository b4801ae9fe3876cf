"""Reads the onset, apex and offset frames of every clip again and says which clips lack one."""

from pathlib import Path

import pandas as pd

from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import NOTE, DataSet, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.frames import read_frames
from mer_bench.preparation.store_fill import track
from mer_bench.preparation.summary import print_notes, print_reading


def check_dataset(dataset: DataSet, places: Places) -> bool:
    """Print what is missing or damaged.

    Returns:
        Whether every clip of the data set is usable as its sheet says.
    """
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    damaged = [
        {'subject': clip.subject.split('/', 1)[1], 'clip': clip.clip, 'kind': 'damaged', 'detail': fault}
        for clip in track(list(reading.table.itertuples()), 'reading frames')
        if (fault := first_fault(reading.frames[clip.sample_id], [clip.onset, clip.apex, clip.offset]))
    ]
    notes = pd.concat([reading.notes, pd.DataFrame(damaged, columns=NOTE)], ignore_index=True)
    faults = notes[~notes['kind'].isin(['corrected', 'unknown'])]
    print_notes(notes, None, shown=len(notes))
    if faults.empty:
        print('every clip has its onset, apex and offset frames')
    else:
        clips = faults[['subject', 'clip']].drop_duplicates()
        print(f'{len(clips)} of {len(reading.rows.cells)} clips lack a frame or have a damaged one')
    return faults.empty


def first_fault(frames: dict[int, Path], numbers: list) -> str | None:
    """Return what is wrong with these frames of a clip, None if all can be read and have one size."""
    try:
        read_frames({number: frames[number] for number in numbers if number is not pd.NA})
    except InputError as error:
        return str(error)
    return None
