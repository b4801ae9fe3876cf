"""4DME (Li et al., IEEE TAC 2022, doi 10.1109/TAFFC.2022.3182342): 267 micro-expressions; the grey videos, 60 fps.

Sheet: `4DME_Labelling_Micro_release v1.xlsx`. Its columns are known from public loaders only (one of them by a group
at the University of Oulu): sub_ID, fold_name (the clip's folder), Onset, Apex, Offset, AUs, and the emotion as columns
Positive, Negative, Surprise, Repression, Others that hold 0 or 1, as text in Emotion, or both. A clip may have two
emotions; they are joined by their names: `positive+surprise`. Units marked (k) are static, not a motion, and ignored,
as in that loader. Any other sheet can be converted to the form that the generic reader `csv` takes.

Frames: `gray_micro/<sub_ID>/<fold_name>/Frame_000001826.jpg`, numbered as the sheet does (two public loaders); the
folder above may be called `gray_micro_crop` or `micro short gray video`, and may be nested. Number of clips, 22 action
units and five emotions are the owner's (primary).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mer_bench.datasets.clip_row import note
from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, find_frames, find_sheet, visible_folders
from mer_bench.datasets.sheet import OTHER_FORM, Sheet, SheetForm, kept_rows
from mer_bench.errors import InputError

EMOTIONS = ('positive', 'negative', 'surprise', 'repression', 'others')
COLUMNS = {
    'subject': ('sub_ID', 'SubID'),
    'clip': ('fold_name', 'folder name'),
    'onset': ('Onset', 'OnsetFrame'),
    'apex': ('Apex', 'ApexFrame'),
    'offset': ('Offset', 'OffsetFrame'),
    'action_units': ('AUs', 'AU', 'Action Units'),
    'emotion': ('Emotion', 'Emotions', 'Estimated Emotion'),
    **{emotion: (emotion,) for emotion in EMOTIONS},
}
FORM = SheetForm(
    COLUMNS, '4dme|micro', '4DME_Labelling_Micro_release v1.xlsx', optional=['offset', 'emotion', *EMOTIONS]
)
MARKS = {'1': True, 'true': True, '0': False, 'false': False, '': False}
STATIC = re.compile(r'\s*\(\s*k\s*\)', re.IGNORECASE)
UNIT = re.compile(r'(?:AU)?\s*[LRTB]?\s*\d+\s*[LRTB]?[A-E]?', re.IGNORECASE)
SUBJECT = re.compile(r'(?:s|sub)?[ _-]*0*(\d{1,9})(.*)', re.IGNORECASE)
FRAME = re.compile(r'frame_?(\d+)\.(?:jpe?g|png|bmp)', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet."""
    sheet = find_sheet(places, FORM)
    cells = kept_rows(sheet, sheet.cells['clip'] != '')  # a row of sums may end it
    cells['emotion'] = [emotion_of(row, sheet) for row in cells.to_dict('records')]
    if (cells['emotion'] == '').all():
        raise InputError(
            f'{sheet}: expected the emotion as 0 or 1 in the columns {", ".join(EMOTIONS)}, or in Emotion, found '
            f'neither; {OTHER_FORM}'
        )
    cells['action_units'] = cells['action_units'].map(moving_units)
    if (cells['offset'] == '').all():
        cells['offset'] = cells['apex']
        sheet.notes.append(note('no offset', f'{sheet} has no offsets: every clip ends at its apex'))
    frames, folders = find_frames(places, clips_in, FRAME)
    cells['frames_dir'] = [
        folders.get((person(subject), clip.lower()), f'{subject}/{clip}')
        for subject, clip in zip(cells['subject'], cells['clip'], strict=True)
    ]
    return Rows(one_name_per_person(cells), frames, (sheet,))


def emotion_of(row: dict[str, str], sheet: Sheet) -> str:
    """Return the emotions in the order of their names, joined by +; the columns count more than the text."""
    for emotion in EMOTIONS:
        if row[emotion].lower() not in MARKS:
            raise InputError(
                f'{sheet}: {row["subject"]} {row["clip"]} has {row[emotion]!r} in the column {emotion}, expected 1 or '
                '0; correct the cell'
            )
    marked = [emotion for emotion in EMOTIONS if MARKS[row[emotion].lower()]]
    named = [text.strip().lower() for text in re.split(r'[+/,;&]', row['emotion']) if text.strip()]
    return '+'.join(sorted(set(marked or named)))


def moving_units(text: str) -> str:
    """Return the units without those marked (k): 'AU4(k)+L7' is 'L7'; 'none' where all are.

    A text without the mark, or with more than units and marks, stays as it is.
    """
    units = [unit.strip() for unit in re.split(r'[+,;/&]', text) if unit.strip()]
    if not STATIC.search(text) or not all(UNIT.fullmatch(STATIC.sub('', unit)) for unit in units):
        return text
    return '+'.join(unit for unit in units if not STATIC.search(unit)) or 'none'


def clips_in(folder: Path) -> Iterator[tuple[tuple, Path]]:
    """Yield ((person, clip), folder) of each <sub_ID>/<fold_name>, in any case and with any padding of the number."""
    for subject in visible_folders(folder):
        yield from (((person(subject.name), clip.name.lower()), clip) for clip in visible_folders(subject))


def person(subject: str) -> tuple[int, str] | str:
    """Return the number of a subject and what follows it, or the name where it has no number."""
    match = SUBJECT.fullmatch(subject)
    return (int(match[1]), match[2].lower()) if match else subject.lower()


def one_name_per_person(cells: pd.DataFrame) -> pd.DataFrame:
    """Spell subjects S01; what follows a number (S13_1st, a session) goes to the clip, as a person is one subject."""
    matches = [SUBJECT.fullmatch(subject) for subject in cells['subject']]
    names = list(zip(matches, cells['subject'], cells['clip'], strict=True))
    return cells.assign(
        subject=[f'S{int(match[1]):02d}' if match else subject for match, subject, _ in names],
        clip=[f'{subject}_{clip}' if match and match[2] else clip for match, subject, clip in names],
    )


DATASET = DataSet(
    name='4dme',
    title='4DME',
    owner='the Center for Machine Vision and Signal Analysis, University of Oulu',
    fps=60.0,
    layout='4DME_Labelling_Micro_release v1.xlsx and gray_micro/<sub_ID>/<fold_name>/Frame_000001826.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_4dme.py',
)
