"""Small sheets and trees of empty pictures in the shape of the owners' files, with made-up rows."""

import pandas as pd

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset


def write_sheet(path, header, rows, above=(), sheet='Sheet1'):
    """Write rows below a header, which may stand below other rows; csv or xlsx by the name."""
    cells = pd.DataFrame([list(row) for row in (*above, header, *rows)], dtype=object)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.csv':
        cells.to_csv(path, header=False, index=False)
    else:
        cells.to_excel(path, header=False, index=False, sheet_name=sheet)
    return path


def touch_frames(folder, numbers, name):
    """Make empty pictures; `name` has a place for the number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).touch()


def read(name, raw=None, sheets=(), frames=None, with_frames=True):
    """Read a data set of the catalogue."""
    return read_dataset(DATASETS[name], Places(raw, tuple(sheets), frames), with_frames)


def repeat(counts):
    """Return {'a': 2, 'b': 1} as ['a', 'a', 'b']."""
    return [value for value, number in counts.items() for _ in range(number)]


def details(reading):
    """Return the notes as {(subject, clip, kind): detail}."""
    return {(note.subject, note.clip, note.kind): note.detail for note in reading.notes.itertuples()}
