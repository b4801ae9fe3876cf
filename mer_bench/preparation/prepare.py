"""From a raw folder to a prepared data set: annotations.csv, report.csv and the store, with a summary for the user."""

from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import DataSet, Reading, read_dataset
from mer_bench.datasets.table import write_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.preparation.check import damaged_clips
from mer_bench.preparation.clip_flow import ClipSource, clip_flow, units
from mer_bench.preparation.face_pass import find_faces
from mer_bench.preparation.face_settings import FaceSettings
from mer_bench.preparation.faces import face_parameters
from mer_bench.preparation.frames import SAMPLING
from mer_bench.preparation.optical_flow import flow_parameters, tvl1
from mer_bench.preparation.preview import preview_faces
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store_build import locked
from mer_bench.preparation.store_fill import fill_store, track
from mer_bench.preparation.summary import print_notes, print_reading, print_summary, write_report


def prepare_dataset(
    dataset: DataSet,
    places: Places,
    out: str | Path,
    settings: FlowSettings,
    faces: FaceSettings,
    workers: int | None = None,
    preview: Path | None = None,
    skip_damaged: bool = False,
) -> None:
    """Read a data set, find the faces, compute the flow of every clip, fill `out`.

    Args:
        dataset: one of :data:`mer_bench.datasets.catalogue.DATASETS`.
        places: where its sheets and frames are.
        out: the prepared data set's folder.
        settings: how clips become arrays.
        faces: how faces are cut out.
        workers: processes; None takes all cores.
        preview: a PNG to write with the onset frame of every clip as the flow sees it.
        skip_damaged: read every picture first, and leave out clips of which one cannot be read.
    """
    if settings.flow == 'tvl1':
        tvl1()  # where TV-L1 is missing, say so before the work starts
    out, workers = Path(out), workers or joblib.cpu_count()
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    if skip_damaged:
        reading = leave_out_damaged(reading)
    sources = clip_sources(reading)
    with locked(out):
        if faces.detector != 'none':
            sources = add_faces(reading.table, sources, faces, out, workers)
        if preview is not None:
            write_preview(preview, reading.table, sources, faces)
        reading, sources = leave_out_faceless(reading, sources, faces)
        table, notes = reading.table, reading.notes
        parameters = store_parameters(table, sources, settings, faces)
        arguments = [(source, settings) for source in sources]
        fill_store(out, table, parameters, clip_flow, arguments, units=units(settings), workers=workers)
        write_report(notes, out)
    print_notes(notes, out)
    print_summary(table, out, dataset.config, reading.lost)


def write_table(dataset: DataSet, places: Places, out: str | Path) -> None:
    """Write annotations.csv and report.csv without touching a frame."""
    out = Path(out)
    if (out / 'store').exists():
        raise InputError(
            f'{out}: holds a store, whose annotations.csv would be replaced; give another --out for the table alone'
        )
    reading = read_dataset(dataset, places, with_frames=False)
    print_reading(dataset, reading)
    with locked(out):
        write_annotations(reading.table, out / 'annotations.csv')
        write_report(reading.notes, out)
    print_notes(reading.notes, out)
    print_summary(reading.table, out, dataset.config, reading.lost, store=False)


def clip_sources(reading: Reading) -> list[ClipSource]:
    """Return the frames of every clip, in the order of the table."""
    return [
        ClipSource(
            paths=reading.frames[clip.sample_id],
            onset=int(clip.onset),
            apex=None if clip.apex is pd.NA else int(clip.apex),
            offset=int(clip.offset),
        )
        for clip in reading.table.itertuples()
    ]


def add_faces(
    table: pd.DataFrame, sources: list[ClipSource], faces: FaceSettings, out: Path, workers: int
) -> list[ClipSource]:
    """Find the face of every clip; one that is not found stays None."""
    found = find_faces(
        out,
        list(table['sample_id']),
        [source.paths for source in sources],
        [source.onset for source in sources],
        [source.offset if source.apex is None else source.apex for source in sources],
        faces,
        workers,
    )
    return [replace(source, face=face, face_settings=faces) for source, face in zip(sources, found, strict=True)]


def write_preview(path: Path, table: pd.DataFrame, sources: list[ClipSource], faces: FaceSettings) -> None:
    """Write a contact sheet of the onset frames."""
    onsets = [source.paths[source.onset] for source in sources]
    preview_faces(path, list(table['sample_id']), onsets, [source.face for source in sources], faces)
    print(f'preview: {path}')


def leave_out_damaged(reading: Reading) -> Reading:
    """Return the reading without the clips of which a picture cannot be read."""
    damaged = damaged_clips(reading)
    names = damaged['subject'] + '/' + damaged['clip']
    whole = ~reading.table['sample_id'].str.split('/', n=1).str[1].isin(names)
    if not whole.any():
        raise InputError(f'{reading.rows.frames}: each of {len(whole)} clips has a damaged picture; restore the frames')
    return leave_out(reading, whole.to_numpy(), damaged.assign(detail=damaged['detail'] + ': left out'))


def leave_out(reading: Reading, kept: np.ndarray, notes: pd.DataFrame) -> Reading:
    """Return the reading with some of its clips alone.

    Args:
        reading: of the data set.
        kept: for each row of the table, whether it stays, (N,) bool.
        notes: on those that do not.
    """
    lost = reading.table[~kept]
    return replace(
        reading,
        table=reading.table[kept].reset_index(drop=True),
        lost=pd.concat([reading.lost, lost], ignore_index=True) if len(reading.lost) else lost,
        notes=pd.concat([reading.notes, notes], ignore_index=True),
    )


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
    notes = pd.DataFrame({'subject': lost['subject'].str.split('/').str[1], 'clip': lost['clip']})
    notes = notes.assign(kind='no face', detail=f'{faces.detector} finds no face from onset to apex: left out')
    return leave_out(reading, has_face, notes), [source for source in sources if source.face is not None]


def store_parameters(
    table: pd.DataFrame, sources: list[ClipSource], settings: FlowSettings, faces: FaceSettings
) -> dict:
    """Return everything that decides the content of the store."""
    return {
        'dataset': ', '.join(table['dataset'].unique()),
        'flow': settings.flow,
        'flow_parameters': flow_parameters(settings),
        'reference': settings.reference,
        'channels': list(settings.channels),
        'clip_len': settings.clip_len,
        'size': [settings.size, settings.size],
        'apex': apex_rule(table, settings),
        'faces': face_parameters(faces),
        'sampling': SAMPLING,
        'files': [[digest_file(path) for path in source.paths.values()] for source in track(sources, 'reading frames')],
        'transforms': [source.face and source.face.row() for source in sources],
    }


def apex_rule(table: pd.DataFrame, settings: FlowSettings) -> dict[str, int]:
    """Return {where the apex comes from: number of clips}: annotated, middle or spotted."""
    if settings.apex != 'annotated':
        return {settings.apex: len(table)}
    known = int(table['apex'].notna().sum())
    counts = {'annotated': known, settings.missing_apex: len(table) - known}
    return {source: number for source, number in counts.items() if number}
