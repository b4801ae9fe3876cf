"""Raw trees of procedural faces, in the layout of a data set, with the true flow beside them.

`write_synthetic_tree(out, 'samm')` writes frames, annotation sheet and the stray files of a real folder, so
that a reader runs completely. The faces and their movement come from :mod:`mer_bench.datasets.synthetic.clip`,
places and names those of :mod:`mer_bench.datasets.synthetic.layouts`.

Beside the data set's own files: `synthetic.json` marks the tree, `true_flow/clips.csv` describes each clip
and `true_flow/<name>.npy` is its flow from onset to apex, (2, H, W) float16 in pixels right and down.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.synthetic.clip import Clip, plan_clip, render, true_flow
from mer_bench.datasets.synthetic.face import Face, draw_face
from mer_bench.datasets.synthetic.layouts import Layout, clip_timing, clip_words, find_layout, subject_number
from mer_bench.datasets.synthetic.sheets import SheetRow, write_sheet
from mer_bench.datasets.synthetic.units import ACTION_UNITS, objective_class, unit_numbers
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError
from mer_bench.files import LOCK, locked, read_json, write_array, write_atomically, write_json

REMEDY = 'remove this folder or choose another --out'
VERSION = 4  # of the files: raised when the same seed gives others


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


def write_synthetic_tree(
    out: str | Path,
    like: str = 'smic',
    *,
    subjects: int = 6,
    clips_per_subject: int = 9,
    seed: int = 0,
    strength: float = 1,
    variant: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a raw tree of synthetic clips.

    The tree grows in `<out>.part`, where an interrupted call is continued, and is renamed to `out` when complete.

    Args:
        out: the folder to write; left alone if it already holds the tree of these parameters.
        like: the data set whose layout it has, a key of :data:`mer_bench.datasets.synthetic.layouts.LAYOUTS`.
        subjects: the number of faces.
        clips_per_subject: the clips of each face, the emotions of the data set in turn.
        seed: the same seed gives the same files, byte for byte.
        strength: of the expressions, as a share of the usual one: the weaker, the harder.
        variant: `cropped`, `raw` or another of the data set's trees; its usual one if not given.
        progress: called with the clips done and the clips in all.
    """
    if subjects < 1 or clips_per_subject < 1 or seed < 0 or not 0 < strength <= 2:
        raise InputError(
            'expected at least 1 subject, 1 clip per subject, a seed of 0 or more, and a strength above 0 and up to 2, '
            f'but got subjects={subjects}, clips_per_subject={clips_per_subject}, seed={seed}, strength={strength}; '
            'change these numbers'
        )
    layout, variant = find_layout(like, variant)
    parameters = {
        'synthetic': True,
        'like': like,
        'variant': variant,
        'version': VERSION,
        'seed': seed,
        'strength': strength,
        'subjects': subjects,
        'clips_per_subject': clips_per_subject,
    }
    out = Path(out).absolute()
    part = out.with_name(out.name + '.part')
    if out.exists():
        _refuse_other_content(out, parameters)
    if part.exists():
        _refuse_other_content(part, parameters)
    if not _is_done(out):
        with locked(part, f'{out}: another command is drawing these faces; wait for it or choose another --out'):
            if _is_done(out):  # since we looked
                shutil.rmtree(part)
                return
            _fill(part, _drawings(layout, variant, subjects, clips_per_subject, seed, strength), parameters, progress)
            if variant in layout.still:  # one more clip of the first subject: just head, drift and blinks
                face = draw_face(_rng(layout, seed, 0, 0))
                still = _drawing(layout, variant, (0, clips_per_subject), seed, face, ('',), 1)
                write_frames(part, still, layout.still[variant])
            os.rename(part, out)
    (out / LOCK).unlink(missing_ok=True)


def _is_done(out: Path) -> bool:
    """Whether a tree is complete; it appears by a rename."""
    return (out / MARKER).exists()


def _fill(
    part: Path, drawings: Iterator[Drawing], parameters: dict, progress: Callable[[int, int], None] | None
) -> None:
    """Write all clips, what else lies in such a tree, and what is true about them."""
    for leftover in part.rglob('.*.tmp'):  # of a killed call
        leftover.unlink()
    write_json(part / MARKER, parameters)
    entries = []
    for drawing in drawings:
        write_clip(part, drawing)
        entries.append(drawing.entry)
        if progress:
            progress(len(entries), parameters['subjects'] * parameters['clips_per_subject'])
    write_strays(part, entries[0])
    write_sheets(part, entries)
    write_truth(part, entries)


def _refuse_other_content(folder: Path, parameters: dict) -> None:
    marker = folder / MARKER
    if not folder.is_dir():
        raise InputError(f'{folder}: expected a folder to write to, but it is a file; choose another --out')
    if not marker.exists():
        leftovers = [path for path in folder.iterdir() if not path.name.startswith((f'.{MARKER}.', LOCK))]
        if leftovers:
            raise InputError(
                f'{folder}: expected an empty folder or a synthetic tree, but it holds other files such as '
                f'{leftovers[0].name!r}; choose another --out'
            )
    elif (found := read_json(marker, REMEDY)) != parameters:
        known = found if isinstance(found, dict) else {}
        differing = ', '.join(f'{key}={known.get(key)}' for key in parameters if known.get(key) != parameters[key])
        raise InputError(f'{folder}: expected a synthetic tree of the same parameters, but got {differing}; {REMEDY}')


def _drawings(
    layout: Layout, variant: str, subjects: int, clips: int, seed: int, strength: float = 1
) -> Iterator[Drawing]:
    """Yield the clips of each subject in turn."""
    for index in range(subjects):
        face = draw_face(_rng(layout, seed, index, 0))
        for position in range(clips):
            emotion = clip_words(layout, index, position)['emotion']
            yield _drawing(layout, variant, (index, position), seed, face, ACTION_UNITS[emotion], strength)


def _drawing(
    layout: Layout,
    variant: str,
    place: tuple[int, int],
    seed: int,
    face: Face,
    combinations: tuple[str, ...],
    strength: float,
) -> Drawing:
    """Plan one clip from its own random stream, independent of what was written before."""
    index, position = place
    rng = _rng(layout, seed, index, position + 1)
    known = [text for emotion in layout.emotions for text in ACTION_UNITS[emotion]]
    masks = [text for text in known if text not in combinations]
    timing = clip_timing(layout, variant, position)
    clip = plan_clip(rng, face, combinations, masks, unit_numbers(known), timing, strength)
    return Drawing(Entry.of(clip, layout, variant, index, position), face, clip, rng)


def _rng(layout: Layout, seed: int, index: int, clip: int) -> np.random.Generator:
    key = (*layout.people.encode(), subject_number(layout, index), clip)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


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
