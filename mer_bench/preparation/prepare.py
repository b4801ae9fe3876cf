"""From a raw folder to a prepared data set: annotations.csv, report.csv and the store, with a summary for the user."""

from collections.abc import Sequence
from pathlib import Path

import joblib
import pandas as pd

from mer_bench.datasets.catalogue import find_dataset
from mer_bench.datasets.dataset import DataSet
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import Reading, read_dataset
from mer_bench.errors import InputError
from mer_bench.preparation.check import leave_out_damaged, with_notes
from mer_bench.preparation.clip_frames import REMARK_MARK, STABILISED, ClipSource
from mer_bench.preparation.faces.clip_faces import add_faces, leave_out_faceless
from mer_bench.preparation.faces.preview import check_preview, preview_faces
from mer_bench.preparation.flow.clip_flow import clip_flow, store_parameters, units
from mer_bench.preparation.flow.optical_flow import make_tvl1
from mer_bench.preparation.flow.raft import raft_device
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.build import locked
from mer_bench.preparation.store.fill import fill_store, write_table_alone
from mer_bench.preparation.summary import print_notes, print_reading, print_summary, write_report

SPOTTING_HINT = (
    'hint: the regions where an apex is spotted are shares of a cropped face; other frames need --faces dlib'
)


def prepare(
    dataset: str,
    raw: str | Path | None = None,
    out: str | Path | None = None,
    *,
    sheets: str | Path | Sequence[str | Path] = (),
    frames: str | Path | None = None,
    frame_number: str = '',
    columns: Sequence[str] = (),
    classes: Sequence[str] = (),
    annotations_only: bool = False,
    skip_damaged: bool = False,
    faces: str = 'none',
    face_size: int = 224,
    stabilise: bool = False,
    preview: str | Path | None = None,
    workers: int | None = None,
    **flow: object,
) -> Path:
    """Prepare a data set: what `tools/prepare.py DATASET` does.

    Args:
        dataset: a name of :data:`mer_bench.datasets.catalogue.DATASETS`, such as 'smic'.
        raw: the folder that the owner ships, looked through for sheets and frames.
        out: the folder to write, data/<dataset> if not given.
        sheets: the annotation sheets by name, one or several.
        frames: the folder of the frames by name.
        frame_number: which number in the names of the frames counts: 'first', 'last', or its place from 1.
        columns: names of the columns of a table without a header, for the data set 'csv'.
        classes: emotions that 0, 1, ... mean, for the data set 'csv'.
        annotations_only: write the table and the report alone, without reading a frame.
        skip_damaged: read every picture first, and leave out clips with an unreadable one.
        faces: 'none' or 'dlib'.
        face_size: height and width of an aligned face in pixels.
        stabilise: remove the head's own motion.
        preview: a PNG to write with the onset frame of every clip as the flow sees it.
        workers: processes; None takes all cores, or one where a GPU computes the flow.
        **flow: the fields of :class:`mer_bench.preparation.settings.FlowSettings`, such as flow='dis', clip_len=16.

    Returns:
        The prepared folder, which training takes as data root.

    Raises:
        InputError: files that are missing or do not fit, or an invalid option.
    """
    found = find_dataset(dataset, columns, classes)
    sheets = (sheets,) if isinstance(sheets, str | Path) else sheets
    places = Places(raw and Path(raw), tuple(map(Path, sheets)), frames and Path(frames), frame_number=frame_number)
    settings, face_settings = FlowSettings(**flow), FaceSettings(faces, face_size, stabilise)
    out = Path(out or f'data/{dataset}')
    if workers is not None and workers < 1:
        raise InputError(f'workers must be at least 1, got {workers}; leave --workers out for all cores')
    if not annotations_only:
        prepare_dataset(found, places, out, settings, face_settings, workers, preview and Path(preview), skip_damaged)
    elif faces != 'none' or preview:
        raise InputError('--annotations-only reads no frame; leave out --faces and --preview, or --annotations-only')
    else:
        write_table(found, places, out)
    return out


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
        settings: how clips become arrays.
        faces: how faces are cut out.
        out, workers, preview, skip_damaged: as :func:`prepare` takes them.
    """
    if settings.flow == 'tvl1':
        make_tvl1()  # fails here, before the work starts, if TV-L1 is missing
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
            preview_faces(preview, reading.table['sample_id'].tolist(), sources, faces)
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
