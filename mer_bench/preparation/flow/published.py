"""Published optical-flow pictures of the MEGC2019 clips, colour PNGs, in the two layouts in wide use.

Flat: `<subject>_<clip> .png` with a label table. Folds: `<held-out subject>/{u_train,u_test}/{0,1,2}/<picture>`; there
every clip is copied into the training set of all other subjects. The blank before the dot is optional. The picture's
red, green and blue are horizontal flow, vertical flow and optical strain from onset to apex, the rise (Liong et al.,
STSTNet, FG 2019). Some copies of the flat layout have `<subject>_<clip>_1 .png` too, the same from apex to offset, the
fall (Zhang et al., CausalNet, ICCV 2025).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.spellings import EMOTIONS, spell
from mer_bench.datasets.table import MARKER, annotation_table
from mer_bench.errors import InputError
from mer_bench.preparation.flow.label_table import read_labels
from mer_bench.preparation.pictures import digest_picture, read_picture
from mer_bench.preparation.store.build import locked
from mer_bench.preparation.store.fill import fill_store
from mer_bench.preparation.summary import print_summary

FPS = {'smic': 100.0, 'casme2': 200.0, 'samm': 200.0}
PICTURE_NAME = re.compile(r'([^_]+)_(.+?)\s*\.png', re.IGNORECASE)
RISE, RISE_FALL = ('rise',), ('rise', 'fall')  # steps of time that a clip may have
DATASETS = {RISE: 'megc2019_flow', RISE_FALL: 'megc2019_rise_fall'}
SAMPLING = {
    RISE: 'one picture per clip, onset to apex, as published',
    RISE_FALL: 'two pictures per clip, onset to apex and apex to offset, as published',
}
UNITS = (
    'u (red) and v (green) as x / 127.5 - 1, optical strain (blue) as x / 255 of the published 8-bit pictures; their '
    'scale in pixels is not published'
)
SHARES = ('u_train', 'u_test')
TRAIN, TEST = SHARES


@dataclass(frozen=True)
class Copy:
    """One picture file of the fold layout. Subjects and clips in the spelling of :func:`spell`."""

    path: Path
    share: str
    held_out: str
    emotion: str
    dataset: str
    subject: str
    clip: str


def read_flow_images(folder: str | Path, labels: str | Path | None = None) -> pd.DataFrame:
    """Read the annotation table of a folder of flow pictures; `frames_dir` is the picture of the clip.

    Args:
        folder: either layout; the copies of the fold layout are checked against each other.
        labels: the label table; needed for the flat layout, checked against the folders in the fold layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; give the folder of the published flow pictures')
    table = None if labels is None else read_labels(labels)
    if fold_folders(folder):
        rows = add_labels(rows_of_folds(folder), table, labels)
    elif pictures(folder):
        rows = rows_of_flat(folder, table, labels)
    else:
        raise InputError(
            f'{folder}: expected pictures `<subject>_<clip> .png` or folders `<subject>/u_train` and '
            '`<subject>/u_test`, found neither; check the folder'
        )
    return annotation_table([finish_row(row, folder) for row in rows])


def finish_row(row: dict, folder: Path) -> dict:
    """Return a row of the annotation table from dataset, subject, clip, path, emotion and perhaps frame numbers."""
    subject = f'{row["dataset"]}/{row["subject"]}'
    return {
        'sample_id': f'{subject}/{row["clip"]}',
        **row,
        'subject': subject,
        'fps': FPS[row['dataset']],
        'frames_dir': row['path'].relative_to(folder).as_posix(),
        'synthetic': (folder / MARKER).exists(),
    }


def pictures(folder: Path) -> list[Path]:
    """Return the pictures `<subject>_<clip> .png` of a folder; other files are ignored."""
    return [path for path in sorted(folder.iterdir()) if PICTURE_NAME.fullmatch(path.name)]


def spell_picture(path: Path) -> dict:
    """Return dataset, subject and clip of a picture's name."""
    subject, clip = PICTURE_NAME.fullmatch(path.name).groups()
    return spell(None, subject, clip, path)


def rows_of_flat(folder: Path, table: pd.DataFrame | None, labels: str | Path | None) -> list[dict]:
    """Return one row per picture of the flat layout."""
    if table is None:
        raise InputError(f'{folder}: pictures in one folder have no labels; give the label table with --labels FILE')
    rows = {}
    for path in pictures(folder):
        row = spell_picture(path) | {'path': path}
        first = rows.setdefault((row['subject'], row['clip']), row)
        if first is not row:
            raise InputError(f'{folder}: {first["path"].name} and {path.name} are the same clip; keep one')
    return add_labels(without_further_pictures(list(rows.values()), table), table, labels)


