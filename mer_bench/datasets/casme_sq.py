"""CAS(ME)^2 (Qu et al., IEEE TAC 2018, doi 10.1109/TAFFC.2017.2654440): 22 subjects at 30 fps; only micro-expressions.

The workbook `CAS(ME)^2code_final(Updated).xlsx`, or its sheets as csv files, has no header. Its sheets are told by what
is in them:

1. labels: participant, code (`anger1_1`), onset, apex, offset, action units, valence, type, self-reported emotion.
   57 rows are micro-expressions by their type, 300 are macro-expressions and left aside. The emotion here is the
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

from mer_bench.datasets.places import Places, clip_folders, find_frames, find_sheets, holds_clips
from mer_bench.datasets.reader import DataSet, Rows
from mer_bench.datasets.sheet import one_sheet, read_tables
from mer_bench.errors import InputError

LABELS = ['participant', 'clip', 'onset', 'apex', 'offset', 'action_units', 'emotion', 'type']
TYPE = re.compile(r'(micro|macro)\W*expressions?', re.IGNORECASE)
SUBJECT = re.compile(r's?0*(\d+)', re.IGNORECASE)
VIDEO = re.compile(r'0*(\d+)_(\d{4}).*')
FRAME = re.compile(r'img_?(\d+)(?:\.jpe?g)+', re.IGNORECASE)  # img2977.jpg.jpg occurs


def rows(places: Places) -> Rows:
    """Return the rows whose type is micro-expression."""
    sheets = find_sheets(places, r'cas.?\(?me\)?.?2.*(code|rule)|code_final|naming.?rule')
    tables = [(path, table) for path in sheets for table in read_tables(path).values()]
    labels = one_labels([(path, table) for path, table in tables if is_labels(table)], sheets)
    others = [table for _, table in tables if not is_labels(table)]
    cells = labels[[bool(re.match('micro', text, re.IGNORECASE)) for text in labels['type']]].copy()
    numbers = subject_numbers(cells, others, sheets)
    cells['subject'] = [f's{number:02d}' for number in numbers]
    frames = find_frames(places, lambda folder: holds_clips(folder, SUBJECT, FRAME), DATASET.layout)
    folders = folders_of_clips(frames, stimuli(others))
    cells['frames_dir'] = [
        folders.get((number, clip.lower()), folders.get((number, clip.lower().split('_')[0]), ''))
        for number, clip in zip(numbers, cells['clip'], strict=True)
    ]
    return Rows(cells.reset_index(drop=True), frames, tuple(sheets))


def is_labels(table: pd.DataFrame) -> bool:
    """Tell the sheet of labels by its column of types."""
    return table.shape[1] >= len(LABELS) and table.iloc[:, 7].map(lambda text: bool(TYPE.fullmatch(text))).any()


def one_labels(found: list[tuple[Path, pd.DataFrame]], sheets: list[Path]) -> pd.DataFrame:
    """Return the only sheet of labels, with our names and without a header row."""
    if sheets and not found:
        raise InputError(
            f'{" and ".join(map(str, sheets))}: expected a sheet without header and with the columns participant, '
            'code, onset, apex, offset, action units, valence, type (micro-expression or macro-expression), found '
            'none; give the workbook as its owner ships it with --sheet'
        )
    path = one_sheet([path for path, _ in found], 'CAS(ME)^2code_final(Updated).xlsx')
    labels = next(table for other, table in found if other == path).iloc[:, : len(LABELS)].set_axis(LABELS, axis=1)
    return labels[labels['type'].map(lambda text: bool(TYPE.fullmatch(text)))]


def subject_numbers(cells: pd.DataFrame, tables: list[pd.DataFrame], sheets: list[Path]) -> list[int]:
    """Return the number of each row's subject by naming rule 1: (number, folder, participant)."""
    rule = {
        row[2]: int(match[1])
        for table in tables
        if table.shape[1] >= 3
        for row in table.iloc[:, :3].itertuples(index=False, name=None)
        if (match := re.fullmatch(r's0*(\d+)', row[1], re.IGNORECASE))
    }
    unknown = sorted(set(cells['participant']) - set(rule))
    if unknown:
        raise InputError(
            f'{" and ".join(map(str, sheets))}: participant {unknown[0]} is not in the sheet "naming rule1" (number, '
            'folder such as s15, participant); give the whole workbook, or both csv files, with --sheet'
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


def folders_of_clips(root: Path | None, names: dict[str, str]) -> dict[tuple[int, str], str]:
    """Return {(subject, clip or stimulus): folder}; a video's folder counts where its name begins with the subject."""
    folders = clip_folders(root, SUBJECT)
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
    layout='CAS(ME)^2code_final(Updated).xlsx and s15/15_0401girlcrashing/img0557.jpg or s15/anger1_1/img557.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme_sq.py',
)
