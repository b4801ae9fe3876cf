"""SMIC-E (Li et al., FG 2013, doi 10.1109/FG.2013.6553717): SMIC with the seconds before and after each expression.

HS has 157 clips at 100 fps, VIS and NIR have 71 each at 25 fps. Sheets: `SMIC-HS-E_annotation.xlsx` or
`SMIC-HS-E_annotation_2019.xlsx`, `SMIC-VIS-E_annotation.xlsx`, `SMIC-NIR-E_annotation.xlsx`, or a workbook with sheets
called HS and VIS; a second or third expression in a clip (Onset2F, Onset3F) is not read, as it has no label of its own.
Frames: `SMIC-HS-E/s01/s1_ne_01/image559700.jpg`, or one folder `HS` deeper; a clip's folder holds more than onset to
offset.

Counts are stated by the owner (oulu.fi/cmvs/node/41319); columns and folders are known from public loaders: several for
HS, one or two for VIS and NIR.
"""

import re
from functools import partial

from mer_bench.datasets.label_table import spell
from mer_bench.datasets.places import Places, clip_folders, find_frames, find_sheet, find_sheets, holds_clips
from mer_bench.datasets.reader import DataSet, Rows
from mer_bench.datasets.sheet import Columns, Sheet, clip_rows, number_in
from mer_bench.datasets.smic import OWNER, PART, SUBJECT, part_of
from mer_bench.errors import InputError

FRAME = re.compile(r'(?:.*\D)?(\d+)\.(?:jpe?g|bmp|png)', re.IGNORECASE)
EMOTIONS = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}  # in the names of clips
OPTIONAL = ['emotion']
PART_OF_FILE = r'smic[ _-]*(hs|vis|nir)[ _-]*e(?![a-z])'
SHEETS = r'smic[ _-]*(?:(?:{0})[ _-]*)?e[ _-]*annot'


def rows(places: Places, part: str) -> Rows:
    """Return the rows of the sheet of one part: HS, VIS or NIR."""
    columns = {
        'subject': ('Subject',),
        'clip': ('Filename', 'File name'),
        'onset': (f'OnsetF {part}', 'OnsetF', 'Onset'),
        'offset': (f'OffsetF {part}', 'OffsetF', 'Offset'),
        'emotion': ('Emotion',),
    }
    sheet = find_part_sheet(places, part, columns)
    cells = clip_rows(sheet)
    names = [
        spell('smic', f's{number_in(subject)}', clip, sheet)
        for subject, clip in zip(cells['subject'], cells['clip'], strict=True)
    ]
    cells = cells.assign(subject=[name['subject'] for name in names], clip=[name['clip'] for name in names])
    cells['emotion'] = [
        emotion.lower() or emotion_of(clip) for emotion, clip in zip(cells['emotion'], cells['clip'], strict=True)
    ]
    frames = find_frames(
        places,
        lambda folder: part_of(folder) in (part, '') and holds_clips(folder, SUBJECT, FRAME),
        LAYOUT.format(part),
    )
    folders = clip_folders(frames, SUBJECT, plain)
    cells['frames_dir'] = [
        folders.get((number_in(subject), plain(clip)), f'{subject}/{clip}')
        for subject, clip in zip(cells['subject'], cells['clip'], strict=True)
    ]
    return Rows(cells, frames, (sheet,))


def find_part_sheet(places: Places, part: str, columns: Columns) -> Sheet:
    """Return the sheet of one part; a workbook may hold several, called HS, VIS and NIR, with the same columns."""
    own, example = SHEETS.format(part), f'SMIC-{part}-E_annotation.xlsx'
    name = own if find_sheets(places, own) else SHEETS.format('hs|vis|nir')
    sheet = find_sheet(places, name, columns, example, OPTIONAL, prefer=rf'(?<![a-z]){part}(?![a-z])')
    match = PART.search(sheet.name) or re.search(PART_OF_FILE, sheet.path.name, re.IGNORECASE)
    if match and match[1].upper() != part:
        raise InputError(
            f'{sheet}: expected the sheet of SMIC-E-{part}, found that of SMIC-E-{match[1].upper()}; give {example}, '
            f'or a workbook with a sheet called {part}, with --sheet'
        )
    return sheet


def emotion_of(clip: str) -> str:
    """Return the emotion that a clip's name tells: s01_ne_01 is negative."""
    return next((emotion for code, emotion in EMOTIONS.items() if f'_{code}_' in clip.lower()), '')


def plain(clip: str) -> str:
    """Return s1_ne_01 for s01_ne_01."""
    return re.sub(r'^s0*', 's', clip.lower())


LAYOUT = 'SMIC-{0}-E_annotation.xlsx and SMIC-{0}-E/s01/s1_ne_01/ with pictures'
HS, VIS, NIR = (
    DataSet(
        name=name,
        title=f'SMIC-E-{part}',
        owner=OWNER,
        fps=fps,
        layout=LAYOUT.format(part),
        frame_name=FRAME,
        rows=partial(rows, part=part),
        config='configs/mer_smic.py',
        clip_name=re.compile(r's\d+_(?:ne|po|su)[a-z]*_\d+'),
    )
    for name, part, fps in (('smic_e_hs', 'HS', 100.0), ('smic_e_vis', 'VIS', 25.0), ('smic_e_nir', 'NIR', 25.0))
)
