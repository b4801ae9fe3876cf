"""MMEW (Ben et al., TPAMI 2022, doi 10.1109/TPAMI.2021.3067464): 300 micro-expressions at 90 fps, faces 231x231.

Sheet: `MMEW_Micro_Exp.xlsx`. File names are person-emotion-sample (`S01-01-001`), so the person is read from them.
Frames: `Micro_Expression/happiness/S01-01-001/1.jpg`, counted from 1 in each clip, or
`S01/happiness/S01-01-001/1.jpg` as the owner's page writes it (primary); a clip is found by the name of its folder,
regardless of the folder above it (`others` of the sheet is in `repression` in some copies). Macro-expressions are
not read. Columns, file names and the first layout come from four and more public loaders that agree.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mer_bench.datasets.clip_row import note
from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.frame_names import frames_in
from mer_bench.datasets.places import (
    SUBJECT,
    Places,
    find_frames,
    find_sheet,
    folders_by_key,
    visible_folders,
)
from mer_bench.datasets.sheet import Sheet, clip_rows, number_in

COLUMNS = {
    'subject': ('Subject',),
    'clip': ('Filename', 'File name'),
    'onset': ('OnsetFrame', 'Onset'),
    'apex': ('ApexFrame', 'Apex'),
    'offset': ('OffsetFrame', 'Offset'),
    'action_units': ('Action Units', 'AU', 'AUs'),
    'emotion': ('Estimated Emotion', 'Emotion'),
}
CLIP = re.compile(r's(\d+)-\d+-\d+', re.IGNORECASE)
FRAME = re.compile(r'(?:.*\D)?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet."""
    sheet = find_sheet(places, 'mmew', COLUMNS, 'MMEW_Micro_Exp.xlsx')
    cells = clip_rows(sheet)
    cells['subject'] = [person(row, sheet) for row in cells.itertuples()]
    frames = find_frames(places, is_tree, DATASET.layout)
    paths = clip_paths(frames) if frames else []
    folders = folders_by_key(frames, ((path.name.lower(), path) for path in paths))
    cells['frames_dir'] = [
        folders.get(clip.lower(), f'{emotion.lower()}/{clip}')
        for clip, emotion in zip(cells['clip'], cells['emotion'], strict=True)
    ]
    return Rows(cells, frames, (sheet,))


def person(row: tuple, sheet: Sheet) -> str:
    """Return S01 for a clip S01-01-001; where the column names another person, the file name counts, with a note."""
    match, named = CLIP.fullmatch(row.clip), number_in(row.subject)
    number = int(match[1]) if match else named
    if number != named:
        detail = f'the column Subject says {row.subject}, the file name S{number:02d}: the file name counts'
        sheet.notes.append(note('subject', detail, f'S{number:02d}', row.clip))
    return f'S{number:02d}'


def is_tree(folder: Path) -> int:
    """Return how sure it is that this is the folder of the emotions or persons, see :func:`frames_in`."""
    if 'macro' in folder.name.lower():
        return 0
    return frames_in(clip_paths(folder), FRAME)


def clip_paths(folder: Path) -> Iterator[Path]:
    """Yield the folders <emotion>/<clip> and <person>/<emotion>/<clip> in `folder`."""
    for path in visible_folders(folder):
        for inner in visible_folders(path):
            if CLIP.fullmatch(inner.name):
                yield inner
            elif SUBJECT.fullmatch(path.name):
                yield from (clip for clip in visible_folders(inner) if CLIP.fullmatch(clip.name))


DATASET = DataSet(
    name='mmew',
    title='MMEW',
    owner='its authors (dpailab.com/database.html)',
    fps=90.0,
    layout='MMEW_Micro_Exp.xlsx and Micro_Expression/happiness/S01-01-001/1.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_mmew.py',
    clip_name=re.compile(r'S\d+-\d+-\d+'),
)
