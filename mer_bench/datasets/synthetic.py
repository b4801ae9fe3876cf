"""Raw trees of procedural faces, laid out as the owner of a data set does it, with the true flow beside them.

`write_synthetic_tree(out, 'samm')` writes frames, annotation sheet and what else lies about in a real folder, so that
a reader goes its whole way. The faces and their movement are those of :mod:`mer_bench.datasets.synthetic_clip`,
places and names those of :mod:`mer_bench.datasets.synthetic_layouts`.

Beside the data set's own files: `synthetic.json` marks the tree, `true_flow/clips.csv` says what happens in each clip
and `true_flow/<name>.npy` is its flow from onset to apex, (2, H, W) float16 in pixels right and down.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.procedural_face import Face, draw_face
from mer_bench.datasets.synthetic_clip import Clip, plan_clip, render, true_flow
from mer_bench.datasets.synthetic_layouts import Layout, clip_timing, clip_words, find_layout, subject_number
from mer_bench.datasets.synthetic_sheets import SheetRow, write_sheet
from mer_bench.datasets.synthetic_units import ACTION_UNITS, objective_class, unit_numbers
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError
from mer_bench.files import write_atomically, write_json

VERSION = 2  # of the files: raised when the same seed gives others


def write_synthetic_tree(
    out: str | Path,
    like: str = 'smic',
    *,
    subjects: int = 6,
    clips_per_subject: int = 9,
    seed: int = 0,
    variant: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a raw tree of synthetic clips.

    The tree grows in `<out>.part`, where an interrupted call is continued, and is renamed to `out` when complete.

    Args:
        out: the folder to write; left alone if it already holds the tree of these parameters.
        like: the data set whose layout it has, a key of synthetic_layouts.LAYOUTS.
        subjects: the number of faces.
        clips_per_subject: the clips of each face, the emotions of the data set in turn.
        seed: the same seed gives the same files, byte for byte.
        variant: `cropped`, `raw` or another of the data set's trees; its usual one if not given.
        progress: called with the clips done and the clips in all.
    """
    out = Path(out).absolute()
    layout, variant = find_layout(like, variant)
    parameters = _parameters(like, subjects, clips_per_subject, seed, variant)
    if _is_complete(out, parameters):
        return
    part = out.with_name(out.name + '.part')
    _open_part(part, parameters)
    plans = []
    for plan in _plans(layout, variant, subjects, clips_per_subject, seed):
        _write_clip(part, plan)
        plans.append(plan)
        if progress:
            progress(len(plans), subjects * clips_per_subject)
    _write_still_clip(part, layout, variant, clips_per_subject, seed)
    _write_strays(part, plans[0])
    _write_sheets(part, plans)
    with write_atomically(part / 'true_flow' / 'clips.csv') as temporary:
        pd.DataFrame([_truth(plan) for plan in plans]).to_csv(temporary, index=False)
    os.rename(part, out)


def _parameters(like: str, subjects: int, clips_per_subject: int, seed: int, variant: str) -> dict:
    if subjects < 1 or clips_per_subject < 1 or seed < 0:
        raise InputError(
            'expected at least 1 subject, 1 clip per subject and a seed of 0 or more, '
            f'but got subjects={subjects}, clips_per_subject={clips_per_subject}, seed={seed}; change these numbers'
        )
    return {
        'synthetic': True,
        'like': like,
        'variant': variant,
        'version': VERSION,
        'seed': seed,
        'subjects': subjects,
        'clips_per_subject': clips_per_subject,
    }


def _is_complete(out: Path, parameters: dict) -> bool:
    """Tell whether `out` already is this tree; it must not be anything else."""
    if not out.exists():
        return False
    _refuse_other_content(out, parameters)
    return (out / MARKER).exists()


def _open_part(part: Path, parameters: dict) -> None:
    """Start the unfinished tree or clear away what a killed call left half-written in it."""
    if part.exists():
        _refuse_other_content(part, parameters)
    for leftover in part.rglob('.*.tmp'):
        leftover.unlink()
    write_json(part / MARKER, parameters)


def _refuse_other_content(folder: Path, parameters: dict) -> None:
    marker = folder / MARKER
    if not folder.is_dir():
        raise InputError(f'{folder}: expected a folder to write to, but it is a file; choose another --out')
    if not marker.exists():
        leftovers = [path for path in folder.iterdir() if not path.name.startswith(f'.{MARKER}.')]
        if leftovers:
            raise InputError(
                f'{folder}: expected an empty folder or a synthetic tree, but it holds other files such as '
                f'{leftovers[0].name!r}; choose another --out'
            )
    elif (found := json.loads(marker.read_text())) != parameters:
        differing = ', '.join(f'{key}={found.get(key)}' for key in parameters if found.get(key) != parameters[key])
        raise InputError(
            f'{folder}: expected a synthetic tree of the same parameters, but it has {differing}; '
            'remove this folder or choose another --out'
        )


