"""Rows as a data set's sheet has them -> the checked annotation table, with a note for every change."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.clip_row import FRAME_NUMBER, NOTE, ClipRow, note, row_text
from mer_bench.datasets.dataset import TEXT, DataSet, Rows, read_corrections
from mer_bench.datasets.frame_names import ACCEPTED, FrameName, files_found, frames_of
from mer_bench.datasets.places import Places, is_synthetic
from mer_bench.datasets.sheet import Sheet, each, read_file
from mer_bench.datasets.spellings import canonical_emotion, canonical_objective_class, no_unit
from mer_bench.datasets.table import COLUMNS, FRAME_NUMBERS, annotation_table
from mer_bench.errors import InputError

MOST = 0.75  # of the folders of a tree of cut-out clips hold nothing but their clip


@dataclass(frozen=True)
class Reading:
    """The annotation table of a data set, and what happened on the way.

    Attributes:
        table: one row per usable clip.
        lost: one row per clip that is left out, as the sheet has it.
        notes: one row per correction, missing frame and clip left out, with the columns :data:`NOTE`.
        rows: what the reader found, before corrections.
        frames: {sample_id: {frame number: picture}} from onset to offset; empty if frames were not looked at.
    """

    table: pd.DataFrame
    lost: pd.DataFrame
    notes: pd.DataFrame
    rows: Rows
    frames: dict[str, dict[int, Path]] = field(default_factory=dict)


def read_dataset(dataset: DataSet, places: Places, with_frames: bool = True) -> Reading:
    """Read the annotation table of a data set.

    Args:
        dataset: one of :data:`mer_bench.datasets.catalogue.DATASETS`.
        places: what the user gave.
        with_frames: look for the frames of every clip; otherwise the numbers of the sheet are used as they are.
    """
    refuse_missing_folders(dataset, places)
    frames_of.cache_clear()  # a folder or a sheet may have changed since an earlier reading
    read_file.cache_clear()
    rows = dataset.rows(replace(places, with_frames=with_frames))
    read_file.cache_clear()  # a long sheet fills memory
    refuse_other_dataset(dataset, rows)
    dataset = replace(dataset, frame_name=FrameName(dataset.frame_name, places.frame_number))
    if with_frames and rows.frames is None:
        start = places.frames or places.raw
        raise InputError(
            f'{start or place(rows)}: expected {dataset.layout}, where frames are {ACCEPTED}, found '
            f'{files_found(start)}; name the folder with --raw or --frames, rename what is there, or read the sheet '
            'alone with --annotations-only'
        )
    notes = [remark for sheet in rows.sheets for remark in sheet.notes]
    cells, frames = settle_clips(dataset, rows, notes, with_frames)
    synthetic = is_synthetic(rows.frames, places.raw, places.frames, *(sheet.path for sheet in rows.sheets))
    table = annotation_rows(cells, rows.dataset or dataset.name, dataset.fps, synthetic)
    usable = cells['usable'].to_numpy(dtype=bool)
    notes = pd.DataFrame(notes, columns=NOTE)
    if not usable.any():
        reasons = notes.loc[notes['kind'].isin(['left out', 'wrong numbers']), 'detail']
        first = f' (the first: {reasons.iloc[0]})' if len(reasons) else ''
        raise InputError(f'{place(rows)}: none of {len(table)} clips can be used{first}; check --raw and --frames')
    frames = {table.at[row, 'sample_id']: paths for row, paths in frames.items()}
    lost = table[~usable].reset_index(drop=True)
    return Reading(annotation_table(table[usable]), lost, notes, rows, frames)


def settle_clips(
    dataset: DataSet, rows: Rows, notes: list[dict], with_frames: bool
) -> tuple[pd.DataFrame, dict[int, dict[int, Path]]]:
    """Correct the rows, check their frame numbers, and find the frames; what happens to a clip is appended to `notes`.

    Returns:
        cells: one row per clip, without repeated rows; onset, apex and offset are numbers, `usable` is whether the
            clip can be used.
        frames: {row: {frame number: picture}} of the usable clips; without frames, those of the sheet are taken.
    """
    cells = rows.cells.reindex(columns=[*TEXT, 'sheet'], fill_value='').reset_index(drop=True)
    cells, corrected = apply_corrections(cells, read_corrections(dataset.name))
    notes.extend(corrected)
    names, columns = list(cells), [cells[name].tolist() for name in cells]  # to_dict takes many times as long
    clips = [ClipRow(dict(zip(names, row, strict=True)), notes) for row in zip(*columns, strict=True)]
    for clip in clips:
        if dataset.ends_at_apex(clip):
            clip.end_at_apex()
        clip.check_span()
    codes = each(cells['action_units'], codes_in)
    for row in cells.assign(codes=codes)[codes != ''].itertuples():
        detail = f'{row.codes}: left off'
        notes.append(note('no action unit', detail, row.subject, row.clip))
    kept = without_repeats(clips, rows)
    spans = find_spans(dataset, rows.frames, kept) if with_frames else {}
    numbers = {name: pd.array([getattr(clip, name) for clip in kept], dtype='Int64') for name in FRAME_NUMBERS}
    cells = pd.DataFrame([clip.cells for clip in kept]).assign(**numbers, usable=[clip.usable for clip in kept])
    return cells, {row: spans[clip.name] for row, clip in enumerate(kept) if clip.name in spans}


def codes_in(units: str) -> str:
    """Return what is listed among the action units of a cell but is no unit."""
    return ' and '.join(part.strip() for part in units.split('+') if no_unit(part))


def frame_numbers(texts: pd.Series) -> pd.Series:
    """Return frame numbers, Int64; unknown where a cell holds something else."""
    return pd.to_numeric(texts.where(texts.str.fullmatch(FRAME_NUMBER.pattern)), errors='coerce').astype('Int64')


def annotation_rows(cells: pd.DataFrame, dataset: str, fps: float, synthetic: bool) -> pd.DataFrame:
    """Return the cells under the names, and in the spelling, of the annotation table."""
    subject = f'{dataset}/' + cells['subject']
    own_fps = pd.to_numeric(cells['fps'], errors='coerce')
    return pd.DataFrame(
        {
            'sample_id': subject + '/' + cells['clip'],
            'dataset': dataset,
            'subject': subject,
            'clip': cells['clip'],
            **{name: cells[name] for name in FRAME_NUMBERS},
            'fps': own_fps.where(own_fps < float('inf'), fps),
            'frames_dir': cells['frames_dir'],
            'emotion': each(cells['emotion'], canonical_emotion),
            'objective_class': each(cells['objective_class'], canonical_objective_class),
            'action_units': cells['action_units'],
            'synthetic': synthetic | (cells['synthetic'].str.lower() == 'true'),
        },
        columns=COLUMNS,
    )


def find_spans(dataset: DataSet, root: Path, clips: list[ClipRow]) -> dict[tuple[str, str], dict[int, Path]]:
    """Return the frames from onset to offset by the name of each usable clip; one without frames is left out.

    In a tree of cut-out clips, where the folders hold nothing but their clip, the sheet is wrong about a clip whose
    folder begins and ends elsewhere (CASME II has two in `Cropped`): the folder is used, unless several clips share it.
    """
    spans, beside, cut_out = {}, [], []
    clips = [clip for clip in clips if clip.usable]
    in_folder = Counter(clip.cells['frames_dir'] for clip in clips)
    for clip in clips:
        frames = clip.folder_frames(root, dataset.frame_name)
        if clip.is_beside(frames):
            beside.append((clip, frames))
        elif clip.usable:
            cut_out.append(clip.holds(frames))
            spans[clip.name] = clip.cut(frames)
    for clip, frames in beside:
        if in_folder[clip.cells['frames_dir']] == 1 and sum(cut_out) >= MOST * len(cut_out) > 0:
            clip.take_folder(frames)
        spans[clip.name] = clip.cut(frames)
    return spans


def refuse_missing_folders(dataset: DataSet, places: Places) -> None:
    """Refuse a folder that is not there; the message names the owner of the data set."""
    for folder in (places.raw, places.frames):
        if folder is not None and not folder.is_dir():
            raise InputError(
                f'{folder}: no such folder; give the folder with {dataset.layout} ({dataset.title} is available on '
                f'request from {dataset.owner})'
            )


def refuse_other_dataset(dataset: DataSet, rows: Rows) -> None:
    """Refuse a sheet with a row like those of another data set, or one where most rows do not look like its own clips.

    The sheets of some data sets have the same columns, but name their clips differently.
    """
    for source, cells in given_rows(rows) if dataset.clip_name else ():
        strange = cells.loc[~fits(cells['clip'], dataset), 'clip']
        foreign = {name: fits(strange, other) for name, other in DATASETS.items() if other.clip_name}
        foreign = pd.DataFrame(foreign, index=strange.index)
        known = foreign[foreign.any(axis=1)]
        if known.empty and 2 * len(strange) <= len(cells):
            continue
        first = strange.index[0] if known.empty else known.index[0]
        alike = [DATASETS[name] for name in foreign.columns[foreign.loc[first]]]
        looks = f', which looks like one of {" or ".join(other.title for other in alike)}' if alike else ''
        remedy = f'prepare {" or ".join(other.name for other in alike)}, or ' if alike else ''
        raise InputError(
            f'{source}: expected the clips of {dataset.title} ({dataset.layout}), found the row '
            f'{row_text(cells.loc[first].to_dict())!r}{looks}; {remedy}give the sheet of {dataset.title} with --sheet'
        )


def fits(names: pd.Series, dataset: DataSet) -> pd.Series:
    """Return for each name whether it looks like that of a clip in the sheet of the data set."""
    return names.str.fullmatch(dataset.clip_name.pattern, case=False)


def given_rows(rows: Rows) -> list[tuple[Sheet, pd.DataFrame]]:
    """Return (sheet, its rows that name a clip); without a header, the rows are those of the reader."""
    named = [(sheet, sheet.cells) for sheet in rows.sheets if 'clip' in sheet.cells] or [(rows.sheets[0], rows.cells)]
    return [(sheet, cells[cells['subject'].str.contains(r'\d') & (cells['clip'] != '')]) for sheet, cells in named]


def place(rows: Rows) -> Path | None:
    """Return where the rows came from, for messages."""
    return rows.sheets[0].path if rows.sheets else rows.frames


def without_repeats(clips: list[ClipRow], rows: Rows) -> list[ClipRow]:
    """Return the clips without repeated rows; rows of one usable clip that differ are refused."""
    first, kept = {}, []
    for clip in clips:
        other = first.setdefault(clip.name, clip) if clip.usable else clip
        if other is clip:
            kept.append(clip)
        elif all(clip.cells[name].lower() == other.cells[name].lower() for name in TEXT):
            clip.note('row repeated', f'{clip.cells["sheet"] or place(rows)} has this row again')
        else:
            sheets = dict.fromkeys(twin.cells['sheet'] for twin in clips if twin.name == clip.name)
            raise InputError(
                f'{" and ".join(filter(None, sheets)) or place(rows)}: {clip.cells["subject"]} {clip.cells["clip"]} '
                'occurs twice, and the rows differ; keep one of them, give each expression of a video its own '
                'name, or name the sheets to read with --sheet'
            )
    return kept


def apply_corrections(rows: pd.DataFrame, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[dict]]:
    """Correct the cells whose value is the old one.

    Args:
        rows: text cells with subject and clip, as the reader spells them; capitals do not matter.
        corrections: as :func:`read_corrections` returns it. An empty `new` makes the cell unknown.

    Returns:
        The corrected rows, and a note for each correction that was applied.
    """
    rows, notes = rows.copy(), []
    names = rows['subject'].str.lower() + '/' + rows['clip'].str.lower()
    for fix in corrections.itertuples():
        hit = (names == f'{fix.subject}/{fix.clip}'.lower()) & (rows[fix.column] == fix.old)
        if hit.any():
            rows.loc[hit, fix.column] = fix.new
            detail = f'{fix.column} {fix.old!r} -> {fix.new or "unknown"}: {fix.reason} ({fix.source})'
            notes.append(note('corrected', detail, fix.subject, fix.clip))
    return rows, notes
