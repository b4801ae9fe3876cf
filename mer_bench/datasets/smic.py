"""SMIC and SMIC-E (Li et al., FG 2013, doi 10.1109/FG.2013.6553717), 640x480: HS at 100 fps, VIS and NIR at 25 fps.

**SMIC.** HS has 164 clips of 16 subjects, VIS and NIR have 71 clips each of 8 of these. There is no sheet: a clip's
label is the name of its folder, its onset and offset are its first and last frame, and an apex is not given. Frames:
`SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp`, or the same tree with `image559740.bmp` in
`SMIC_all_raw/HS`; in VIS and NIR `01234.bmp` or `reg_01234.bmp`. A sibling `non_micro/` is ignored.

**SMIC-E** is SMIC with the seconds before and after each expression: HS has 157 clips, VIS and NIR have 71 each.
Sheets: `SMIC-HS-E_annotation.xlsx` or `SMIC-HS-E_annotation_2019.xlsx`, `SMIC-VIS-E_annotation.xlsx`,
`SMIC-NIR-E_annotation.xlsx`, or a workbook with sheets called HS and VIS; a second or third expression in a clip
(Onset2F, Onset3F) is not read, as it has no label. Frames: `SMIC-HS-E/s01/s1_ne_01/image559700.jpg`, or one
folder `HS` deeper; a clip's folder holds more than onset to offset.

The paper states the counts of SMIC, the frame rates and the three classes, the owner the counts of SMIC-E
(oulu.fi/cmvs/node/41319). Folders, file names and columns come from public loaders: many for HS, one or two for VIS and
NIR.
"""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd

from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.frame_names import ACCEPTED, FrameName, files_found, frames_of
from mer_bench.datasets.places import (
    Places,
    clip_dirs,
    clips_of_subjects,
    find_frames,
    find_sheet,
    find_sheets,
    find_trees,
    match_subject,
    only_tree,
    subject_folders,
    visible_folders,
)
from mer_bench.datasets.sheet import Sheet, SheetForm, clip_rows, number_in
from mer_bench.datasets.spellings import EMOTIONS, spell
from mer_bench.errors import InputError

OWNER = 'the University of Oulu, CMVS (oulu.fi/cmvs)'
SUBJECT = re.compile(r's0*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(?:reg_)?(?:image)?\s*(\d+)\.(?:bmp|jpe?g|png)', re.IGNORECASE)
LONG_FRAME = re.compile(r'(?:.*\D)?(\d+)\.(?:jpe?g|bmp|png)', re.IGNORECASE)  # of SMIC-E
PART = re.compile(r'(?<![a-z])(hs|vis|nir)(?![a-z])', re.IGNORECASE)
LAYOUT = '{}/s1/micro/negative/s1_ne_01/ with pictures'
LONG_LAYOUT = 'SMIC-{0}-E_annotation.xlsx and SMIC-{0}-E/s01/s1_ne_01/ with pictures'
CODES = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}  # in the names of clips
PART_OF_FILE = r'smic[ _-]*(hs|vis|nir)[ _-]*e(?![a-z])'
SHEETS = r'smic[ _-]*(?:(?:{0})[ _-]*)?e[ _-]*annot'


def rows(places: Places, part: str) -> Rows:
    """Return a row for every micro-expression of one part of SMIC: HS, VIS or NIR."""
    if places.sheets:
        raise InputError(
            f'{places.sheets[0]}: SMIC has no annotation sheet, its folders give the labels; leave --sheet out'
        )
    tree, name = find_tree(places, part), FrameName(FRAME, places.frame_number)
    found = [
        clip_cells(clip, subject, emotion, tree, name)
        for subject in subject_folders(tree, SUBJECT).values()
        for emotion, clip in micro_clips(subject)
    ]
    return Rows(pd.DataFrame(found), tree)


def find_tree(places: Places, part: str) -> Path:
    """Return the one folder of the part whose children are subjects' folders."""
    start = places.frames or places.raw
    trees = find_trees(start, is_tree)
    tree = only_tree([folder for folder in trees if part_of(folder) in (part, '')], start)
    if tree is None:
        others = sorted({f'SMIC-{part_of(folder)}' for folder in trees})
        found = ' and '.join(others) or files_found(start)
        raise InputError(
            f'{start}: expected {LAYOUT.format(part)} in or below it, found {found}; check --raw'
            + (', or prepare the part that is there' if others else ', or rename what is there')
        )
    return tree


def part_of(folder: Path) -> str:
    """Return HS, VIS or NIR from the name of the folder or of its parent; '' where neither has it."""
    path = folder.resolve()
    match = PART.search(path.name) or PART.search(path.parent.name)
    return match[1].upper() if match else ''