@dataclass(frozen=True)
class Plan:
    """A clip, its words for names and places, and the stream that its noise is drawn from."""

    layout: Layout
    variant: str
    index: int  # of the subject
    position: int  # of the clip among the subject's
    face: Face
    clip: Clip
    rng: np.random.Generator

    @cached_property
    def words(self) -> dict[str, str | int]:
        words = clip_words(self.layout, self.index, self.position) | {'onset': self.clip.onset}
        return words | {'clip': self.layout.clip.format(**words)}

    @property
    def flow(self) -> Path:
        return Path('true_flow') / f'{self.layout.flow.format(**self.words)}.npy'

    def frame(self, number: int, template: str | None = None) -> Path:
        return Path((template or self.layout.frames[self.variant]).format(frame=number, **self.words))

    def row(self) -> SheetRow:
        """Return what is true about the clip."""
        clip, words = self.clip, self.words
        return SheetRow(
            *(words['subject'], words['clip'], clip.onset, clip.apex, clip.offset, words['emotion']),
            action_units='+'.join(clip.action_units),
            objective_class=objective_class(clip.action_units),
        )


def _plans(layout: Layout, variant: str, subjects: int, clips: int, seed: int) -> Iterator[Plan]:
    """Yield the clips of each subject in turn."""
    for index in range(subjects):
        face = draw_face(_rng(layout, seed, index, 0))
        for position in range(clips):
            emotion = clip_words(layout, index, position)['emotion']
            yield _plan(layout, variant, index, position, seed, face, ACTION_UNITS[emotion])


def _plan(
    layout: Layout, variant: str, index: int, position: int, seed: int, face: Face, combinations: tuple[str, ...]
) -> Plan:
    """Plan one clip, from a stream of its own: what was written before it cannot matter."""
    rng = _rng(layout, seed, index, position + 1)
    units = unit_numbers(text for emotion in layout.emotions for text in ACTION_UNITS[emotion])
    clip = plan_clip(rng, face, combinations, units, clip_timing(layout, variant, position))
    return Plan(layout, variant, index, position, face, clip, rng)


def _rng(layout: Layout, seed: int, index: int, clip: int) -> np.random.Generator:
    key = (*layout.people.encode(), subject_number(layout, index), clip)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _write_clip(root: Path, plan: Plan) -> None:
    """Write frames and flow, unless the flow says that both are there."""
    if not (root / plan.flow).exists():
        _write_frames(root, plan, plan.layout.frames[plan.variant])
        with write_atomically(root / plan.flow) as temporary, open(temporary, 'wb') as file:
            np.save(file, true_flow(plan.clip))


def _write_frames(root: Path, plan: Plan, template: str) -> None:
    (root / plan.frame(0, template)).parent.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(render(plan.face, plan.clip, plan.rng), start=plan.clip.first_frame):
        path = root / plan.frame(number, template)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())  # jpg: OpenCV's usual quality, 95


def _write_still_clip(root: Path, layout: Layout, variant: str, position: int, seed: int) -> None:
    """Write a clip without a movement, of the first subject; SMIC has such clips too, and readers ignore them."""
    if variant in layout.still:
        plan = _plan(layout, variant, 0, position, seed, draw_face(_rng(layout, seed, 0, 0)), ('',))
        _write_frames(root, plan, layout.still[variant])


def _write_strays(root: Path, plan: Plan) -> None:
    """Write what lies about in the owner's folders and in those of users, beside one clip and in its folder."""
    folder = plan.frame(0).parent
    for path in (folder / 'Thumbs.db', folder.parent / '.DS_Store', *map(Path, plan.layout.strays)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def _write_sheets(root: Path, plans: list[Plan]) -> None:
    """Write the annotation sheets, with the rows of the clips and the cells that real sheets have wrong."""
    files = defaultdict(list)
    for plan in plans:
        row, layout = plan.row(), plan.layout
        rows = [replace(row, **layout.blemishes.get((plan.index, plan.position), {}))]
        if layout.macro and plan.position == 0:
            rows.append(replace(row, clip=layout.macro, micro=False))
        for path, sheet in layout.sheets.items():
            files[path.format(**plan.words), sheet] += rows
    for (path, sheet), rows in files.items():
        write_sheet(sheet, rows, root / path)


def _truth(plan: Plan) -> dict:
    """Return the row of clips.csv; paths are relative to the tree."""
    row = asdict(plan.row())
    del row['micro']
    places = {'onset_file': plan.frame(row['onset']), 'apex_file': plan.frame(row['apex']), 'flow_file': plan.flow}
    return row | {name: path.as_posix() for name, path in places.items()}
