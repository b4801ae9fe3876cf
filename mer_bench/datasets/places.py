"""Where the files of a data set are: its sheets and the folder of its frames, named or found by pattern."""

import os
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from mer_bench.datasets.clip_row import note
from mer_bench.datasets.frame_names import OWN, RENAMED, frames_in
from mer_bench.datasets.sheet import SUFFIXES, Sheet, SheetForm, number_in, read_parts, read_sheet
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError

# A subject's folder as people rename it: 01, s01, sub_01, sub 01
SUBJECT = re.compile(r'(?:s|subj?|subject)?[ ._-]*0*(\d{1,4})', re.IGNORECASE)
DEPTH = 4  # levels below --raw that are looked through for frames
SHEET_DEPTH = 3  # and for sheets

Clips = Callable[[Path], Iterable[tuple[Hashable, Path]]]


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


def find_sheet(places: Places, form: SheetForm, elsewhere: Collection[Path] = ()) -> Sheet:
    """Return the one sheet of :func:`fitting_sheets`."""
    fitting = fitting_sheets(places, form, elsewhere)
    if len(fitting) == 1:
        return fitting[0]
    where = f'{places.raw}: ' if places.raw and not places.sheets else ''
    found = ' and '.join(str(sheet.path) for sheet in fitting)
    raise InputError(
        f'{where}expected one annotation sheet such as {form.example}, found {found}; name one with --sheet'
    )


def fitting_sheets(
    places: Places, form: SheetForm, elsewhere: Collection[Path] = (), parts: bool = False
) -> list[Sheet]:
    """Return the sheets of this form, one or more; files below `raw` without its columns leave a note.

    Args:
        places: its sheets, each of which must fit, or else `raw`, are looked through.
        form: of the sheets.
        elsewhere: files that are read for something else and need not fit.
        parts: whether sheets of one workbook that share no clip are parts of the data set.
    """
    fitting, faults = [], {}
    for path in find_sheets(places, form.file):
        try:
            fitting += read_parts(path, form) if parts else [read_sheet(path, form)]
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
        wanted = ', '.join(spellings[0] for name, spellings in form.columns.items() if name not in form.optional)
        found += f', none of them with the columns {wanted}'
    raise InputError(f'{where}expected an annotation sheet such as {form.example}, found {found}; name it with --sheet')


def find_frames(
    places: Places, clips: Clips, frame: re.Pattern, subject: re.Pattern | None = None, parts: bool = False
) -> tuple[Path | None, dict[Hashable, str]]:
    """Return the folder of the frames, and {key of a clip: its folder relative to that}; a clip in two is refused.

    Args:
        places: `frames`, or else `raw`, is looked through, if frames are wanted. Without frames: None and no clips.
        clips: yields (key, folder) of each clip that a folder holds; none where it holds something else.
        frame: matches the owner's names of frames.
        subject: matches the names of subjects' folders; two of one subject are refused.
        parts: whether several such folders are parts of the data set, below the one that is returned.
    """
    start = places.frames or places.raw
    if start is None or not places.with_frames:
        return None, {}
    trees = find_trees(start, lambda folder: frames_in((path for _, path in clips(folder)), frame))
    root = Path(os.path.commonpath(trees)) if parts and trees else only_tree(trees, start)
    found = {}
    for tree in trees:
        if subject:
            subject_folders(tree, subject)
        for key, path in clips(tree):
            if key in found:
                raise InputError(
                    f'{root / found[key]} and {path}: expected one folder for a clip, found two; remove or rename one, '
                    'or name a folder with --frames'
                )
            found[key] = path.relative_to(root).as_posix()
    return root, found


def only_tree(trees: Sequence[Path], start: Path) -> Path | None:
    """Return the one folder of frames, None where there is none; several are refused."""
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


def walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those below it, down to `depth` levels, without those that a system leaves."""
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
    """Return whether an entry is a folder; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def match_subject(folder: Path, subject: re.Pattern) -> re.Match | None:
    """Match a subject's folder, named as its owner or as users name it; group 1 is the number."""
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


def find_clips(
    places: Places, subject: re.Pattern, frame: re.Pattern, spell: Callable[[str], str] = str.lower, parts: bool = False
) -> tuple[Path | None, dict[Hashable, str]]:
    """Return what :func:`find_frames` does, of a tree <subject>/<clip>/<frame> with keys (subject's number, clip)."""
    return find_frames(places, partial(clips_of_subjects, subject=subject, spell=spell), frame, subject, parts)


def clips_of_subjects(
    folder: Path, subject: re.Pattern, spell: Callable[[str], str]
) -> Iterator[tuple[tuple[int, str], Path]]:
    """Yield ((subject's number, clip), folder) of each <subject>/<clip> in `folder`.

    Args:
        folder: looked into.
        subject: matches the owner's names of subjects' folders; group 1 is the number.
        spell: makes the names of clips comparable.
    """
    for path in visible_folders(folder):
        if match := match_subject(path, subject):
            yield from (((int(match[1]), spell(clip.name)), clip) for clip in visible_folders(path))


def clip_dirs(
    cells: pd.DataFrame, folders: Mapping[Hashable, str], spell: Callable[[str], str] = str.lower
) -> list[str]:
    """Return each row's folder of those that :func:`find_clips` found, or the one where its clip is expected."""
    names = zip(cells['subject'], cells['clip'], strict=True)
    return [folders.get((number_in(person), spell(clip)), f'{person}/{clip}') for person, clip in names]


def is_synthetic(*paths: Path | None) -> bool:
    """Return whether one of these is in a generated tree, by its name or behind a link."""
    places = [place for path in paths if path for place in (path.absolute(), path.resolve())]
    return any((folder / MARKER).exists() for place in places for folder in [place, *place.parents[:4]])
