"""CAS(ME)^2 (Qu et al., IEEE TAC 2018, doi 10.1109/TAFFC.2017.2654440): 22 subjects at 30 fps; only micro-expressions.

The workbook `CAS(ME)^2code_final(Updated).xlsx`, or its sheets as csv files, has no header. Its sheets are recognised
by their content:

1. labels: participant, code (`anger1_1`), onset, apex, offset, action units, valence, type, self-reported emotion.
   57 rows are micro-expressions by their type, 300 are macro-expressions and not read. The emotion here is the
   valence: positive, negative, surprise, others.
2. naming rule 1: participant 1 is folder s15, and so on.
3. naming rule 2: the code of each stimulus (`anger1` is 0401); needed for frames of whole videos only.

Frames: `rawpic/s15/15_0401girlcrashing/img0557.jpg` (whole videos), `selectedpic/s15/anger1_1/img557.jpg`,
`cropped/15/anger1_1/img557.jpg`, or `longVideoFaceCropped/s15/15_0401girlcrashing/img_557.jpg`; the numbers are those
of the sheet in all of them. Frame rate and subjects are the owner's (primary); the paper counts 53 micro-expressions.
Sheets, positions, folders and the count of 57 come from public loaders that agree.
"""

import re
from pathlib import Path

import pandas as pd

from mer_bench.datasets.clip_row import note, row_text
from mer_bench.datasets.dataset import DataSet, Rows
from mer_bench.datasets.places import Places, find_clips, find_sheets
from mer_bench.datasets.sheet import Sheet, read_tables, without_suffix
from mer_bench.errors import InputError

SHEETS = r'cas.?\(?me\)?.?2.*(code|rule)|code_final|naming.?rule'
EXAMPLE = 'CAS(ME)^2code_final(Updated).xlsx'
LABELS = ['participant', 'clip', 'onset', 'apex', 'offset', 'action_units', 'emotion', 'type']
COLUMNS = (
    'without header and with the columns participant, code, onset, apex, offset, action units, valence, type '
    '(micro-expression or macro-expression)'
)
TYPE = re.compile(r'(micro|macro)\W*expressions?', re.IGNORECASE)
SUBJECT = re.compile(r's?0*(\d+)', re.IGNORECASE)
VIDEO = re.compile(r'0*(\d+)_(\d{4}).*')
FRAME = re.compile(r'img_?(\d+)(?:\.jpe?g)+', re.IGNORECASE)  # img2977.jpg.jpg occurs


def rows(places: Places) -> Rows:
    """Return the rows whose type is micro-expression."""
    tables, notes = read_files(places)
    sheet = find_labels(tables)
    sheet.notes.extend(notes)
    others = [table.cells for table in tables if not is_labels(table)]
    cells = micro_rows(sheet)
    numbers = subject_numbers(cells, others, sheet)
    cells['subject'] = [f's{number:02d}' for number in numbers]
    frames, folders = find_clips(places, SUBJECT, FRAME)
    folders = with_stimuli(folders, stimuli(others), frames)
    cells['frames_dir'] = [
        folders.get((number, clip.lower()), folders.get((number, clip.lower().split('_')[0]), f's{number}/{clip}'))
        for number, clip in zip(numbers, cells['clip'], strict=True)
    ]
    return Rows(cells, frames, (sheet, *(table for table in tables if table is not sheet)))


def read_files(places: Places) -> tuple[list[Sheet], list[dict]]:
    """Return all sheets of the files that hold labels or a naming rule, and notes on other files below `raw`."""
    tables, notes = [], []
    for path in find_sheets(places, SHEETS):
        try:
            own = read_tables(path)
            cells = [table.cells for table in own]
            if not any(map(is_labels, own)) and not people(cells) and not stimuli(cells):
                raise InputError(f'{path}: expected labels ({COLUMNS}) or a naming rule, found neither; leave it out')
            tables += own
        except InputError as error:
            if places.sheets:
                raise
            notes.append(note('sheet not read', str(error)))
    return tables, notes


def is_labels(table: Sheet) -> bool:
    """Return whether this is the sheet of labels, by its column of types."""
    cells = table.cells
    return cells.shape[1] >= len(LABELS) and cells.iloc[:, 7].map(lambda text: bool(TYPE.fullmatch(text))).any()


