"""SAMM (Davison et al., IEEE TAC 2018, doi 10.1109/TAFFC.2016.2573832): 200 fps, 29 of 32 subjects have clips.

Sheet: `SAMM_Micro_FACS_Codes_v2.xlsx` or a dated copy (159 clips); the header is below thirteen rows of notes, or
in the first row of edited copies. It has the objective classes (Davison et al., J. Imaging 2018, doi
10.3390/jimaging4100119). Frames: `SAMM/006/006_1_2/006_05562.jpg`, with the same names in cropped copies
(`SAMM_CROP`); the padding of the numbers differs from video to video.

The counts of emotions and objective classes are stated by the owners (arXiv 1805.02397, table 8); columns, the place of
the header and the folders are known from public loaders that agree. The sheet of the long videos has no emotions and
is refused.
"""

import re

import pandas as pd

from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, clip_dirs, find_clips, find_sheet
from mer_bench.datasets.sheet import Sheet, SheetForm, clip_rows, number_in
from mer_bench.datasets.spellings import spell
from mer_bench.errors import InputError

COLUMNS = {
    'subject': ('Subject',),
    'clip': ('Filename', 'File name'),
    'onset': ('Onset Frame', 'Onset'),
    'apex': ('Apex Frame', 'Apex'),
    'offset': ('Offset Frame', 'Offset'),
    'action_units': ('Action Units', 'Action Unit', 'AU'),
    'emotion': ('Estimated Emotion', 'Emotion'),
    'objective_class': ('Objective Classes', 'Objective Class'),
}
FORM = SheetForm(COLUMNS, r'samm', 'SAMM_Micro_FACS_Codes_v2.xlsx', optional=['objective_class'], prefer='micro.?only')
SUBJECT = re.compile(r'0*(\d{1,2})')
CLIP = re.compile(r'0*(\d+)_(\d+)_(\d+)')
FRAME = re.compile(r'(?:\d+_)?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet."""
    sheet = find_sheet(places, FORM)
    cells = spelled(clip_rows(sheet), sheet)
    frames, folders = find_clips(places, SUBJECT, FRAME, padded)
    cells['frames_dir'] = clip_dirs(cells, folders, padded)
    return Rows(cells, frames, (sheet,))


def spelled(cells: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Return the rows with the names 006 and 006_1_2, whether the sheet has 6, 006, 6_1_2 or 006_1_2."""
    subjects = [f'{number_in(subject):03d}' for subject in cells['subject']]
    clips = []
    for subject, name in zip(subjects, cells['clip'], strict=True):
        clips.append(spell('samm', subject, padded(name), sheet)['clip'])
        if (match := CLIP.fullmatch(name)) and int(match[1]) != int(subject):
            raise InputError(f'{sheet}: the row of the clip {name} has the subject {subject}; correct one of the two')
    return cells.assign(subject=subjects, clip=clips)


def padded(clip: str) -> str:
    """Return 006_1_2 for 6_1_2; other names stay."""
    match = CLIP.fullmatch(clip)
    return f'{int(match[1]):03d}_{match[2]}_{match[3]}' if match else clip.lower()


DATASET = DataSet(
    name='samm',
    title='SAMM',
    owner='Manchester Metropolitan University',
    fps=200.0,
    layout='SAMM_Micro_FACS_Codes_v2.xlsx and 006/006_1_2/006_05562.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_samm.py',
    clip_name=re.compile(r'\d+_\d+_\d+'),
)
