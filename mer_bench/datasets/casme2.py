"""CASME II (Yan et al., PLoS ONE 2014, doi 10.1371/journal.pone.0086041): 26 subjects at 200 fps, 640x480.

Sheets: `CASME2-coding-20140508.xlsx` (255 clips), another version of it, or `CASME2_label_Ver_2.xls`, and beside it
`CASME2-ObjectiveClasses.xlsx` (Davison et al., J. Imaging 2018, doi 10.3390/jimaging4100119) where there is one; rows
of the two are matched by subject and file name. Frames: `CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`, the same below
`CASME2-RAW`, or `Cropped/sub01/EP02_01f/reg_img46.jpg`; all of them keep the frame numbers of the whole video.

Subjects, frame rate and the 247 clips of five emotions are stated by the paper; columns, folders and the rows of
each version are known from public loaders, many of which agree.
"""

import re
from pathlib import Path

import pandas as pd

from mer_bench.datasets.places import Places, clip_folders, find_frames, find_sheet, find_sheets, holds_clips
from mer_bench.datasets.reader import DataSet, Rows
from mer_bench.datasets.sheet import clip_rows, has_header, number_in, one_sheet, read_sheet
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
OBJECTIVE = {**NAMES, 'objective_class': ('Objective Class', 'Objective Classes')}
SHEET_NAME = r'casme[ _-]?(2|ii(?!i))'
SUBJECT = re.compile(r'sub0*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(?:reg_)?img_?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the coding sheet, with the objective class where a sheet has it."""
    coding = find_sheet(places, SHEET_NAME, CODING, 'CASME2-coding-20140508.xlsx')
    cells = spelled(clip_rows(read_sheet(coding, CODING), coding))
    classes = [path for path in find_sheets(places, SHEET_NAME) if has_header(path, OBJECTIVE)]
    if classes:
        cells = add_classes(cells, one_sheet(classes, 'CASME2-ObjectiveClasses.xlsx'))
    frames = find_frames(places, lambda folder: holds_clips(folder, SUBJECT, FRAME), DATASET.layout)
    folders = clip_folders(frames, SUBJECT)
    cells['frames_dir'] = [
        folders.get((number_in(subject), clip.lower()), f'{subject}/{clip}')
        for subject, clip in zip(cells['subject'], cells['clip'], strict=True)
    ]
    return Rows(cells, frames, (coding, *(path for path in classes if path != coding)))


def spelled(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with subjects spelled sub01, whether the sheet has 1, 01 or sub01."""
    return cells.assign(subject=[f'sub{number_in(subject):02d}' for subject in cells['subject']])


def add_classes(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows with the objective class of their clip; a clip without one keeps an empty cell."""
    classes = read_sheet(path, OBJECTIVE)
    classes = spelled(classes[classes['subject'].str.contains(r'\d')])
    twice = classes[classes.duplicated(['subject', 'clip'])]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(f'{path}: {first["subject"]} {first["clip"]} occurs twice; keep one of its rows')
    return cells.merge(classes, on=['subject', 'clip'], how='left')


DATASET = DataSet(
    name='casme2',
    title='CASME II',
    owner='the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn)',
    fps=200.0,
    layout='CASME2-coding-20140508.xlsx and sub01/EP02_01f/img46.jpg or reg_img46.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme2.py',
)
