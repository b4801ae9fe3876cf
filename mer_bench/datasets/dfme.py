"""DFME (Zhao et al., IEEE TAC 2023, doi 10.1109/TAFFC.2023.3341918): the released 2,629 clips of 259 subjects.

Sheets: `training_full_with_AU.xlsx`, `testA_full_with_AU.xlsx`, `testB_full_with_AU.xlsx`; those that are given are
read together. Known from public loaders only: Subject, Filename and Emotion by name; onset, apex and offset, which
are between them, by position. All usual spellings of those three are accepted. Any other sheet can be
converted to the form that the generic reader `csv` takes.

Frames: `train_data/train_data/sub0003_01/00012.png`, `test_data_A/...`, `test_data_B/...` (three public loaders),
not cropped; the folder of a clip is found by its name in any of them. Number of clips and subjects, classes and the
frame rates of the three parts, 500, 300 and 200 (primary, mea-lab-421.github.io); which clip belongs to which part is
not in the names, so the frame rate is unknown where the sheet does not have it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, find_frames, fitting_sheets, visible_folders
from mer_bench.datasets.sheet import SheetForm, clip_rows, number_in

COLUMNS = {
    'subject': ('Subject', 'Subject ID'),
    'clip': ('Filename', 'File name'),
    'onset': ('OnsetFrame', 'Onset', 'Onset Frame Index', 'OnsetF'),
    'apex': ('ApexFrame', 'Apex', 'Apex Frame Index', 'ApexF'),
    'offset': ('OffsetFrame', 'Offset', 'Offset Frame Index', 'OffsetF'),
    'emotion': ('Emotion', 'Estimated Emotion', 'Label'),
    'action_units': ('AU', 'AUs', 'Action Units', 'Action Unit', 'AU label'),
    'fps': ('FPS', 'Frame rate', 'Frame rate (fps)'),
}
FORM = SheetForm(COLUMNS, r'dfme|ccac|full_with_au', 'training_full_with_AU.xlsx', optional=['action_units', 'fps'])
CLIP = re.compile(r'sub\d+_\d+', re.IGNORECASE)
FRAME = re.compile(r'(\d+)\.(?:png|jpe?g)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of all sheets."""
    sheets = fitting_sheets(places, FORM, parts=True)
    cells = clip_rows(*sheets)
    cells['subject'] = [f'sub{number_in(subject):04d}' for subject in cells['subject']]
    cells['clip'] = cells['clip'].str.lower()
    cells['fps'] = cells['fps'].where(cells['fps'].str.fullmatch(r'\d+(\.\d+)?'), '')
    frames, folders = find_frames(places, clips_in, FRAME, parts=True)
    cells['frames_dir'] = [folders.get(clip, clip) for clip in cells['clip']]
    return Rows(cells, frames, tuple(sheets))


def clips_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of the clips in `folder`."""
    return ((path.name.lower(), path) for path in visible_folders(folder) if CLIP.fullmatch(path.name))


DATASET = DataSet(
    name='dfme',
    title='DFME',
    owner='the MEA lab (mea-lab-421.github.io)',
    fps=float('nan'),  # 500, 300 or 200 by part
    layout='training_full_with_AU.xlsx and train_data/sub0003_01/00012.png',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_dfme.py',
    clip_name=CLIP,
)
