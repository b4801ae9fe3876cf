"""Raw trees of procedural faces, in the layout of a data set, with the true flow beside them.

`write_synthetic_tree(out, 'samm')` writes frames, annotation sheet and the stray files of a real folder, so
that a reader runs completely. The faces and their movement come from :mod:`mer_bench.datasets.synthetic.clip`,
places and names those of :mod:`mer_bench.datasets.synthetic.layouts`.

Beside the data set's own files: `synthetic.json` marks the tree, `true_flow/clips.csv` describes each clip
and `true_flow/<name>.npy` is its flow from onset to apex, (2, H, W) float16 in pixels right and down.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mer_bench.datasets.synthetic.clip import plan_clip
from mer_bench.datasets.synthetic.face import Face, draw_face
from mer_bench.datasets.synthetic.files import (
    Drawing,
    Entry,
    write_clip,
    write_frames,
    write_sheets,
    write_strays,
    write_truth,
)
from mer_bench.datasets.synthetic.layouts import Layout, clip_timing, clip_words, find_layout, subject_number
from mer_bench.datasets.synthetic.units import ACTION_UNITS, unit_numbers
from mer_bench.datasets.table import MARKER
from mer_bench.errors import InputError
from mer_bench.files import read_json, write_json

REMEDY = 'remove this folder or choose another --out'
VERSION = 4  # of the files: raised when the same seed gives others


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
        if (out / MARKER).exists():
            return
    if part.exists():
        _refuse_other_content(part, parameters)
    for leftover in part.rglob('.*.tmp'):  # of a killed call
        leftover.unlink()
    write_json(part / MARKER, parameters)
    entries = []
    for drawing in _drawings(layout, variant, subjects, clips_per_subject, seed, strength):
        write_clip(part, drawing)
        entries.append(drawing.entry)
        if progress:
            progress(len(entries), subjects * clips_per_subject)
    if variant in layout.still:  # one more clip of the first subject: just head, drift and blinks
        face = draw_face(_rng(layout, seed, 0, 0))
        still = _drawing(layout, variant, (0, clips_per_subject), seed, face, ('',), 1)
        write_frames(part, still, layout.still[variant])
    write_strays(part, entries[0])
    write_sheets(part, entries)
    write_truth(part, entries)
    os.rename(part, out)


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
