"""One row of a sheet on its way into the annotation table; every change and every fault leaves a note."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

import pandas as pd

from mer_bench.datasets.frame_names import ACCEPTED, FrameName, files_found, frames_of

NO_NAME = 'of this clip'
FRAME_NUMBER = re.compile(r'\d{1,15}')  # what 64 bits hold
NEAR = 2  # frames: public loaders step back one where a named frame is missing; farther would be another moment
ENOUGH = 4  # a folder with less than a quarter of the frames that the sheet names is a remnant, not the clip


class ClipRow:
    """The cells of one clip, its frame numbers, and whether it can be used.

    Args:
        cells: text, with the keys of :data:`mer_bench.datasets.dataset.TEXT`.
        notes: where notes are appended: subject, clip, kind, detail.
    """

    def __init__(self, cells: dict[str, str], notes: list[dict]) -> None:
        self.cells, self.notes, self.usable = cells, notes, True
        self.onset, self.apex, self.offset = (self.read_number(name) for name in ('onset', 'apex', 'offset'))

    @property
    def name(self) -> tuple[str, str]:
        """Subject and clip in lower case."""
        return self.cells['subject'].lower(), self.cells['clip'].lower()

    def note(self, kind: str, detail: str) -> None:
        self.notes.append(note(kind, detail, self.cells['subject'], self.cells['clip']))

    def leave_out(self, detail: str, kind: str = 'left out') -> None:
        self.usable = False
        self.note(kind, f'{detail}: left out' if kind != 'left out' else detail)

    def read_number(self, name: str) -> int | None:
        """Return a frame number; None where the cell is empty or, with a note, holds something else."""
        text = self.cells[name]
        if not text:
            return None
        if FRAME_NUMBER.fullmatch(text):
            return int(text)
        self.note('unknown', f'{name} is {shorten(text, 40)!r}, not a frame number: taken as unknown')
        return None

    def check_span(self) -> None:
        """Leave out a clip without an onset before its offset; forget an apex that is not between them."""
        if self.onset is None or self.offset is None:
            self.leave_out('onset or offset is not known', kind='wrong numbers')
        elif self.offset <= self.onset:
            self.leave_out(f'offset {self.offset} is not after onset {self.onset}', kind='wrong numbers')
        elif self.apex is not None and not self.onset < self.apex <= self.offset:
            self.note('unknown', f'apex {self.apex} is not in {self.onset + 1}..{self.offset}: taken as unknown')
            self.apex = None

    def end_at_apex(self) -> None:
        """End the clip at its apex, if that is after the onset."""
        if None not in (self.onset, self.apex) and self.apex > self.onset:
            known = 'not known' if self.offset is None else f'{self.offset}, not after onset {self.onset}'
            self.note('no offset', f'offset is {known}: the clip ends at its apex {self.apex}')
            self.offset = self.apex

    def folder_frames(self, root: Path, name: FrameName | re.Pattern | None) -> dict[int, Path]:
        """Return all frames of the clip's folder; without a folder, or without a frame in it, the clip is left out."""
        place = self.cells['frames_dir']
        folder = root / place
        if not Path(os.path.abspath(folder)).is_relative_to(os.path.abspath(root)):
            self.leave_out(f'the folder {place} is not below {root}: name a folder above it with --frames')
            return {}
        if not place or not os.path.isdir(folder):  # Path.is_dir raises where a name is too long
            is_file = place and os.path.isfile(folder)
            self.leave_out(
                f'{place} is a file, not a folder of pictures' if is_file else f'no folder {place or NO_NAME}'
            )
            return {}
        frames, remark = frames_of(folder, name)
        if not frames:
            self.leave_out(f'{place}: expected {ACCEPTED}, found {files_found(folder)}')
        if remark:
            self.note('frame names', remark)
        return frames

    def holds(self, frames: dict[int, Path]) -> bool:
        """Return whether a folder holds nothing but the clip, give or take :data:`NEAR` frames."""
        return bool(frames) and self.onset - NEAR <= min(frames) and max(frames) <= self.offset + NEAR

    def is_beside(self, frames: dict[int, Path]) -> bool:
        """Return whether a folder begins and ends later, or begins and ends earlier, than the clip in the sheet."""
        if not frames:
            return False
        first, last = min(frames) - self.onset, max(frames) - self.offset
        return min(first, last) > NEAR or max(first, last) < -NEAR

    def take_folder(self, frames: dict[int, Path]) -> None:
        """Use the first and last frame of a folder that holds this clip alone as onset and offset, if it has enough."""
        if ENOUGH * len(frames) < self.offset - self.onset + 1:
            return
        self.note(
            'span of the folder',
            f'frames {self.onset} to {self.offset} are not in {self.cells["frames_dir"]}, which has {min(frames)} to '
            f'{max(frames)}: these are taken, the apex is unknown',
        )
        self.onset, self.apex, self.offset = min(frames), None, max(frames)

    def cut(self, frames: dict[int, Path]) -> dict[int, Path]:
        """Return the frames from onset to offset; where a named one is missing, a near one takes its place."""
        span = [number for number in frames if self.onset <= number <= self.offset]
        if len(span) < 2:
            there = f'{min(frames)} to {max(frames)}'
            self.leave_out(f'frames {self.onset} to {self.offset} are not in {self.cells["frames_dir"]} ({there})')
            return {}
        wanted = self.offset - self.onset + 1
        if 2 * len(span) < wanted:
            place = self.cells['frames_dir']
            self.note('few frames', f'{len(span)} of {wanted} frames from onset to offset are in {place}')
        self.settle_frames(span)
        return {number: frames[number] for number in span}

    def settle_frames(self, span: list[int]) -> None:
        """Move onset, apex and offset to the nearest existing frames; an apex without a near one becomes unknown.

        Folders that begin or end within a clip are common: CASME II sub16/EP01_08 ends early, and CAS(ME)^3 lacks the
        first frames of its videos.
        """
        for name, numbers in (('onset', span), ('offset', span), ('apex', span[1:])):
            number = getattr(self, name)
            if number is None or number in numbers:
                continue
            near = nearest(numbers, number)
            missing = f'frame {number} is not in {self.cells["frames_dir"]}'
            if name == 'apex' and abs(near - number) > NEAR:
                self.note('no apex frame', f'{missing}, the nearest is {near}: taken as unknown')
                self.apex = None
            else:
                self.note(f'no {name} frame', f'{missing}: {near} instead')
                setattr(self, name, near)


def nearest(numbers: Sequence[int], position: float) -> int:
    """Return the frame number nearest to `position`, the smaller one of two equally near."""
    return min(numbers, key=lambda number: (abs(number - position), number))


NOTE = ['subject', 'clip', 'kind', 'detail']
NAMED = 3  # clips in a note on many


def note(kind: str, detail: str, subject: str = '', clip: str = '') -> dict[str, str]:
    """Return a note; one on a whole sheet has neither subject nor clip."""
    return {'subject': subject, 'clip': clip, 'kind': kind, 'detail': detail}


def some(clips: pd.DataFrame) -> str:
    """Return how many clips there are and the names of the first."""
    names = [f'{clip.subject} {clip.clip}' for clip in clips.head(NAMED).itertuples()]
    return f'{len(clips)} clips ({", ".join(names)}{", ..." if len(clips) > NAMED else ""})'


def row_text(cells: dict[str, str]) -> str:
    """Return the cells of a row that are not empty, shortened."""
    return shorten(' | '.join(filter(None, cells.values())), 80, placeholder=' ...')
