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
from mer_bench.datasets.places import SUBJECT, Places, find_frames, find_sheet, visible_folders
from mer_bench.datasets.sheet import Sheet, SheetForm, clip_rows, number_in

COLUMNS = {
    'subject': ('Subject',),
    'clip': ('Filename', 'File name'),
    'onset': ('OnsetFrame', 'Onset'),
    'apex': ('ApexFrame', 'Apex'),
    'offset': ('OffsetFrame', 'Offset'),
    'action_units': ('Action Units', 'AU', 'AUs'),
    'emotion': ('Estimated Emotion', 'Emotion'),
}
FORM = SheetForm(COLUMNS, 'mmew', 'MMEW_Micro_Exp.xlsx')
CLIP = re.compile(r's(\d+)-\d+-\d+', re.IGNORECASE)
FRAME = re.compile(r'(?:.*\D)?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet."""
    sheet = find_sheet(places, FORM)
    cells = clip_rows(sheet)
    cells['subject'] = [person(row, sheet) for row in cells.itertuples()]
    frames, folders = find_frames(places, clips_in, FRAME)
    cells['frames_dir'] = [
        folders.get(clip.lower(), f'{emotion.lower()}/{clip}')
        for clip, emotion in zip(cells['clip'], cells['emotion'], strict=True)
    ]
    return Rows(cells, frames, (sheet,))


def person(row: tuple, sheet: Sheet) -> str:
    """Return S01 for a clip S01-01-001; where the column names another person, the file name is used, with a note."""
    match, named = CLIP.fullmatch(row.clip), number_in(row.subject)
    number = int(match[1]) if match else named
    if number != named:
        detail = f'the column Subject has {row.subject}, the file name has S{number:02d}: the file name is used'
        sheet.notes.append(note('subject', detail, f'S{number:02d}', row.clip))
    return f'S{number:02d}'


def clips_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each <emotion>/<clip> and <person>/<emotion>/<clip> in `folder`."""
    for path in visible_folders(folder) if 'macro' not in folder.name.lower() else ():
        for inner in visible_folders(path):
            clips = visible_folders(inner) if SUBJECT.fullmatch(path.name) else []
            for clip in [inner] if CLIP.fullmatch(inner.name) else clips:
                if CLIP.fullmatch(clip.name):
                    yield clip.name.lower(), clip


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