def is_tree(folder: Path) -> bool:
    """Return whether `folder` holds s1/micro or the like."""
    return any(child(path, 'micro') for path in visible_folders(folder) if match_subject(path, SUBJECT))


def child(folder: Path, name: str) -> Path | None:
    """Return the folder of that name in `folder`, in capitals or not."""
    return next((path for path in visible_folders(folder) if path.name.lower() == name), None)


def micro_clips(subject: Path) -> list[tuple[str, Path]]:
    """Return (emotion, clip folder) of every micro-expression of a subject; none where there is only non_micro."""
    micro = child(subject, 'micro')
    emotions = visible_folders(micro) if micro else []
    for folder in emotions:
        if folder.name.lower() not in EMOTIONS:
            raise InputError(f'{folder}: expected one of the folders {EMOTIONS}; rename or remove it')
    clips = [(folder.name.lower(), clip) for folder in emotions for clip in visible_folders(folder)]
    if not clips and not child(subject, 'non_micro'):
        raise InputError(f'{subject}: expected micro/<emotion>/<clip>/, found no clip; remove or complete the subject')
    return clips


def clip_cells(clip: Path, subject: Path, emotion: str, tree: Path, name: FrameName) -> dict[str, str]:
    """Return the cells of one clip folder; s1_ne_01 gets the name s01_ne_01 of the official lists."""
    frames = frames_of(clip, name).paths
    if not frames:
        raise InputError(f'{clip}: expected {ACCEPTED}, found {files_found(clip)}')
    if len(frames) == 1:
        raise InputError(f'{clip}: a clip of one frame has no motion; expected at least two, complete or remove it')
    names = spell('smic', subject.name, clip.name, clip)
    return {
        'subject': names['subject'],
        'clip': names['clip'],
        'onset': str(min(frames)),
        'offset': str(max(frames)),
        'emotion': emotion,
        'frames_dir': clip.relative_to(tree).as_posix(),
    }


def long_rows(places: Places, part: str) -> Rows:
    """Return the rows of the sheet of one part of SMIC-E: HS, VIS or NIR."""
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

    def unpadded(clip: str) -> str:
        return re.sub(r'^s0*', 's', clip.lower())

    def clips(folder: Path) -> Iterable[tuple[tuple[int, str], Path]]:
        return clips_of_subjects(folder, SUBJECT, unpadded) if part_of(folder) in (part, '') else ()

    frames, folders = find_frames(places, clips, LONG_FRAME, SUBJECT)
    cells['frames_dir'] = clip_dirs(cells, folders, unpadded)
    return Rows(cells, frames, (sheet,))


def find_part_sheet(places: Places, part: str, columns: dict[str, tuple[str, ...]]) -> Sheet:
    """Return the sheet of one part; a workbook may hold several, called HS, VIS and NIR, with the same columns."""
    own, example = SHEETS.format(part), f'SMIC-{part}-E_annotation.xlsx'
    file = own if find_sheets(places, own) else SHEETS.format('hs|vis|nir')
    form = SheetForm(columns, file, example, optional=['emotion'], prefer=rf'(?<![a-z]){part}(?![a-z])')
    sheet = find_sheet(places, form)
    match = PART.search(sheet.name) or re.search(PART_OF_FILE, sheet.path.name, re.IGNORECASE)
    if match and match[1].upper() != part:
        raise InputError(
            f'{sheet}: expected the sheet of SMIC-E-{part}, found that of SMIC-E-{match[1].upper()}; give {example}, '
            f'or a workbook with a sheet called {part}, with --sheet'
        )
    return sheet


def emotion_of(clip: str) -> str:
    """Return the emotion in a clip's name: s01_ne_01 is negative."""
    return next((emotion for code, emotion in CODES.items() if f'_{code}_' in clip.lower()), '')


SMIC = [
    DataSet(
        name=f'smic{suffix}',
        title=f'SMIC-{part}',
        owner=OWNER,
        fps=fps,
        layout=LAYOUT.format(part),
        frame_name=FRAME,
        rows=partial(rows, part=part),
        config='configs/mer_smic.py',
    )
    for suffix, part, fps in (('', 'HS', 100.0), ('_vis', 'VIS', 25.0), ('_nir', 'NIR', 25.0))
]
SMIC_E = [
    DataSet(
        name=f'smic_e_{part.lower()}',
        title=f'SMIC-E-{part}',
        owner=OWNER,
        fps=fps,
        layout=LONG_LAYOUT.format(part),
        frame_name=LONG_FRAME,
        rows=partial(long_rows, part=part),
        config='configs/mer_smic.py',
        clip_name=re.compile(r's\d+_(?:ne|po|su)[a-z]*_\d+'),
    )
    for part, fps in (('HS', 100.0), ('VIS', 25.0), ('NIR', 25.0))
]
