"""What a reader provides: a :class:`DataSet`, whose function returns :class:`Rows`; and what readers share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_bench.datasets.clip_row import ClipRow
from mer_bench.datasets.frame_names import FrameName
from mer_bench.datasets.places import Places
from mer_bench.datasets.sheet import Sheet
from mer_bench.errors import InputError

TEXT = ['subject', 'clip', 'onset', 'apex', 'offset', 'fps', 'emotion', 'objective_class', 'action_units', 'frames_dir']
TEXT += ['synthetic']
CORRECTIONS = Path(__file__).parent / 'corrections'
CORRECTION = ['subject', 'clip', 'column', 'old', 'new', 'reason', 'source']


@dataclass(frozen=True)
class Rows:
    """What a reader found, before anything is corrected.

    Attributes:
        cells: one row of text per clip with columns of :data:`TEXT`; an absent column counts as empty. Where there are
            several sheets, the column `sheet` has the one of each row.
        frames: the folder that `frames_dir` is relative to; None where there is none.
        sheets: what was read, with notes on what was not.
        dataset: the data set's name where the rows have it; otherwise that of the reader.
    """

    cells: pd.DataFrame
    frames: Path | None
    sheets: tuple[Sheet, ...] = ()
    dataset: str = ''


@dataclass(frozen=True)
class DataSet:
    """A data set as its owner ships it.

    Attributes:
        name: in sample_ids, in file names and on the command line.
        title: as papers write it.
        owner: who distributes it.
        fps: frames per second.
        layout: sheet and folders in a few words, for messages.
        frame_name: matches a frame's whole file name as its owner ships it, group 1 its number; None for any name.
        rows: returns the rows, or raises an :class:`InputError`.
        config: of the usual protocol.
        clip_name: matches the names of clips in the sheet, so that another data set's sheet is refused; None where the
            names are unknown or free.
        ends_at_apex: returns whether a clip ends at its apex.
    """

    name: str
    title: str
    owner: str
    fps: float
    layout: str
    frame_name: re.Pattern | FrameName | None
    rows: Callable[[Places], Rows]
    config: str
    clip_name: re.Pattern | None = None
    ends_at_apex: Callable[[ClipRow], bool] = lambda clip: False


def with_number_in_name(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows with a frame number added to the name of each clip that has several of them in `column`.

    A video may hold several expressions: two rows EP01_12 with the onsets 10 and 40 are EP01_12_10 and EP01_12_40.
    """
    name = [cells['subject'].str.lower(), cells['clip'].str.lower()]
    several = (cells.groupby(name)[column].transform('nunique') > 1) & cells[column].str.isdigit()
    return cells.assign(clip=cells['clip'].where(~several, cells['clip'] + '_' + cells[column]))


def read_corrections(dataset: str) -> pd.DataFrame:
    """Return the corrections of a data set, all cells text; no file, no corrections."""
    path = CORRECTIONS / f'{dataset}.csv'
    if not path.is_file():
        return pd.DataFrame(columns=CORRECTION)
    table = pd.read_csv(path, dtype=str, na_filter=False)
    if list(table.columns) != CORRECTION:
        raise InputError(f'{path}: expected the columns {", ".join(CORRECTION)}, found {", ".join(table.columns)}')
    return table
