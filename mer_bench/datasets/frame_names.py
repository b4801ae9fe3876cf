"""Which files in a clip's folder are its frames, and which of the numbers in their names is the frame number.

A data set's own names come first. Where a folder has none of them, the pictures with a number in their names are its
frames: people rename frames. Of several numbers in each name the one that varies is the frame number.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mer_bench.errors import InputError, visible

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
VIDEOS = ('.avi', '.mp4', '.mov', '.mkv', '.wmv', '.m4v', '.mpg', '.mpeg', '.webm', '.flv')
ACCEPTED = f'pictures ({", ".join(SUFFIXES)}) with the frame number in their names'
LARGEST = 2**63 - 1  # of the frame numbers in a table
FEW = 4  # files of another form are ignored where there are this many times more frames
LOOKED_AT = 100_000  # files, for a message
OWN, RENAMED = 2, 1


class FrameName(NamedTuple):
    """How frames are named.

    Attributes:
        own: matches a frame's whole file name as the owner ships it, group 1 is its number; None for any name.
        which: of the numbers in each name: `first`, `last`, or its place counted from 1; '' for the one that varies.
    """

    own: re.Pattern | None
    which: str = ''


class Frames(NamedTuple):
    """The frames of a folder in order, {frame number: picture}, and what is doubtful about their names ('' if nothing).

    The files may be unreadable, or no files at all.
    """

    paths: dict[int, Path]
    remark: str = ''


class Picture(NamedTuple):
    """A file with the name of a picture, and the numbers in its name."""

    path: Path
    numbers: tuple[int, ...]


@lru_cache(maxsize=64)  # clips of one video come one after another
def frames_of(folder: Path, name: FrameName | re.Pattern | None) -> Frames:
    """Return the frames of a folder; other files are ignored, zero-padding does not matter.

    Args:
        folder: of one clip, or of the video that it is a part of.
        name: of its frames; a pattern is that of the owner.
    """
    name, which = name if isinstance(name, FrameName) else FrameName(name)
    pictures = sorted(picture for picture in pictures_in(folder) if picture.numbers)
    own = [picture for picture in pictures if name and own_number(picture, name) in picture.numbers]
    chosen, remarks = (own, []) if own else alike(folder, pictures)
    counts = {len(picture.numbers) for picture in chosen}
    if which:
        numbers = [number_at(picture, which) for picture in chosen]
    elif len(counts) > 1:  # several forms of the owner's
        numbers = [own_number(picture, name) for picture in chosen]
    else:
        column, doubtful = varying_column([picture.numbers for picture in chosen])
        numbers = [picture.numbers[column] for picture in chosen]
        if doubtful:
            remarks.append(
                f'several numbers vary in names such as {visible(chosen[0].path.name)}: number {column + 1} is taken, '
                f'{numbers[0]} there; --frame-number takes another'
            )
    return Frames(by_number(folder, numbers, [picture.path for picture in chosen]), '; '.join(remarks))


def pictures_in(folder: Path) -> Iterator[Picture]:
    """Yield what has the name of a picture, without hidden files such as the `._1.jpg` of a Mac."""
    for path in folder.iterdir():
        if path.name[0] != '.' and path.suffix.lower() in SUFFIXES:
            yield Picture(path, numbers_in(path.name))


def own_number(picture: Picture, name: re.Pattern) -> int | None:
    """Return the frame number in a name as the owner writes it, None for another name."""
    match = name.fullmatch(picture.path.name)
    return int(match[1]) if match else None


def numbers_in(name: str) -> tuple[int, ...]:
    """Return the numbers in a file name, without those of its ending and those that no table can hold."""
    while (suffix := os.path.splitext(name)[1]).lower() in SUFFIXES:  # img2977.jpg.jpg occurs
        name = name[: -len(suffix)]
    return tuple(number for digits in re.findall(r'\d+', name) if (number := int(digits)) <= LARGEST)


def alike(folder: Path, pictures: list[Picture]) -> tuple[list[Picture], list[str]]:
    """Return the pictures whose names hold as many numbers as most, and a remark on the others."""
    counts = Counter(len(picture.numbers) for picture in pictures)
    if len(counts) < 2:
        return pictures, []
    most = counts.most_common(1)[0][0]
    frames, others = (
        [picture for picture in pictures if (len(picture.numbers) == most) is same] for same in (True, False)
    )
    names = f'{visible(frames[0].path.name)} ({len(frames)}) and {visible(others[0].path.name)} ({len(others)})'
    if FEW * len(others) > len(frames):
        raise InputError(f'{folder}: expected one form of names for the frames, found {names}; remove what is no frame')
    return frames, [f'the pictures have names of several forms, {names}: only the former are frames']


def varying_column(names: Sequence[tuple[int, ...]]) -> tuple[int, bool]:
    """Return which number in the names is the frame number, and whether others might be.

    Of several that vary it is one that no two frames share, and of several of those the last.
    """
    if not names:
        return 0, False
    columns = list(zip(*names, strict=True))
    varying = [place for place, numbers in enumerate(columns) if len(set(numbers)) > 1]
    unique = [place for place in varying if len(set(columns[place])) == len(names)]
    return (unique or varying or range(len(columns)))[-1], len(varying) > 1


def number_at(picture: Picture, which: str) -> int:
    """Return the number at the place that the user gave."""
    place = {'first': 1, 'last': len(picture.numbers)}.get(which) or int(which)
    if not 1 <= place <= len(picture.numbers):
        name = picture.path.parent / visible(picture.path.name)
        raise InputError(
            f'{name}: expected {place} numbers in the name, found {len(picture.numbers)}; choose another --frame-number'
        )
    return picture.numbers[place - 1]


def by_number(folder: Path, numbers: Sequence[int], paths: Sequence[Path]) -> dict[int, Path]:
    """Return {frame number: picture} in order; a number that two pictures have is refused."""
    frames: dict[int, Path] = {}
    for number, path in sorted(zip(numbers, paths, strict=True)):
        if number in frames:
            raise InputError(
                f'{folder}: frame {number} is there twice ({visible(frames[number].name)}, {visible(path.name)}); keep '
                'one, or choose the frame number in the names with --frame-number'
            )
        frames[number] = path
    return frames


def frames_in(folders: Iterable[Path], name: re.Pattern) -> int:
    """Return OWN where a folder has a picture with the owner's name, else RENAMED where one has a number, else 0."""
    surest = 0
    for folder in folders:
        for picture in pictures_in(folder):
            if name.fullmatch(picture.path.name):
                return OWN
            surest = max(surest, RENAMED if picture.numbers else 0)
    return surest


def files_found(folder: Path | None) -> str:
    """Return what kinds of files there are in and below a folder, each with the path of the first, for a message."""
    places = ((place, names) for place, _, names in os.walk(folder)) if folder else ()
    files = (
        os.path.join(place, name)
        for place, names in places
        for name in sorted(names)
        if name[0] != '.' and not any(part[0] == '.' for part in Path(place).relative_to(folder).parts)
    )
    first, counts = {}, Counter()
    for path in islice(files, LOOKED_AT):
        suffix = os.path.splitext(path)[1].lower() or 'without an ending'
        first.setdefault(suffix, os.path.relpath(path, folder))
        counts[suffix] += 1
    kinds = [
        f'{number} {visible(suffix)} (such as {visible(first[suffix])})' for suffix, number in counts.most_common(3)
    ]
    video = ', and videos are not read: write their frames as pictures' if counts.keys() & {*VIDEOS} else ''
    return (', '.join(kinds) or 'no file') + video
