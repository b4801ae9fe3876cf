"""The faces of the clips of a reading: found and kept in OUT/faces.csv; clips without one are left out.

A row of faces.csv is valid for as long as its digest is: of its own cells, of the bytes of all frames that may be
tried, and of the settings and the versions of what finds the face. Rows in work are appended to `OUT/.faces.csv`: a
stop at any point leaves what can be continued.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.reader import Reading
from mer_bench.errors import InputError
from mer_bench.files import digest_of, write_atomically
from mer_bench.preparation.check import leave_out, with_notes
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.detection import Face, find_face, finding_parameters
from mer_bench.preparation.frames import DAMAGED_REMEDY, LEVELS, nearest, read_frame
from mer_bench.preparation.pictures import digest_picture, is_deep
from mer_bench.preparation.settings import FaceSettings
from mer_bench.preparation.summary import progress_bar
from mer_bench.processes import in_parallel

FACE_COLUMNS = list(Face.__dataclass_fields__)
COLUMNS = ['sample_id', 'digest', 'frame', *FACE_COLUMNS]  # `frame` and all after it are empty where no face was found
TRIES = 5  # frames per clip, evenly from the onset to the apex


def add_faces(
    reading: Reading, sources: list[ClipSource], faces: FaceSettings, out: Path, workers: int
) -> tuple[Reading, list[ClipSource]]:
    """Find the face of every clip, one that is not found stays None; note those to look at."""
    names = reading.table['sample_id'].tolist()
    found = find_faces(out, names, sources, faces, workers)
    late, several, aligned = [], [], []
    for name, source, (face, frame) in zip(names, sources, found, strict=True):
        aligned.append(replace(source, face=face, face_settings=faces))
        if face and frame != source.onset:
            where = f'{faces.detector} finds it on frame {frame}, not on {source.onset}'
            late.append((name, 'face not on the onset', where))
        if face and face.n_faces > 1:
            several.append((name, 'several faces', f'{face.n_faces} on frame {frame}: the largest is taken'))
    return with_notes(reading, late + several), aligned


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


class FoundFace(NamedTuple):
    """The face of a clip and the frame that shows it; None and None where no frame that was tried does."""

    face: Face | None
    frame: int | None


def find_faces(
    out: Path,
    sample_ids: Sequence[str],
    sources: Sequence[ClipSource],
    settings: FaceSettings,
    workers: int = 1,
) -> list[FoundFace]:
    """Find the face of every clip, first on the onset, then on frames up to the apex, and write `out`/faces.csv.

    Args:
        out: the prepared data set's folder.
        sample_ids: names of the clips.
        sources: frames of each clip; where the apex is unknown, the offset is the last frame to look at.
        settings: the detector must not be `none`.
        workers: number of processes.
    """
    out.mkdir(parents=True, exist_ok=True)
    parameters = finding_parameters(settings)
    tasks = {}
    for sample_id, clip in zip(sample_ids, sources, strict=True):
        numbers = frames_to_try(list(clip.paths), clip.onset, clip.offset if clip.apex is None else clip.apex)
        tried = {number: clip.paths[number] for number in numbers}
        files = [[number, digest_picture(path, DAMAGED_REMEDY)] for number, path in tried.items()]
        digest = digest_of([parameters, files, *([LEVELS] if is_deep(clip.paths[clip.onset]) else [])])
        tasks[sample_id] = sample_id, digest, tried, settings
    known = read_rows(out / 'faces.csv', mend=True) | read_rows(out / '.faces.csv', mend=True)
    rows = {
        key: known[key]
        for key, task in tasks.items()
        if key in known and known[key] == with_digest(known[key], task[1])
    }
    rows |= compute_rows(out / '.faces.csv', list(tasks.values()), rows, workers)
    with write_atomically(out / 'faces.csv') as temporary:
        table = pd.DataFrame([rows[key] for key in sample_ids], columns=COLUMNS)
        table.to_csv(temporary, index=False, lineterminator='\n')
    (out / '.faces.csv').unlink(missing_ok=True)
    return [found_face(rows[key]) for key in sample_ids]


def found_face(row: dict[str, str]) -> FoundFace:
    """Return the face in a row of faces.csv."""
    return FoundFace(Face.from_row(row), int(row['frame'])) if row['frame'] else FoundFace(None, None)


def frames_to_try(numbers: Sequence[int], onset: int, apex: int) -> list[int]:
    """Return the frames to look for a face in, the onset first."""
    return list(dict.fromkeys(nearest(numbers, position) for position in np.linspace(onset, apex, TRIES)))


def compute_rows(path: Path, tasks: list[tuple], rows: dict[str, dict], workers: int) -> dict[str, dict]:
    """Compute the rows that `rows` lacks in parallel, with a progress bar, appending each to the file `path`."""
    todo = [task for task in tasks if task[0] not in rows]
    new = {}
    with in_parallel(face_row, todo, workers) as results, progress_bar() as bar:
        shown = bar.add_task('faces', total=len(tasks), completed=len(rows))
        for row in results:
            append_row(path, row)
            new[row['sample_id']] = row
            bar.advance(shown)
    return new


def face_row(sample_id: str, digest: str, paths: dict[int, Path], settings: FaceSettings) -> dict[str, str]:
    """Return a clip's row, cells as text: the face in the first of `paths` that shows one; runs in a worker."""
    cv2.setNumThreads(1)
    for number, path in paths.items():
        face = find_face(read_frame(path), settings)
        if face:
            cells = {name: str(value) for name, value in face.row().items()}
            return with_digest({'sample_id': sample_id, 'digest': '', 'frame': str(number), **cells}, digest)
    return with_digest({'sample_id': sample_id, 'digest': '', 'frame': '', **dict.fromkeys(FACE_COLUMNS, '')}, digest)


def with_digest(row: dict[str, str], digest: str) -> dict[str, str]:
    """Return a row with the digest of its cells and of what the face was found in and by, `digest`."""
    return row | {'digest': digest_of([digest, *(row[name] for name in COLUMNS if name != 'digest')])}


def append_row(path: Path, row: dict[str, str]) -> None:
    """Note a finished clip."""
    start = not path.exists() or not path.stat().st_size
    with open(path, 'a', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        if start:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path, mend: bool = False) -> dict[str, dict]:
    """Return the rows of a faces.csv by sample_id; damaged ones are dropped, and so is a half-written last line.

    Args:
        path: Of the file, which may be missing.
        mend: Whether to drop that line from the file too.
    """
    if not path.is_file():
        return {}
    text = path.read_text(encoding='utf-8', errors='replace')
    whole = text[: text.rfind('\n') + 1]
    if mend and whole != text:
        with write_atomically(path) as temporary:
            temporary.write_text(whole, encoding='utf-8')
    try:
        rows = csv.DictReader(whole.split('\n'))
        return {row['sample_id']: row for row in rows if is_whole(row)} if rows.fieldnames == COLUMNS else {}
    except csv.Error:  # a cell of more than 131,072 characters
        return {}


def is_whole(row: dict[str, str]) -> bool:
    """Return whether a row of faces.csv has what :func:`found_face` takes from it."""
    if not row['frame']:
        return all(row[name] == '' for name in FACE_COLUMNS)
    try:
        face = found_face(row).face
    except (ValueError, TypeError, KeyError, OverflowError):
        return False
    return face.is_possible
