"""CAS(ME)^3 part A (Li et al., TPAMI 2023, doi 10.1109/TPAMI.2022.3174895): 860 micro-expressions at 30 fps.

Sheet: `cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx`. A subject and a letter name a video that may hold several clips, so
a clip is named as the owner's cut clips are: `spNO.1_b_166`, the number being the onset; two that begin at one frame
have the offset in their names too. The sheet for spotting
(`CAS(ME)3_part_A_v2.xls`) has no emotion and is refused.

Frames: whole videos `part_A/spNO.1/b/color/166.jpg`, or cut clips `Part_A_ME_clip/frame/spNO.1_b_166/166.jpg`; the
numbers are those of the sheet in both. Depth pictures are not read.

Videos lack frames at the beginning and in between (primary, github.com/jingtingEmmaLi/CAS-ME-3/issues/3), so some
apexes equal the onset. Sheet names and the layout of videos are the owner's too; columns, spellings and cut clips come
from five and more public loaders that agree.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from mer_bench.datasets.dataset import DataSet, Rows, read_corrections, with_number_in_name
from mer_bench.datasets.places import Places, find_frames, find_sheet, find_sheets, match_subject, visible_folders
from mer_bench.datasets.sheet import Sheet, SheetForm, clip_rows, has_header, number_in
from mer_bench.datasets.spellings import plain
from mer_bench.errors import InputError

NAMES = {'subject': ('Subject',), 'clip': ('Filename', 'File name')}
COLUMNS = {
    **NAMES,
    'onset': ('Onset',),
    'apex': ('Apex',),
    'offset': ('Offset',),
    'action_units': ('AU', 'AUs', 'Action Units'),
    'objective_class': ('Objective class', 'Objective classes'),
    'emotion': ('emotion', 'Estimated Emotion'),
}
FILE = r'cas.?\(?me\)?.?3.*part_?a'
EXAMPLE = 'cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx'
FORM = SheetForm(COLUMNS, FILE, EXAMPLE, optional=['objective_class'])
SPOTTING = SheetForm(NAMES | {'type': ('Expression type',)})
SUBJECT = re.compile(r'spno\.?\s*(\d+)', re.IGNORECASE)
CUT_CLIP = re.compile(r'(spno\.?\s*\d+)[ _]*([a-z])[ _]*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(\d+)\.jpe?g', re.IGNORECASE)


def rows(places: Places) -> Rows:
    """Return the rows of the sheet of micro-expressions."""
    sheet = find_label_sheet(places)
    cells = clip_rows(sheet)
    cells['subject'] = [f'spNO.{number_in(subject)}' for subject in cells['subject']]
    videos = [plain(f'{subject}{letter}') for subject, letter in zip(cells['subject'], cells['clip'], strict=True)]
    cells['clip'] = cells['subject'] + '_' + cells['clip'].str.lower() + '_' + cells['onset']
    frames, folders = find_frames(places, clips_in, FRAME, SUBJECT)
    fixes = read_corrections(DATASET.name)
    renamed = fixes[fixes['column'] == 'clip'].set_index('old')['new'].to_dict()  # the folder may have either name
    cells['frames_dir'] = [
        folders.get(plain(clip)) or folders.get(plain(renamed.get(clip, ''))) or folders.get(video, clip)
        for clip, video in zip(cells['clip'], videos, strict=True)
    ]
    return Rows(with_number_in_name(cells, 'offset'), frames, (sheet,))


def find_label_sheet(places: Places) -> Sheet:
    """Return the sheet of labels; refuse the one for spotting."""
    sheets = find_sheets(places, FILE)
    if not any(has_header(path, FORM) for path in sheets):
        for path in sheets:
            if has_header(path, SPOTTING):
                raise InputError(
                    f'{path}: this is the sheet for spotting, it has no emotion; give {EXAMPLE} with --sheet'
                )
    return find_sheet(places, FORM)


def clips_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each cut clip, or else of the colour frames of each whole video, in `folder`.

    The names are those of `spNO.1_b_166` for a cut clip, and `spNO.1_b` for spNO.1/b/color, in plain spelling.
    """
    folders = visible_folders(folder)
    cut = [path for path in folders if CUT_CLIP.fullmatch(path.name)]
    yield from ((plain(path.name), path) for path in cut)
    for subject in folders if not cut else ():
        for video in visible_folders(subject) if match_subject(subject, SUBJECT) else ():
            name = plain(f'spNO.{number_in(subject.name)}_{video.name}')
            yield from ((name, path) for path in visible_folders(video) if path.name.lower() == 'color')


DATASET = DataSet(
    name='casme3',
    title='CAS(ME)^3 part A',
    owner='the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn)',
    fps=30.0,
    layout=f'{EXAMPLE} and part_A/spNO.1/b/color/166.jpg or Part_A_ME_clip/frame/spNO.1_b_166/166.jpg',
    frame_name=FRAME,
    rows=rows,
    config='configs/mer_casme3.py',
    clip_name=re.compile(r'[a-z]\d?'),
    ends_at_apex=lambda clip: None not in (clip.onset, clip.offset) and clip.offset <= clip.onset,
)
