"""The files of a synthetic tree: frames, true flow, annotation sheets, and stray files beside them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.synthetic.clip import Clip, render, true_flow
from mer_bench.datasets.synthetic.face import Face
from mer_bench.datasets.synthetic.layouts import Layout, clip_words
from mer_bench.datasets.synthetic.sheets import SheetRow, write_sheet
from mer_bench.datasets.synthetic.units import objective_class
from mer_bench.files import write_array, write_atomically


@dataclass(frozen=True)
class Entry:
    """The names, numbers and places of one clip.

    Attributes:
        layout: of the data set.
        variant: which of its trees.
        index: of the subject, from 0.
        position: of the clip among the subject's, from 0.
        row: what is true about the clip.
        mask: the action units that follow the expression; no sheet has them.
    """

    layout: Layout
    variant: str
    index: int
    position: int
    row: SheetRow
    mask: str

    @classmethod
    def of(cls, clip: Clip, layout: Layout, variant: str, index: int, position: int) -> 'Entry':
        words = clip_words(layout, index, position)
        name = layout.clip.format(**words, onset=clip.onset)
        units = '+'.join(clip.action_units)
        frames = (clip.onset, clip.apex, clip.offset)
        row = SheetRow(words['subject'], name, *frames, words['emotion'], units, objective_class(clip.action_units))
        return cls(layout, variant, index, position, row, clip.mask)

    @cached_property
    def words(self) -> dict[str, str | int]:
        """The words for the format strings of the layout."""
        return clip_words(self.layout, self.index, self.position) | {'clip': self.row.clip}

    @property
    def flow(self) -> Path:
        return Path('true_flow') / f'{self.layout.flow.format(**self.words)}.npy'

    def frame(self, number: int, template: str | None = None) -> Path:
        """Return the path of a frame in the tree, in another place than the usual one if a template is given."""
        return Path((template or self.layout.frames[self.variant]).format(frame=number, **self.words))


@dataclass(frozen=True)
class Drawing:
    """A clip that can be rendered; `rng` is where its noise comes from."""

    entry: Entry
    face: Face
    clip: Clip
    rng: np.random.Generator


def write_clip(root: Path, drawing: Drawing) -> None:
    """Write frames and then flow, unless the flow is there: then the frames are, too."""
    path = root / drawing.entry.flow
    if not path.exists():
        write_frames(root, drawing)
        write_array(path, true_flow(drawing.clip))


def write_frames(root: Path, drawing: Drawing, template: str | None = None) -> None:
    """Write the frames where the layout or another template has them."""
    (root / drawing.entry.frame(0, template)).parent.mkdir(parents=True, exist_ok=True)
    pictures = render(drawing.face, drawing.clip, drawing.rng)
    for number, picture in enumerate(pictures, start=drawing.clip.first_frame):
        path = root / drawing.entry.frame(number, template)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())  # jpg: OpenCV's usual quality, 95


def write_strays(root: Path, entry: Entry) -> None:
    """Write the files that systems leave behind in and beside a clip's folder, and those of the layout."""
    folder = entry.frame(0).parent
    for path in (folder / 'Thumbs.db', folder.parent / '.DS_Store', *map(Path, entry.layout.strays)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def write_sheets(root: Path, entries: Sequence[Entry]) -> None:
    """Write the annotation sheets, with the faults that the layout names in place of the true cells."""
    files = defaultdict(list)
    for entry in entries:
        layout = entry.layout
        rows = [replace(entry.row, **layout.blemishes.get((entry.index, entry.position), {}))]
        if layout.macro and entry.position == 0:
            rows.append(replace(entry.row, clip=layout.macro, micro=False))
        for path, sheet in layout.sheets.items():
            files[path.format(**entry.words), sheet] += rows
    for (path, sheet), rows in files.items():
        write_sheet(sheet, rows, root / path)


def write_truth(root: Path, entries: Sequence[Entry]) -> None:
    """Write true_flow/clips.csv: what is true about each clip, and the paths of its files in the tree."""
    rows = []
    for entry in entries:
        row = asdict(entry.row) | {'mask': entry.mask}
        del row['micro']
        files = {
            'onset_file': entry.frame(row['onset']),
            'apex_file': entry.frame(row['apex']),
            'flow_file': entry.flow,
        }
        rows.append(row | {name: path.as_posix() for name, path in files.items()})
    with write_atomically(root / 'true_flow' / 'clips.csv') as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
