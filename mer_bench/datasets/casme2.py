"""CASME II (Yan et al., PLoS ONE 2014, doi 10.1371/journal.pone.0086041): 26 subjects at 200 fps, 640x480.

Sheets: `CASME2-coding-20140508.xlsx` (255 clips), another version of it, or `CASME2_label_Ver_2.xls`, and beside it
`CASME2-ObjectiveClasses.xlsx` (Davison et al., J. Imaging 2018, doi 10.3390/jimaging4100119) where there is one; rows
of the two are matched by subject and file name. Frames: `CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`, the same below
`CASME2-RAW`, or `Cropped/sub01/EP02_01f/reg_img46.jpg`; all of them keep the frame numbers of the whole video.

Subjects, frame rate and the 247 clips of five emotions are stated by the paper; columns, folders and the rows of
each version come from public loaders, most of which agree.
"""

import re

import pandas as pd

from mer_bench.datasets.clip_row import note, some
from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, clip_dirs, find_clips, find_sheet, find_sheets
from mer_bench.datasets.sheet import (
    Sheet,
    SheetForm,
    clip_rows,
    has_header,
    kept_rows,
    number_in,
    one_sheet,
    read_sheet,
)
from mer_bench.datasets.spellings import OBJECTIVE_CLASSES, canonical_objective_class
from mer_bench.errors import InputError

NAMES = {'subject': ('Subject',), 'clip': ('Filename', 'File name')}
CODING = {
    **NAMES,
    'onset': ('OnsetFrame', 'Onset'),
    'apex': ('ApexFrame', 'ApexFrame1', 'Apex'),
    'offset': ('OffsetFrame', 'Offset'),
    'action_units': ('Action Units', 'Action Unit', 'AU'),
    'emotion': ('Estimated Emotion', 'Emotion'),
}
CLASS = {'objective_class': ('Objective Class', 'Objective Classes')}
FILE = r'casme[ _-]?(2|ii(?!i))'
CODING_FORM = SheetForm(CODING | CLASS, FILE, 'CASME2-coding-20140508.xlsx', optional=[*CLASS])
CLASSES_FORM = SheetForm(NAMES | CLASS, FILE, 'CASME2-ObjectiveClasses.xlsx')
SUBJECT = re.compile(r'sub0*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(?:reg_)?img_?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the coding sheet, with the objective class where a sheet has it."""
    classes = [path for path in find_sheets(places, FILE) if has_header(path, CLASSES_FORM)]
    coding = find_sheet(places, CODING_FORM, elsewhere=classes)
    cells, sheets = spelled(clip_rows(coding)), (coding,)
    if others := [path for path in classes if path != coding.path]:
        objective = read_sheet(one_sheet(others, CLASSES_FORM.example), CLASSES_FORM)
        cells, sheets = add_classes(cells.drop(columns=[*CLASS]), objective), (coding, objective)
    cells['objective_class'] = [known_class(row, sheets[-1]) for row in cells.itertuples()]
    frames, folders = find_clips(places, SUBJECT, FRAME)
    cells['frames_dir'] = clip_dirs(cells, folders)
    return Rows(cells, frames, sheets)


def spelled(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with subjects spelled sub01, whether the sheet has 1, 01 or sub01."""
    return cells.assign(subject=cells['subject'].map(lambda subject: f'sub{number_in(subject):02d}'))


def add_classes(cells: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Return the rows with the objective class of their clip; rows of either sheet without a partner are noted."""
    classes = spelled(kept_rows(sheet, sheet.cells['subject'].str.contains(r'\d') & (sheet.cells['clip'] != '')))
    classes = classes.assign(key=classes['clip'].str.lower()).drop_duplicates(['subject', 'key', 'objective_class'])
    twice = classes[classes.duplicated(['subject', 'key'])]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(f'{sheet}: {first["subject"]} {first["clip"]} occurs twice; keep one of its rows')
    cells = cells.assign(key=cells['clip'].str.lower())
    joined = cells.merge(classes.drop(columns='clip'), on=['subject', 'key'], how='left')
    without = joined[joined['objective_class'].isna()]
    if len(without):
        sheet.notes.append(note('no objective class', f'{sheet} has no row for {some(without)}'))
    keys = pd.MultiIndex.from_frame(cells[['subject', 'key']])
    spare = classes[~pd.MultiIndex.from_frame(classes[['subject', 'key']]).isin(keys)]
    if len(spare):
        sheet.notes.append(note('row passed over', f'{sheet} has {some(spare)}, which the coding sheet lacks'))
    return joined.drop(columns='key').fillna({'objective_class': ''})


def known_class(row: tuple, sheet: Sheet) -> str:
    """Return the objective class, '' with a note where it is none of the seven."""
    if canonical_objective_class(row.objective_class) in ('', *OBJECTIVE_CLASSES):
        return row.objective_class
    detail = f'objective class is {row.objective_class!r}, not one of 1 to 7: taken as unknown'
    sheet.notes.append(note('unknown', detail, row.subject, row.clip))
    return ''


DATASET = DataSet(
    name='casme2',
    title='CASME II',
    owner='the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn)',
    fps=200.0,
    layout='CASME2-coding-20140508.xlsx and sub01/EP02_01f/img46.jpg or reg_img46.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme2.py',
    clip_name=re.compile(r'EP\d.*'),
)