def find_labels(tables: list[Sheet]) -> Sheet:
    """Return the only sheet of labels; one that is hidden does not count beside one that is not."""
    found = [table for table in tables if is_labels(table)]
    found = [table for table in found if not table.hidden] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f'expected one annotation sheet such as {EXAMPLE}, found {" and ".join(map(str, found))}; name one file '
            'with --sheet, and hide or delete all but one such sheet in it'
        )
    raise InputError(
        f'{" and ".join(map(str, tables)) or "no file"}: expected a sheet {COLUMNS}, such as {EXAMPLE}, found none; '
        'give the workbook as its owner ships it with --sheet'
    )


def micro_rows(sheet: Sheet) -> pd.DataFrame:
    """Return the micro-expressions with our names; rows of no known type leave a note, macro-expressions do not."""
    labels = sheet.cells.iloc[:, : len(LABELS)].set_axis(LABELS, axis=1)
    labels = labels.assign(clip=without_suffix(labels['clip']))
    types = labels['type'].map(lambda text: match[1].lower() if (match := TYPE.fullmatch(text)) else '')
    for row in labels[types == ''].to_dict('records'):
        if any(row.values()):
            sheet.notes.append(note('row passed over', f'{sheet}: type {row["type"]!r}: {row_text(row)}'))
    return labels[types == 'micro'].reset_index(drop=True)


def people(tables: list[pd.DataFrame]) -> dict[str, int]:
    """Return {participant: number of the folder} of naming rule 1: (number, folder, participant)."""
    return {
        row[2]: int(match[1])
        for table in tables
        if table.shape[1] >= 3
        for row in table.iloc[:, :3].itertuples(index=False, name=None)
        if (match := re.fullmatch(r's0*(\d+)', row[1], re.IGNORECASE))
    }


def subject_numbers(cells: pd.DataFrame, tables: list[pd.DataFrame], sheet: Sheet) -> list[int]:
    """Return the number of each row's subject by naming rule 1."""
    rule = people(tables)
    unknown = sorted(set(cells['participant']) - set(rule))
    if unknown:
        raise InputError(
            f'{sheet}: participant {unknown[0]} is not in the sheet "naming rule1" (number, folder such as s15, '
            'participant); give the whole workbook, or both csv files, with --sheet'
        )
    return [rule[participant] for participant in cells['participant']]


def stimuli(tables: list[pd.DataFrame]) -> dict[str, str]:
    """Return {code of the stimulus: its name in lower case} of naming rule 2, such as {'0401': 'anger1'}."""
    found = {}
    for table in tables:
        for row in table.itertuples(index=False):
            codes = [text for text in row if re.fullmatch(r'\d{3,4}', text)]
            names = [text.lower() for text in row if re.fullmatch(r'[a-z]{3,}\d', text, re.IGNORECASE)]
            if len(codes) == len(names) == 1:
                found[codes[0].zfill(4)] = names[0]
    return found


def with_stimuli(
    folders: dict[tuple[int, str], str], names: dict[str, str], root: Path | None
) -> dict[tuple[int, str], str]:
    """Return {(subject, clip or stimulus): folder}; a video's folder counts where its name begins with the subject."""
    videos = {key: VIDEO.fullmatch(key[1]) for key in folders}
    if any(videos.values()) and not names:
        raise InputError(
            f'{root}: whole videos are named by stimulus, expected the sheet "naming rule2" (0401 is anger1), found '
            'none; give the whole workbook with --sheet'
        )
    of_stimuli = {
        (number, names[video[2]]): folders[number, name]
        for (number, name), video in videos.items()
        if video and int(video[1]) == number and video[2] in names
    }
    return of_stimuli | {key: folder for key, folder in folders.items() if not videos[key]}


DATASET = DataSet(
    name='casme_sq',
    title='CAS(ME)^2',
    owner='the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn)',
    fps=30.0,
    layout=f'{EXAMPLE} and s15/15_0401girlcrashing/img0557.jpg or s15/anger1_1/img557.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme_sq.py',
    clip_name=re.compile(r'(?:anger|disgust|happy|sad|fear|surprise)\w*_\d+'),
)
