"""A data set of your own: one table with a row per clip, and a folder of frames per clip.

Columns: subject, clip, onset, offset and emotion; apex, fps, objective_class, action_units and synthetic (true or
false) may be missing, and other usual names are accepted (Filename, OnsetFrame, Estimated Emotion, label, ...). The
data set is named by the column `dataset`, or else by the table's file. `frames_dir` is relative to --frames or --raw,
or else to the table's folder; without this column it is <subject>/<clip>. A frame's number is the one in its name
that varies. An annotations.csv as tools/prepare.py writes it is such a table.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, find_sheet, find_sheets
from mer_bench.datasets.sheet import Sheet, SheetForm, each, header_places, one_sheet, read_tables, without_suffix
from mer_bench.datasets.spellings import plain
from mer_bench.datasets.table import NAME as DATASET_NAME
from mer_bench.errors import InputError

COLUMNS = {
    'dataset': ('dataset', 'database'),
    'subject': ('subject', 'sub', 'subject id', 'sub id', 'participant'),
    'clip': ('clip', 'filename', 'file name', 'clip name', 'video', 'fold_name'),
    # numbers of frames come first: beside OnsetF, the column Onset of CASME has milliseconds
    'onset': ('onset frame', 'onsetf', 'onset frame index', 'onset'),
    'apex': ('apex frame', 'apexf', 'apexf1', 'apex frame index', 'apex'),
    'offset': ('offset frame', 'offsetf', 'offset frame index', 'offset'),
    'fps': ('fps', 'frame rate'),
    'emotion': ('emotion', 'estimated emotion', 'label', 'class'),
    'objective_class': ('objective_class', 'objective classes'),
    'action_units': ('action_units', 'action unit', 'au', 'aus'),
    'frames_dir': ('frames_dir', 'frames', 'folder'),
    'synthetic': ('synthetic',),
}
NEEDED = ['subject', 'clip', 'onset', 'offset', 'emotion']
FORM = SheetForm(COLUMNS, example='clips.csv', optional=[name for name in COLUMNS if name not in NEEDED])
LEFT_OUT = '-'  # in --columns
NAME = re.compile(r'[^/\\]+')


def table_of_your_own(columns: Sequence[str] = (), classes: Sequence[str] = ()) -> DataSet:
    """Return the data set of a table.

    Args:
        columns: our names of its columns in their order, `-` for one to leave out, where it has no header.
        classes: the emotions that the numbers 0, 1, ... mean.
    """
    return replace(DATASET, rows=partial(rows, columns=tuple(columns), classes=tuple(classes)))


def rows(places: Places, columns: Sequence[str] = (), classes: Sequence[str] = ()) -> Rows:
    """Return the rows of the table, see :func:`table_of_your_own`."""
    sheet = read_list(places, columns) if columns else find_sheet(places, FORM)
    path, cells = sheet.path, sheet.cells
    if (cells['dataset'] == '').all():
        cells = cells.assign(dataset=path.stem)
    names = sorted(cells['dataset'].unique())
    if len(names) != 1 or not DATASET_NAME.fullmatch(names[0]):
        raise InputError(
            f'{path}: expected one name in the column dataset, found {names}; give a table per data set, with a name '
            'that a folder can have (without this column, the name of the file is used)'
        )
    cells = cells.assign(
        subject=cells['subject'].str.removeprefix(f'{names[0]}/'),
        frames_dir=cells['frames_dir'].str.replace('\\', '/'),
        emotion=each(cells['emotion'], partial(name_class, classes=classes, path=path)),
    )
    if (cells['frames_dir'] == '').all():
        cells = cells.assign(frames_dir=cells['subject'] + '/' + cells['clip'])
    refuse_faults(cells, sheet)
    return Rows(cells, places.frames or places.raw or path.absolute().parent, (sheet,), names[0])


def read_list(places: Places, columns: Sequence[str]) -> Sheet:
    """Return the rows of a table without a header."""
    ours = {plain(spelling): name for name, spellings in COLUMNS.items() for spelling in (name, *spellings)}
    given, columns = columns, [ours.get(plain(name), name) for name in columns]
    for word, name in zip(given, columns, strict=True):
        if name not in (*COLUMNS, LEFT_OUT) or (name != LEFT_OUT and columns.count(name) > 1):
            raise InputError(f'--columns {word}: expected each of {", ".join(COLUMNS)} once, and {LEFT_OUT} for others')
    if lacking := [name for name in NEEDED if name not in columns]:
        raise InputError(f'--columns: {", ".join(lacking)} is missing; name every column of the list in its order')
    tables = [
        table for table in read_tables(one_sheet(find_sheets(places, FORM.file), FORM.example)) if len(table.cells)
    ]
    if not tables:
        raise InputError(f'{places.sheets[0] if places.sheets else places.raw}: expected rows, found none')
    table = next((table for table in tables if not table.hidden), tables[0])
    filled = table.cells.loc[:, (table.cells != '').any()]
    cells = table.cells if table.cells.shape[1] == len(columns) else filled
    if cells.shape[1] != len(columns):
        raise InputError(
            f'{table}: has {cells.shape[1]} columns, --columns names {len(columns)}; name each, - for none'
        )
    if len(header_places(cells.iloc[0], COLUMNS)) > 1:
        first = ', '.join(cells.iloc[0])
        raise InputError(f'{table}: its first row names the columns ({first}); leave --columns out')
    cells = cells[(cells != '').any(axis=1)].set_axis(columns, axis=1).drop(columns=LEFT_OUT, errors='ignore')
    cells = cells.assign(clip=without_suffix(cells['clip'])).reindex(columns=list(COLUMNS), fill_value='')
    return replace(table, cells=cells.reset_index(drop=True))


def name_class(emotion: str, classes: Sequence[str], path) -> str:
    """Return the emotion that a number means; without classes, or where it is one of them, the text as it is."""
    if not classes or emotion in ('', *classes):
        return emotion
    if re.fullmatch('[0-9]{1,4}', emotion) and int(emotion) < len(classes):
        return classes[int(emotion)]
    raise InputError(
        f'{path}: emotion {emotion!r}, expected a number from 0 to {len(classes) - 1} ({", ".join(classes)}); correct '
        'the cell or --classes, whose first name is that of 0'
    )


def refuse_faults(cells: pd.DataFrame, sheet: Sheet) -> None:
    """Refuse the first row with a name, a truth value or a frame rate that cannot be one."""
    fps = pd.to_numeric(cells['fps'], errors='coerce').where(cells['fps'] != '', 1)
    columns = (cells['subject'], cells['clip'], cells['synthetic'], cells['fps'], fps)
    for number, row in enumerate(zip(*(column.tolist() for column in columns), strict=True), start=1):
        if fault := fault_of(*row):
            raise InputError(f'{sheet}: row {number} below the header has {fault}; correct the table')


def fault_of(subject: str, clip: str, synthetic: str, fps_text: str, fps: float) -> str | None:
    """Return what is wrong with a row, None if nothing is."""
    for column, name in (('subject', subject), ('clip', clip)):
        if not NAME.fullmatch(name):
            return f'the {column} {name!r}, expected a name without slashes'
    if synthetic.lower() not in ('true', 'false', ''):
        return f'synthetic {synthetic!r}, expected true, false or an empty cell'
    if not 0 < fps < math.inf:
        return f'fps {fps_text!r}, expected a positive number or an empty cell'
    return None


DATASET = DataSet(
    name='csv',
    title='a table of your own',
    owner='whoever recorded it',
    fps=math.nan,
    layout=f'a table with the columns {", ".join(NEEDED)}, and folders of frames',
    frame_name=None,
    rows=rows,
    config='CONFIG',
)