def without_further_pictures(rows: list[dict], table: pd.DataFrame) -> list[dict]:
    """Return the rows without `<clip>_1 .png`, `<clip>_2 .png`, ...: some publish more pictures of a clip beside it."""
    clips = set(zip(table['subject'], table['clip'], strict=True))

    def is_further(row: dict) -> bool:
        clip, _, digit = row['clip'].rpartition('_')
        return digit.isdigit() and (row['subject'], row['clip']) not in clips and (row['subject'], clip) in clips

    return [row for row in rows if not is_further(row)]


def add_labels(rows: list[dict], table: pd.DataFrame | None, labels: str | Path | None) -> list[dict]:
    """Join the label table to the rows; both must name the same clips, and the same emotion where both have one."""
    if table is None:
        return rows
    known = {(label['subject'], label['clip']): label for label in table.to_dict('records')}
    found = {(row['subject'], row['clip']): row for row in rows}
    for ids, fault, remedy in (
        (found.keys() - known.keys(), 'has a picture but no row', 'add the row or remove the picture'),
        (known.keys() - found.keys(), 'has a row but no picture', 'remove the row or add the picture'),
    ):
        if ids:
            raise InputError(f'{labels}: {" ".join(min(ids))} (and {len(ids) - 1} more clips) {fault}; {remedy}')
    for key, row in found.items():
        if row.get('emotion', known[key]['emotion']) != known[key]['emotion']:
            raise InputError(
                f'{row["path"]}: is in the folder of {row["emotion"]}, the label table has {known[key]["emotion"]}; '
                'correct one of them'
            )
    return [row | known[key] for key, row in found.items()]


def fold_folders(folder: Path) -> list[Path]:
    """Return the folders that hold u_train or u_test."""
    return [path for path in sorted(folder.iterdir()) if any((path / share).is_dir() for share in SHARES)]


def rows_of_folds(folder: Path) -> list[dict]:
    """Return one row per clip of the fold layout after checking its copies."""
    copies = defaultdict(list)
    for fold in fold_folders(folder):
        for copy in read_fold(fold):
            copies[copy.subject, copy.clip].append(copy)
    return [check_copies(clip) for _, clip in sorted(copies.items())]


def read_fold(fold: Path) -> list[Copy]:
    """Return the pictures of one held-out subject's folder; only its own clips may be in u_test, none in u_train."""
    held_out = spell(None, fold.name.strip(), '', fold)['subject']
    copies = [
        Copy(path, share, held_out, emotion, **spell_picture(path))
        for share in SHARES
        for emotion, path in class_pictures(fold / share)
    ]
    for copy in copies:
        if copy.share == TRAIN and copy.subject == held_out:
            raise InputError(f'{copy.path}: a clip of the held-out subject is among its training clips; remove it')
        if copy.share == TEST and copy.subject != held_out:
            raise InputError(f'{copy.path}: u_test of {held_out} holds a clip of another subject; remove it')
    if TEST not in {copy.share for copy in copies}:
        raise InputError(
            f'{fold}: expected the clips of {held_out} in u_test/{{0,1,2}}, found none; complete the folder'
        )
    return copies


def class_pictures(share: Path) -> list[tuple[str, Path]]:
    """Return (emotion, picture) of u_train or u_test."""
    if not share.is_dir():
        raise InputError(f'{share}: no such folder; expected u_train and u_test for every held-out subject')
    folders = [path for path in sorted(share.iterdir()) if path.is_dir() and not path.name.startswith('.')]
    for folder in folders:
        if folder.name not in ('0', '1', '2'):
            raise InputError(f'{folder}: expected the class folders 0, 1 and 2; rename or remove it')
    return [(EMOTIONS[int(folder.name)], path) for folder in folders for path in pictures(folder)]


def check_copies(copies: list[Copy]) -> dict:
    """Return the row of a clip from its copies, which must show one picture in one class."""
    tests = [copy for copy in copies if copy.share == TEST]
    if len(tests) != 1:
        raise InputError(
            f'{copies[0].path}: expected this clip in one u_test, found it in {len(tests)}; add the folder of '
            f'{copies[0].subject} or remove the copies'
        )
    own = tests[0]
    own_digest = digest_picture(own.path)
    for copy in copies:
        if copy.emotion != own.emotion:
            raise InputError(
                f'{copy.path}: this copy is {copy.emotion}, {own.path} is {own.emotion}; correct the class'
            )
        if digest_picture(copy.path) != own_digest and not np.array_equal(
            read_picture(copy.path, colour=True), read_picture(own.path, colour=True)
        ):
            raise InputError(f'{copy.path}: this copy shows another picture than {own.path}; restore the original')
    return {'path': own.path, 'emotion': own.emotion, 'dataset': own.dataset, 'subject': own.subject, 'clip': own.clip}


