"""SMIC-HS (Li et al., FG 2013): 164 clips of 16 subjects at 100 fps; the label is the name of the folder.

`SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp`, or the same tree with `image559740.bmp` in
`SMIC_all_raw/HS`. A sibling `non_micro/` is ignored. SMIC has no apex label: preparation chooses one.
"""

import re
from pathlib import Path

import pandas as pd

from mer_bench.datasets.label_table import EMOTIONS, spell
from mer_bench.datasets.table import MARKER, annotation_table
from mer_bench.errors import InputError

FPS = 100.0
FRAME_NAME = re.compile(r'(?:reg_)?image(\d+)\.(?:bmp|jpg)', re.IGNORECASE)
SUBJECT_NAME = re.compile(r's(\d+)', re.IGNORECASE)


def read_smic(raw: str | Path) -> pd.DataFrame:
    """Read the annotation table of SMIC-HS; onset and offset are a clip's first and last frame.

    Args:
        raw: the folder `HS`, or one that holds it. `frames_dir` is relative to `HS`.
    """
    tree = find_tree(Path(raw))
    synthetic = any((folder / MARKER).exists() for folder in (tree, tree.parent, tree.parent.parent))
    rows = [
        clip_row(clip, subject, emotion, tree, synthetic)
        for subject in subject_folders(tree)
        for emotion, clip in micro_clips(subject)
    ]
    return annotation_table(rows)


def find_tree(raw: Path) -> Path:
    """Return the one folder in or below `raw` whose children are subject folders."""
    if not raw.is_dir():
        raise InputError(
            f'{raw}: no such folder; give the folder with SMIC_all_cropped/HS or SMIC_all_raw/HS (the data set is '
            'available on request from the University of Oulu, CMVS)'
        )
    if is_tree(raw):
        if raw.resolve().name.upper() in ('VIS', 'NIR'):
            raise InputError(
                f'{raw}: this is SMIC-{raw.resolve().name.upper()}; only SMIC-HS is read, give the folder HS'
            )
        return raw
    found = [tree for depth in range(4) for tree in raw.glob('*/' * depth + 'HS') if is_tree(tree)]
    trees = [tree for tree in found if '__MACOSX' not in tree.parts]
    if not trees:
        raise InputError(f'{raw}: expected HS/s1/micro/negative/... in or below it, found no such tree; check --raw')
    if len(trees) > 1:
        both = ' and '.join(str(tree) for tree in sorted(trees))
        raise InputError(f'{raw}: expected one SMIC-HS tree, found {both}; give one of them')
    return trees[0]


def is_tree(folder: Path) -> bool:
    """Say whether `folder` holds s1/micro or the like."""
    return any((subject / 'micro').is_dir() for subject in subject_folders(folder))


def subject_folders(tree: Path) -> list[Path]:
    """Return the folders s1, s2, ... of `tree`."""
    return [path for path in sorted(tree.iterdir()) if SUBJECT_NAME.fullmatch(path.name) and path.is_dir()]


def micro_clips(subject: Path) -> list[tuple[str, Path]]:
    """Return (emotion, clip folder) of every micro-expression of a subject."""
    emotions = [folder for folder in sorted(subject.glob('micro/*')) if is_visible_folder(folder)]
    for folder in emotions:
        if folder.name.lower() not in EMOTIONS:
            raise InputError(f'{folder}: expected one of the folders {EMOTIONS}; rename or remove it')
    clips = [
        (folder.name.lower(), clip)
        for folder in emotions
        for clip in sorted(folder.iterdir())
        if is_visible_folder(clip)
    ]
    if not clips:
        raise InputError(f'{subject}: expected micro/<emotion>/<clip>/, found no clip; remove or complete the subject')
    return clips


def is_visible_folder(path: Path) -> bool:
    """Tell folders from files and from what a system leaves behind (.DS_Store, ._s1)."""
    return path.is_dir() and not path.name.startswith('.')


def clip_row(clip: Path, subject: Path, emotion: str, tree: Path, synthetic: bool) -> dict:
    """Return the row of one clip folder; s1_ne_01 gets the name s01_ne_01 of the official lists."""
    frames = list_frames(clip)
    names = spell('smic', subject.name, clip.name, clip)
    name = f'smic/{names["subject"]}'
    return {
        'sample_id': f'{name}/{names["clip"]}',
        'dataset': 'smic',
        'subject': name,
        'clip': names['clip'],
        'onset': min(frames),
        'offset': max(frames),
        'fps': FPS,
        'frames_dir': clip.relative_to(tree).as_posix(),
        'emotion': emotion,
        'synthetic': synthetic,
    }


def list_frames(clip: Path) -> dict[int, Path]:
    """Return {frame number: picture} of a clip in order; other files are ignored, zero-padding does not matter."""
    frames = {}
    for path in sorted(clip.iterdir()):
        if match := FRAME_NAME.fullmatch(path.name):
            number = int(match[1])
            if number in frames:
                raise InputError(
                    f'{clip}: frame {number} is there twice ({frames[number].name}, {path.name}); keep one'
                )
            frames[number] = path
    if not frames:
        raise InputError(f'{clip}: expected pictures reg_image<number>.bmp or image<number>.bmp, found none')
    if len(frames) == 1:
        raise InputError(f'{clip}: a clip of one frame has no motion; expected at least two, complete or remove it')
    return dict(sorted(frames.items()))
