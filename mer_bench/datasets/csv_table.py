"""A data set of your own: one table with a row per clip, and a folder of frames per clip.

Columns: dataset, subject, clip, onset, offset, emotion and frames_dir; apex, fps, objective_class, action_units and
synthetic (true or false) may be left out. `frames_dir` is relative to --frames or --raw, or else to the table's folder.
A frame's number is the one in its name that varies. An annotations.csv as tools/prepare.py writes it is such a table.
"""

import math
import re

import pandas as pd

from mer_bench.datasets.places import Places, find_sheet
from mer_bench.datasets.reader import TEXT, DataSet, Rows
from mer_bench.errors import InputError

COLUMNS = {name: (name,) for name in ['dataset', *TEXT]}
OPTIONAL = ['apex', 'fps', 'objective_class', 'action_units', 'synthetic']
NAME = re.compile(r'[^/\\]+')


def rows(places: Places) -> Rows:
    """Return the rows of the table; the data set's name is the one in its column `dataset`."""
    sheet = find_sheet(places, r'', COLUMNS, 'clips.csv', OPTIONAL)
    path, cells = sheet.path, sheet.cells
    names = sorted(set(cells['dataset']))
    if len(names) != 1 or not NAME.fullmatch(names[0]):
        raise InputError(f'{path}: expected one name in the column dataset, found {names}; give a table per data set')
    cells = cells.assign(
        subject=cells['subject'].str.removeprefix(f'{names[0]}/'),
        frames_dir=cells['frames_dir'].str.replace('\\', '/'),
    )
    for row, clip in enumerate(cells.itertuples(), start=1):
        if fault := find_fault(clip):
            raise InputError(f'{path}: row {row} below the header has {fault}; correct the table')
    return Rows(cells, places.frames or places.raw or path.absolute().parent, (sheet,), names[0])


def find_fault(clip: tuple) -> str:
    """Return what is wrong with a row, '' if nothing is."""
    for name in ('subject', 'clip'):
        if not NAME.fullmatch(getattr(clip, name)):
            return f'the {name} {getattr(clip, name)!r}, expected a name without slashes'
    if clip.synthetic.lower() not in ('true', 'false', ''):
        return f'synthetic {clip.synthetic!r}, expected true, false or an empty cell'
    fps = pd.to_numeric(clip.fps or math.nan, errors='coerce')
    return f'fps {clip.fps!r}, expected a positive number or an empty cell' if clip.fps and not fps > 0 else ''


DATASET = DataSet(
    name='csv',
    title='a table of your own',
    owner='whoever recorded it',
    fps=math.nan,
    layout=f'a table with the columns {", ".join(name for name in COLUMNS if name not in OPTIONAL)}',
    frame_name=None,
    rows=rows,
    config='CONFIG',
)