def prepare_flow_images(
    folder: str | Path, out: str | Path | None = None, labels: str | Path | None = None, steps: Sequence[str] = RISE
) -> None:
    """Read published flow pictures (either layout), fill a store with one map per clip and step of time.

    Args:
        folder: the pictures.
        out: the prepared data set's folder; None: `data/megc2019_flow`, or `data/megc2019_rise_fall` with the fall.
        labels: the label table, see :func:`read_flow_images`.
        steps: `rise`, or `rise fall`, for which each clip needs both pictures in one folder.
    """
    folder, steps = Path(folder), tuple(steps)
    if steps not in DATASETS:
        raise InputError(f'--steps: expected `rise` or `rise fall`, got `{" ".join(steps)}`; correct it')
    dataset = DATASETS[steps]
    out = Path(f'data/{dataset}' if out is None else out)
    table = read_flow_images(folder, labels)
    clips = [[folder / name] for name in table['frames_dir']]
    if steps == RISE_FALL:
        clips = with_falls(folder, [rise for (rise,) in clips])
    paths = [path for clip in clips for path in clip]
    if further := {*pictures(folder)} - {*paths}:
        print(f'{len(further)} further pictures of the clips, such as {min(further).name}, are ignored')
    parameters = {
        'dataset': dataset,
        'flow': 'published_pictures',
        'flow_parameters': {},
        'reference': 'onset' if steps == RISE else 'previous',  # the fall starts where the rise ends
        'channels': ['u', 'v', 'strain'],
        'clip_len': len(steps),
        'size': common_size(paths),
        'apex': 'as published',
        'faces': 'as published',
        'sampling': SAMPLING[steps],
        'files': [digest_picture(path) for path in paths],
    }
    apexes = [None if apex is pd.NA else int(apex) for apex in table['apex']]
    arguments = list(zip(clips, apexes, strict=True))
    with locked(out):
        fill_store(out, table, parameters, flow_pictures, arguments, units=UNITS, workers=1)
    print_summary(table, out, f'configs/mer_{dataset}.py')


def with_falls(folder: Path, rises: Sequence[Path]) -> list[list[Path]]:
    """Return rise and fall of each clip; the fall is the picture of the clip's name with _1 behind it."""
    found = {(row['subject'], row['clip']): path for path in pictures(folder) for row in [spell_picture(path)]}
    names = [(row['subject'], f'{row["clip"]}_1') for row in map(spell_picture, rises)]
    falls = [path if (path := found.get(name)) not in rises else None for name in names]
    if missing := [rise for rise, fall in zip(rises, falls, strict=True) if fall is None]:
        raise InputError(
            f'{folder}: expected the fall of every clip, such as {missing[0].stem.rstrip()}_1 .png beside '
            f'{missing[0].name}, found none for {len(missing)} of {len(rises)} clips; add them, or give --steps rise'
        )
    return [[*clip] for clip in zip(rises, falls, strict=True)]


def common_size(paths: Sequence[Path]) -> list[int]:
    """Return height and width of all pictures."""
    sizes = {path: list(read_picture(path, colour=True).shape[:2]) for path in paths}
    first = sizes[paths[0]]
    for path, size in sizes.items():
        if size != first:
            raise InputError(
                f'{path}: expected {first[1]}x{first[0]} pixels as in {paths[0].name}, found {size[1]}x{size[0]}; '
                'all flow pictures need one size'
            )
    return first


def flow_pictures(paths: Sequence[Path], apex: int | None) -> tuple[np.ndarray, int | None, str]:
    """Return the pictures of a clip as `UNITS` says, (3, T, H, W) float16, the apex as given, and no remark.

    A mirrored clip needs the opposite u: 255 - x. That holds for a scale that is even about 127.5, and as well where
    each picture runs from its least to its largest value: then -u does so with its ends exchanged.
    """
    levels = np.stack([read_picture(path, colour=True) for path in paths]).transpose(3, 0, 1, 2).astype(np.float32)
    clip = levels / 255
    clip[:2] = (2 * levels[:2] - 255) / 255
    return clip.astype(np.float16), apex, ''
