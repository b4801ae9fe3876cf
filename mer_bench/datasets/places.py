"""Where the files of a data set are: its sheets and the folder of its frames, named or found by pattern."""

import os
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_bench.datasets.clip_row import note
from mer_bench.datasets.frame_names import OWN, RENAMED, frames_in
from mer_bench.datasets.sheet import SUFFIXES, Columns, Sheet, number_in, read_parts, read_sheet
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError

# A subject's folder as people rename it: 01, s01, sub_01, sub 01
SUBJECT = re.compile(r'(?:s|subj?|subject)?[ ._-]*0*(\d{1,4})', re.IGNORECASE)
DEPTH = 4  # levels below --raw that are looked through for frames
SHEET_DEPTH = 3  # and for sheets


@dataclass(frozen=True)
class Places:
    """What the user gave.

    Attributes:
        raw: a folder to look through.
        sheets: the sheets by name.
        frames: the folder of the frames by name.
        with_frames: whether frames are looked for.
        frame_number: which number in a frame's name counts, see
            :class:`mer_bench.datasets.frame_names.FrameName`.
    """

    raw: Path | None = None
    sheets: tuple[Path, ...] = ()
    frames: Path | None = None
    with_frames: bool = True
    frame_number: str = ''

    def __post_init__(self) -> None:
        if not re.fullmatch('(first|last|[1-9][0-9]?)?', self.frame_number):
            raise InputError(
                f'frame-number: expected first, last or a place such as 2, found {self.frame_number!r}; correct it'
            )
        if self.raw is None and not self.sheets and self.frames is None:
            raise InputError(
                'expected --raw DIR, the folder of the data set, or its files by name with --sheet and --frames'
            )


def find_sheets(places: Places, name: str) -> list[Path]:
    """Return the given sheets, or those in or below `raw` whose file name matches the pattern `name`."""
    if places.sheets:
        return list(places.sheets)
    if places.raw is None:
        return []
    return [
        path
        for folder in walk(places.raw, SHEET_DEPTH)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and re.search(name, path.name, re.IGNORECASE) and path.name[0] not in '.~'
    ]


def find_sheet(
    places: Places,
    name: str,
    columns: Columns,
    example: str,
    optional: Sequence[str] = (),
    prefer: str = '',
    elsewhere: Collection[Path] = (),
) -> Sheet:
    """Return the one sheet of :func:`fitting_sheets`."""
    fitting = fitting_sheets(places, name, columns, example, optional, prefer, elsewhere)
    if len(fitting) == 1:
        return fitting[0]
    where = f'{places.raw}: ' if places.raw and not places.sheets else ''
    found = ' and '.join(str(sheet.path) for sheet in fitting)
    raise InputError(f'{where}expected one annotation sheet such as {example}, found {found}; name one with --sheet')


def fitting_sheets(
    places: Places,
    name: str,
    columns: Columns,
    example: str,
    optional: Sequence[str] = (),
    prefer: str = '',
    elsewhere: Collection[Path] = (),
    parts: bool = False,
) -> list[Sheet]:
    """Return the sheets that have these columns, one or more; files below `raw` without them leave a note.

    Args:
        places: its sheets, each of which must fit, or else `raw`, are looked through.
        name: pattern of the file's name, for `raw`.
        columns: as :func:`mer_bench.datasets.sheet.read_sheet` takes them; `optional` and `prefer` too.
        example: the owner's file name, for messages.
        elsewhere: files that are read for something else and need not fit.
        parts: whether sheets of one workbook that share no clip are parts of the data set.
    """
    fitting, faults = [], {}
    for path in find_sheets(places, name):
        try:
            fitting += read_parts(path, columns, optional) if parts else [read_sheet(path, columns, optional, prefer)]
        except InputError as error:
            if places.sheets and path not in elsewhere:
                raise
            faults[path] = str(error)
    if fitting:
        fitting[0].notes.extend(note('sheet not read', faults[path]) for path in faults if path not in elsewhere)
        return fitting
    if len(faults) == 1:
        raise InputError(*faults.values())
    where = f'{places.raw}: ' if places.raw and not places.sheets else ''
    found = ' and '.join(map(str, faults)) or 'none'
    if faults:
        wanted = ', '.join(spellings[0] for name, spellings in columns.items() if name not in optional)
        found += f', none of them with the columns {wanted}'
    raise InputError(f'{where}expected an annotation sheet such as {example}, found {found}; name it with --sheet')


def find_frames(places: Places, is_tree: Callable[[Path], int], expected: str) -> Path | None:
    """Return the one folder in or below the given place for which `is_tree` holds, or None.

    Args:
        places: `frames`, or else `raw`, is looked through where frames are wanted.
        is_tree: returns whether a folder holds the subjects' folders.
        expected: its layout in words, for the message.
    """
    start = places.frames or places.raw
    if start is None or not places.with_frames:
        return None
    if not start.is_dir():
        raise InputError(f'{start}: no such folder; expected {expected} in or below it')
    trees = find_trees(start, is_tree)
    if len(trees) > 1:
        raise InputError(
            f'{start}: expected one folder of frames, found {" and ".join(map(str, trees))}; name one with --frames'
        )
    return trees[0] if trees else None


