"""The faces of the clips of a reading: found, noted where they ask for a look, and those without one left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.reader import Reading
from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.face_pass import find_faces
from mer_bench.preparation.faces.preview import preview_faces
from mer_bench.preparation.faces.settings import FaceSettings
from mer_bench.preparation.left_out import leave_out, with_notes


def add_faces(
    reading: Reading, sources: list[ClipSource], faces: FaceSettings, out: Path, workers: int
) -> tuple[Reading, list[ClipSource]]:
    """Find the face of every clip, one that is not found stays None; note those that ask for a look."""
    table = reading.table
    found = find_faces(
        out,
        list(table['sample_id']),
        [source.paths for source in sources],
        [source.onset for source in sources],
        [source.offset if source.apex is None else source.apex for source in sources],
        faces,
        workers,
    )
    late, several, aligned = [], [], []
    for name, source, (face, frame) in zip(table['sample_id'], sources, found, strict=True):
        aligned.append(replace(source, face=face, face_settings=faces))
        if face and frame != source.onset:
            where = f'{faces.detector} finds it on frame {frame}, not on {source.onset}'
            late.append((name, 'face not on the onset', where))
        if face and face.n_faces > 1:
            several.append((name, 'several faces', f'{face.n_faces} on frame {frame}: the largest is taken'))
    return with_notes(reading, late + several), aligned


def write_preview(path: Path, table: pd.DataFrame, sources: list[ClipSource], faces: FaceSettings) -> None:
    """Write a contact sheet of the onset frames."""
    onsets = [source.paths[source.onset] for source in sources]
    preview_faces(path, list(table['sample_id']), onsets, [source.face for source in sources], faces)
    print(f'preview: {path}')


def leave_out_faceless(
    reading: Reading, sources: list[ClipSource], faces: FaceSettings
) -> tuple[Reading, list[ClipSource]]:
    """Return reading and sources without the clips that lack a face; each of them gets a note."""
    if faces.detector == 'none':
        return reading, sources
    table = reading.table
    has_face = np.array([source.face is not None for source in sources])
    if not has_face.any():
        raise InputError(
            f'{reading.rows.frames}: {faces.detector} finds no face in any of {len(table)} clips; take --faces none '
            'for frames that are cropped already'
        )
    lost = table[~has_face]
    detail = f'{faces.detector} finds no face in five frames from onset to apex: left out'
    notes = pd.DataFrame({'subject': lost['subject'].str.split('/').str[1], 'clip': lost['clip']})
    notes = notes.assign(kind='no face', detail=detail)
    return leave_out(reading, has_face, notes), [source for source in sources if source.face is not None]
