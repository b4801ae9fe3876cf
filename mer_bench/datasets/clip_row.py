"""One row of a sheet on its way into the annotation table; every change and every fault leaves a note."""

import re
from pathlib import Path

from mer_bench.datasets.places import list_frames
from mer_bench.datasets.spellings import canonical_emotion, canonical_objective_class


class ClipRow:
    """The cells of one clip, its frame numbers, and whether it can be used.

    Args:
        cells: text, with the keys of :data:`mer_bench.datasets.reader.TEXT`.
        notes: where notes are appended: subject, clip, kind, detail.
    """

    def __init__(self, cells: dict[str, str], notes: list[dict]) -> None:
        self.cells, self.notes, self.usable = cells, notes, True
        self.onset, self.apex, self.offset = (self.read_number(name) for name in ('onset', 'apex', 'offset'))

    def note(self, kind: str, detail: str) -> None:
        names = {name: self.cells[name] for name in ('subject', 'clip')}
        self.notes.append({**names, 'kind': kind, 'detail': detail})

    def leave_out(self, detail: str) -> None:
        self.usable = False
        self.note('left out', detail)

    def read_number(self, name: str) -> int | None:
        """Return a frame number; None where the cell is empty or, with a note, holds something else."""
        text = self.cells[name]
        if re.fullmatch(r'\d+', text):
            return int(text)
        if text:
            self.note('unknown', f'{name} is {text!r}, not a frame number: taken as unknown')
        return None

    def check_span(self) -> None:
        """A clip needs an onset before its offset, and an apex between them or none."""
        self.end_at_apex()
        if self.onset is None or self.offset is None:
            self.leave_out('onset or offset is not known')
        elif self.offset <= self.onset:
            self.leave_out(f'offset {self.offset} is not after onset {self.onset}')
        elif self.apex is not None and not self.onset < self.apex <= self.offset:
            self.note('unknown', f'apex {self.apex} is not in {self.onset + 1}..{self.offset}: taken as unknown')
            self.apex = None

    def end_at_apex(self) -> None:
        """Take the apex for the end where the offset is not known or not after the onset."""
        offset_fits = self.offset is not None and (self.onset is None or self.offset > self.onset)
        if not offset_fits and None not in (self.onset, self.apex) and self.apex > self.onset:
            known = 'not known' if self.offset is None else f'{self.offset}, not after onset {self.onset}'
            self.note('no offset', f'offset is {known}: the clip ends at its apex {self.apex}')
            self.offset = self.apex

    def find_frames(self, root: Path, name: re.Pattern) -> dict[int, Path]:
        """Return the frames from onset to offset; where a named one is missing, the nearest takes its place."""
        folder = root / self.cells['frames_dir']
        if not self.cells['frames_dir'] or not folder.is_dir():
            self.leave_out(f'no folder {self.cells["frames_dir"] or "of this clip"}')
            return {}
        frames = list_frames(folder, name)
        span = {number: path for number, path in frames.items() if self.onset <= number <= self.offset}
        if len(span) < 2:
            there = f'{min(frames)} to {max(frames)}' if frames else 'none'
            self.leave_out(f'frames {self.onset} to {self.offset} are not in {self.cells["frames_dir"]} ({there})')
            return {}
        self.onset = self.present('onset', self.onset, list(span))
        self.offset = self.present('offset', self.offset, list(span))
        if self.apex is not None:
            self.apex = self.present('apex', self.apex, list(span)[1:])
        return span

    def present(self, name: str, number: int, numbers: list[int]) -> int:
        """Return `number`, or the nearest of `numbers` with a note."""
        if number in numbers:
            return number
        near = min(numbers, key=lambda other: (abs(other - number), other))
        self.note(f'no {name} frame', f'frame {number} is not in {self.cells["frames_dir"]}: {near} instead')
        return near

    def row(self, dataset: str, fps: float, synthetic: bool) -> dict:
        """Return the row of the annotation table."""
        subject = f'{dataset}/{self.cells["subject"]}'
        return {
            'sample_id': f'{subject}/{self.cells["clip"]}',
            'dataset': dataset,
            'subject': subject,
            'clip': self.cells['clip'],
            'onset': self.onset,
            'apex': self.apex,
            'offset': self.offset,
            'fps': float(self.cells['fps'] or fps),
            'frames_dir': self.cells['frames_dir'],
            'emotion': canonical_emotion(self.cells['emotion']),
            'objective_class': canonical_objective_class(self.cells['objective_class']),
            'action_units': self.cells['action_units'],
            'synthetic': synthetic,
        }
