"""MMEW (Ben et al., TPAMI 2022, doi 10.1109/TPAMI.2021.3067464): 300 micro-expressions at 90 fps, faces 231x231.

Sheet: `MMEW_Micro_Exp.xlsx`. File names are person-emotion-sample (`S01-01-001`), so the person is read from them.
Frames: `Micro_Expression/happiness/S01-01-001/1.jpg`, counted from 1 in each clip, or
`S01/happiness/S01-01-001/1.jpg` as the owner's page writes it (primary); a clip is found by the name of its folder,
whatever the folder above is called (`others` of the sheet lies in `repression` in some copies). Macro-expressions are
not read. Columns, file names and the first layout come from four and more public loaders that agree.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mer_bench.datasets.places import Places, find_frames, find_sheet, visible_folders
from mer_bench.datasets.reader import DataSet, Rows
from mer_bench.datasets.sheet import clip_rows, number_in, read_sheet

COLUMNS = {
    'subject': ('Subject',),
    'clip': ('Filename', 'File name'),
    'onset': ('OnsetFrame', 'Onset'),
    'apex': ('ApexFrame', 'Apex'),
    'offset': ('OffsetFrame', 'Offset'),
    'action_units': ('Action Units', 'AU', 'AUs'),
    'emotion': ('Estimated Emotion', 'Emotion'),
}
SUBJECT = re.compile(r's\d+', re.IGNORECASE)
CLIP = re.compile(r's(\d+)-\d+-\d+', re.IGNORECASE)
FRAME = re.compile(r'(?:.*\D)?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet."""
    sheet = find_sheet(places, 'mmew', COLUMNS, 'MMEW_Micro_Exp.xlsx')
    cells = clip_rows(read_sheet(sheet, COLUMNS), sheet)
    cells['subject'] = [
        f'S{int(match[1]) if (match := CLIP.fullmatch(clip)) else number_in(subject):02d}'
        for subject, clip in zip(cells['subject'], cells['clip'], strict=True)
    ]
    frames = find_frames(places, is_tree, DATASET.layout)
    folders = {path.name.lower(): path.relative_to(frames).as_posix() for path in clip_paths(frames)} if frames else {}
    cells['frames_dir'] = [folders.get(clip.lower(), '') for clip in cells['clip']]
    return Rows(cells, frames, (sheet,))


def is_tree(folder: Path) -> bool:
    """Tell the folder of the emotions, or of the persons, of the micro-expressions."""
    if 'macro' in folder.name.lower():
        return False
    return any(FRAME.fullmatch(path.name) for clip in clip_paths(folder) for path in clip.iterdir())


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
)