def find_trees(folder: Path, is_tree: Callable[[Path], int]) -> list[Path]:
    """Return the outermost folders in or below `folder` for which `is_tree` holds.

    Args:
        folder: looked through.
        is_tree: returns OWN where frames have the owner's names, which count first; RENAMED or true where they are not
            known by their names.
    """
    return next((trees for sure in (OWN, RENAMED) if (trees := list(outermost(folder, is_tree, sure)))), [])


def outermost(folder: Path, is_tree: Callable[[Path], int], sure: int, depth: int = DEPTH) -> Iterator[Path]:
    """Yield the outermost folders in or below `folder` for which `is_tree` is as sure as that."""
    if is_tree(folder) >= sure:
        yield folder
    elif depth:
        for path in visible_folders(folder):
            yield from outermost(path, is_tree, sure, depth - 1)


def find_parts(
    places: Places, is_tree: Callable[[Path], int], clips: Callable[[Path], dict]
) -> tuple[Path | None, dict]:
    """Return the folder above all trees of a data set that comes in parts, and {clip: path relative to it}.

    Args:
        places: `frames`, or else `raw`, is looked through; None and no clips where no frames are given or wanted.
        is_tree: returns whether a folder is a part.
        clips: returns {clip: path relative to the part}; a clip in two parts is refused.
    """
    start = places.frames or places.raw
    trees = find_trees(start, is_tree) if start and places.with_frames else []
    root = Path(os.path.commonpath(trees)) if trees else None
    found = {}
    for tree in trees:
        for clip, path in clips(tree).items():
            if clip in found:
                raise InputError(f'{tree / path}: is in {root / found[clip]} too; name one folder with --frames')
            found[clip] = (tree / path).relative_to(root).as_posix()
    return root, found


def walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those below it, down to `depth` levels, without what a system leaves behind."""
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; give the folder of the data set')
    yield folder
    if depth:
        for path in visible_folders(folder):
            yield from walk(path, depth - 1)


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in `folder` by name, without hidden ones and __MACOSX."""
    with os.scandir(folder) as entries:  # asks the disk once, not once per frame
        names = [entry.name for entry in entries if is_folder(entry)]
    return [folder / name for name in sorted(names) if name[0] != '.' and name != '__MACOSX']


def is_folder(entry: os.DirEntry) -> bool:
    """Return whether an entry is a folder; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def match_subject(folder: Path, subject: re.Pattern) -> re.Match | None:
    """Return the match, with the number as group 1, of a subject's folder as its owner or as people name it."""
    return subject.fullmatch(folder.name) or SUBJECT.fullmatch(folder.name)


def subject_folders(folder: Path, subject: re.Pattern) -> dict[int, Path]:
    """Return {number: folder} of the subjects' folders in `folder`; two of one subject are refused.

    Args:
        folder: may hold others, which are ignored.
        subject: matches the owner's names; group 1 is the number, padded or not.
    """
    found = {}
    for path in visible_folders(folder):
        if match := match_subject(path, subject):
            first = found.setdefault(int(match[1]), path)
            if first is not path:
                raise InputError(
                    f'{folder}: expected one folder for subject {int(match[1])}, found {first.name} and {path.name}; '
                    'remove, rename or join them, or name another folder with --frames'
                )
    return found


def holds_clips(folder: Path, subject: re.Pattern, frame: re.Pattern) -> int:
    """Return how sure it is that `folder` holds <subject>/<clip>/<frame>, see :func:`frames_in`; one clip is enough."""
    subjects = (path for path in visible_folders(folder) if match_subject(path, subject))
    return frames_in((clip for path in subjects for clip in visible_folders(path)), frame)


def clip_folders(
    root: Path | None, subject: re.Pattern, spell: Callable[[str], str] = str.lower
) -> dict[tuple[int, str], str]:
    """Return {(subject's number, clip's name in lower case): path relative to `root`} of a tree <subject>/<clip>.

    Args:
        root: the folder of the subjects' folders; None gives no entries.
        subject: see :func:`subject_folders`.
        spell: makes clips' names comparable.
    """
    subjects = subject_folders(root, subject).items() if root else ()
    clips = (((number, spell(clip.name)), clip) for number, path in subjects for clip in visible_folders(path))
    return folders_by_key(root, clips)


def clip_dirs(
    cells: pd.DataFrame, root: Path | None, subject: re.Pattern, spell: Callable[[str], str] = str.lower
) -> list[str]:
    """Return the folder of each row's clip relative to `root`, a tree <subject>/<clip>; see :func:`clip_folders`.

    A clip that is not there gets the folder where it is expected.
    """
    folders = clip_folders(root, subject, spell)
    names = zip(cells['subject'], cells['clip'], strict=True)
    return [folders.get((number_in(person), spell(clip)), f'{person}/{clip}') for person, clip in names]


def folders_by_key(root: Path | None, folders: Iterable[tuple[Hashable, Path]]) -> dict[Hashable, str]:
    """Return {key: path relative to `root`}; two folders of one key are refused, as they would be of one clip."""
    found = {}
    for key, path in folders:
        if key in found:
            raise InputError(
                f'{root / found[key]} and {path}: expected one folder for a clip, found two; remove or rename one'
            )
        found[key] = path.relative_to(root).as_posix()
    return found


def is_synthetic(*paths: Path | None) -> bool:
    """Return whether one of these is in a generated tree, by its name or behind a link."""
    places = [place for path in paths if path for place in (path.absolute(), path.resolve())]
    return any((folder / MARKER).exists() for place in places for folder in [place, *place.parents[:4]])
