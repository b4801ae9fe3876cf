"""From a raw folder to a prepared data set: annotations.csv, report.csv and the store, with a summary for the user."""

from pathlib import Path

import joblib
import pandas as pd

from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import DataSet, Reading, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.clip_flow import clip_flow, units
from mer_bench.preparation.clip_frames import REMARK_MARK, STABILISED, ClipSource
from mer_bench.preparation.faces.clip_faces import add_faces, leave_out_faceless, write_preview
from mer_bench.preparation.faces.preview import check_preview
from mer_bench.preparation.faces.settings import FaceSettings
from mer_bench.preparation.left_out import leave_out_damaged, with_notes
from mer_bench.preparation.optical_flow import tvl1
from mer_bench.preparation.raft import raft_device
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.annotations_file import write_table_alone
from mer_bench.preparation.store.build import locked
from mer_bench.preparation.store.fill import fill_store
from mer_bench.preparation.store.parameters import store_parameters
from mer_bench.preparation.summary import print_notes, print_reading, print_summary, write_report

SPOTTING_HINT = (
    'hint: the regions where an apex is spotted are shares of a cropped face; other frames need --faces dlib'
)


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
        workers: processes; None takes all cores, or one where a GPU computes the flow.
        preview: a PNG to write with the onset frame of every clip as the flow sees it.
        skip_damaged: read every picture first, and leave out clips of which one cannot be read.
    """
    if settings.flow == 'tvl1':
        tvl1()  # where TV-L1 is missing, say so before the work starts
    if preview is not None:
        check_preview(preview)
    out, workers = Path(out), workers or default_workers(settings)
    reading = read_dataset(dataset, places)
    print_reading(dataset, reading)
    if skip_damaged:
        reading = leave_out_damaged(reading)
    sources = clip_sources(reading)
    with locked(out):
        if faces.detector != 'none':
            reading, sources = add_faces(reading, sources, faces, out, workers)
        if preview is not None:
            write_preview(preview, reading.table, sources, faces)
        reading, sources = leave_out_faceless(reading, sources, faces)
        table = reading.table
        parameters = store_parameters(table, sources, settings, faces)
        if 'spotted' in parameters['apex'] and faces.detector == 'none':
            print(SPOTTING_HINT)
        arguments = [(source, settings) for source in sources]
        remarks = fill_store(out, table, parameters, clip_flow, arguments, units=units(settings), workers=workers)
        parts = [(name, *part.split(': ', 1)) for name, text in remarks.items() for part in text.split(REMARK_MARK)]
        notes = with_notes(reading, parts).notes
        write_report(notes, out)
        if faces.detector == 'none':
            (out / 'faces.csv').unlink(missing_ok=True)  # of an earlier run
    print_notes(notes[notes['kind'] != STABILISED], out)
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
        write_table_alone(out, reading.table)
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


def default_workers(settings: FlowSettings) -> int:
    """Return the number of processes: all cores, but one where a GPU computes the flow."""
    return 1 if settings.flow == 'raft' and raft_device() == 'cuda' else joblib.cpu_count()
