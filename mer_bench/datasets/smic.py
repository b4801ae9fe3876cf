"""SMIC (Li et al., FG 2013, doi 10.1109/FG.2013.6553717), 640x480: HS at 100 fps, VIS and NIR at 25 fps.

HS has 164 clips of 16 subjects, VIS and NIR have 71 clips each of 8 of these. There is no sheet: a clip's label is
the name of its folder, its onset and offset are its first and last frame, and an apex is not given. Frames:
`SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp`, or the same tree with `image559740.bmp` in
`SMIC_all_raw/HS`; in VIS and NIR `01234.bmp` or `reg_01234.bmp`. A sibling `non_micro/` is ignored.

Counts, frame rates and the three classes are stated by the paper; folders and file names of HS are known from many
public loaders, those of VIS and NIR from two.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from mer_bench.datasets.frame_names import ACCEPTED, FrameName, files_found, frames_of
from mer_bench.datasets.label_table import EMOTIONS, spell
from mer_bench.datasets.places import (
    Places,
    find_frames,
    find_trees,
    match_subject,
    subject_folders,
    visible_folders,
)
from mer_bench.datasets.reader import DataSet, Rows
from mer_bench.errors import InputError

OWNER = 'the University of Oulu, CMVS (oulu.fi/cmvs)'
SUBJECT = re.compile(r's0*(\d+)', re.IGNORECASE)
FRAME = re.compile(r'(?:reg_)?(?:image)?\s*(\d+)\.(?:bmp|jpe?g|png)', re.IGNORECASE)
PART = re.compile(r'(?<![a-z])(hs|vis|nir)(?![a-z])', re.IGNORECASE)


def rows(places: Places, part: str) -> Rows:
    """Return a row for every micro-expression of one part: HS, VIS or NIR."""
    if places.sheets:
        raise InputError(f'{places.sheets[0]}: SMIC has no annotation sheet, folders tell the label; leave --sheet out')
    tree, name = find_tree(places, part), FrameName(FRAME, places.frame_number)
    found = [
        clip_cells(clip, subject, emotion, tree, name)
        for subject in subject_folders(tree, SUBJECT).values()
        for emotion, clip in micro_clips(subject)
    ]
    return Rows(pd.DataFrame(found), tree)


def find_tree(places: Places, part: str) -> Path:
    """Return the one folder of the part whose children are subjects' folders."""
    places = replace(places, with_frames=True)  # the tree is the annotation
    start = places.frames or places.raw
    layout = LAYOUT.format(part)
    tree = find_frames(places, lambda folder: is_tree(folder) and part_of(folder) in (part, ''), layout)
    if tree is None:
        others = sorted({f'SMIC-{part_of(folder)}' for folder in find_trees(start, is_tree)}) if start else []
        found = ' and '.join(others) or files_found(start)
        raise InputError(
            f'{start}: expected {layout} in or below it, found {found}; check --raw'
            + (', or prepare the part that is there' if others else ', or rename what is there')
        )
    return tree


def part_of(folder: Path) -> str:
    """Return HS, VIS or NIR as the folder's name or that of its parent says; '' where neither does."""
    path = folder.resolve()
    match = PART.search(path.name) or PART.search(path.parent.name)
    return match[1].upper() if match else ''


def is_tree(folder: Path) -> bool:
    """Say whether `folder` holds s1/micro or the like."""
    return any(child(path, 'micro') for path in visible_folders(folder) if match_subject(path, SUBJECT))


def child(folder: Path, name: str) -> Path | None:
    """Return the folder of that name in `folder`, capitals or not."""
    return next((path for path in visible_folders(folder) if path.name.lower() == name), None)


def micro_clips(subject: Path) -> list[tuple[str, Path]]:
    """Return (emotion, clip folder) of every micro-expression of a subject; who has non_micro alone has none."""
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


LAYOUT = '{}/s1/micro/negative/s1_ne_01/ with pictures'
HS, VIS, NIR = (
    DataSet(
        name=name,
        title=f'SMIC-{part}',
        owner=OWNER,
        fps=fps,
        layout=LAYOUT.format(part),
        frame_name=FRAME,
        rows=partial(rows, part=part),
        config='configs/mer_smic.py',
    )
    for name, part, fps in (('smic', 'HS', 100.0), ('smic_vis', 'VIS', 25.0), ('smic_nir', 'NIR', 25.0))
)
