"""CASME (Yan et al., FG 2013, doi 10.1109/FG.2013.6553799): 19 subjects at 60 fps, in two sections.

Sheets: `Section A.xls` (subjects 1 to 7) and `Section B.xls`, or one file for both such as `CASME-coded-20190721.xls`.
A video may hold several expressions (197 rows have 177 names): rows with one name but different onsets are separate
clips, named with their onset. The sheet gives one or two apex frames; the first is used. A backslash means
"none": as second apex, and as offset of some clips, which then end at their apex.

Frames: `CASME_A/Section A/sub07/EP01_6/EP01_6-91.jpg` (some folders: `img91.jpg`), `CASME_raw_selected/sub01/...`, or
`Cropped/sub01/EP01_12/reg_EP01_12-73.jpg`, with and without zero-padding. Sections in separate folders are read
together; rows that a merged sheet repeats are read once. Number of clips (195), frame rate and emotions are the owner's
(primary); columns, spellings and folders come from four public loaders that agree.
"""

import re

import pandas as pd

from mer_bench.datasets.dataset import DataSet, Rows, with_number_in_name
from mer_bench.datasets.places import Places, clip_dirs, find_clips, fitting_sheets
from mer_bench.datasets.sheet import SheetForm, clip_rows, number_in
from mer_bench.datasets.table import FRAME_NUMBERS
from mer_bench.errors import InputError

COLUMNS = {
    'subject': ('Subject',),
    'clip': ('Filename', 'File name'),
    'onset': ('OnsetF',),  # 'Onset' is a duration in milliseconds
    'apex': ('ApexF1', 'ApexF'),
    'offset': ('OffsetF',),
    'action_units': ('AU', 'AUs', 'Action Units'),
    'emotion': ('Emotion', 'Estimated Emotion'),
}
FORM = SheetForm(COLUMNS, r'casme|section', 'Section A.xls or CASME-coded-20190721.xls')
NONE = '\\'
SUBJECT = re.compile(r'sub0*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(?:reg_)?(?:.*-|img_?)(\d+)\.(?:jpe?g|bmp|png)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of all sheets."""
    sheets = fitting_sheets(places, FORM, parts=True)
    cells = clip_rows(*sheets)
    cells['subject'] = [f'sub{number_in(subject):02d}' for subject in cells['subject']]
    cells[['apex', 'offset']] = cells[['apex', 'offset']].replace(NONE, '')
    frames, folders = find_clips(places, SUBJECT, FRAME, parts=True)
    cells['frames_dir'] = clip_dirs(cells, folders)
    refuse_other_numbers(cells)
    ends = cells['offset'].where(cells['offset'] != '', cells['apex'])
    cells = with_number_in_name(cells, 'onset').assign(end=ends)  # most differ in their onset
    cells = with_number_in_name(cells, 'end').drop(columns='end')
    return Rows(cells, frames, tuple(sheets))


def refuse_other_numbers(cells: pd.DataFrame) -> None:
    """Refuse versions of a sheet that disagree about a frame number: one expression would become two clips."""
    name = [cells['subject'], cells['clip'].str.lower()]
    numbers = cells[FRAME_NUMBERS].agg(' '.join, axis=1)
    own = numbers.groupby([*name, cells['sheet']]).transform('nunique')
    differ = cells[own < numbers.groupby(name).transform('nunique')]
    if len(differ):
        subject, clip = differ.iloc[0][['subject', 'clip']]
        rows = cells[(cells['subject'] == subject) & (cells['clip'].str.lower() == clip.lower())]
        raise InputError(
            f'{" and ".join(rows["sheet"].unique())}: {subject} {clip} occurs twice, and the rows differ; name the '
            'sheets to read with --sheet'
        )


DATASET = DataSet(
    name='casme',
    title='CASME',
    owner='the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn)',
    fps=60.0,
    layout='Section A.xls, Section B.xls and sub01/EP01_12/EP01_12-73.jpg or reg_EP01_12-73.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme.py',
    clip_name=re.compile(r'EP\d.*'),
    ends_at_apex=lambda clip: not clip.cells['offset'],
)
