"""A contact sheet of the aligned faces, to check them by eye."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_bench.errors import InputError
from mer_bench.files import write_atomically
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.detection import align
from mer_bench.preparation.frames import read_frame
from mer_bench.preparation.settings import FaceSettings

TILE = 112  # pixels
CAPTION = 14
PER_ROW = 10
GREY = 128


def check_preview(path: Path) -> None:
    """Refuse a file that could not be written, before the work starts."""
    if path.suffix.lower() != '.png':
        raise InputError(f'preview {path}: expected a file name that ends in .png; rename it')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputError(f'preview {path}: cannot write there ({error.strerror}); give another place') from error
    if path.is_dir():
        raise InputError(f'preview {path}: expected the name of a file, it is a folder; give another')


def preview_faces(
    path: Path,
    sample_ids: Sequence[str],
    sources: Sequence[ClipSource],
    settings: FaceSettings,
    limit: int = 100,
) -> None:
    """Write the onset frames of up to `limit` clips as a PNG, aligned; a clip without a face is a grey tile.

    Args:
        path: the PNG to write.
        sample_ids: names of the clips.
        sources: frames of each clip, and its face, None where none was found.
        settings: how faces are cut out; with the detector `none` the frames are shown as they are, drawn square.
        limit: clips shown, taken evenly from all, those without a face before any other.
    """
    shown = np.array([settings.detector == 'none' or source.face is not None for source in sources])
    lost = np.flatnonzero(~shown)[:limit]
    chosen = sorted([*lost, *evenly(np.flatnonzero(shown), limit - len(lost))])
    write_contact_sheet(path, {sample_ids[i]: tile(sources[i], settings) for i in chosen})
    print(f'preview: {path}')


def evenly(items: np.ndarray, limit: int) -> np.ndarray:
    """Return at most `limit` of the items, evenly spread."""
    return items[np.unique(np.linspace(0, len(items) - 1, min(limit, len(items))).round().astype(int))]


def tile(source: ClipSource, settings: FaceSettings) -> np.ndarray:
    """Return one onset frame as the flow sees it, (TILE, TILE) uint8."""
    if source.face is None and settings.detector != 'none':
        return caption(np.full((TILE, TILE), GREY, np.uint8), 'no face', TILE // 2)
    frame = read_frame(source.paths[source.onset])
    crop = align(frame, source.face, settings.size) if source.face else frame
    return cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_AREA)


def write_contact_sheet(path: Path, tiles: dict[str, np.ndarray]) -> None:
    """Write named tiles, each (TILE, TILE) uint8, in rows of `PER_ROW` as a PNG."""
    cells = []
    for name, picture in tiles.items():
        label = caption(np.full((CAPTION, TILE), 255, np.uint8), name, CAPTION - 4)
        cells.append(np.vstack([picture, label]))
    cells += [np.full((TILE + CAPTION, TILE), 255, np.uint8)] * (-len(cells) % min(PER_ROW, max(1, len(cells))))
    rows = [np.hstack(cells[start : start + PER_ROW]) for start in range(0, len(cells), PER_ROW)]
    with write_atomically(path) as temporary:
        temporary.write_bytes(cv2.imencode('.png', np.vstack(rows))[1].tobytes())


def caption(tile: np.ndarray, text: str, bottom: int) -> np.ndarray:
    """Write text into the tile, made narrow enough to fit."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)
    scale = min(0.4, (TILE - 4) / width)
    return cv2.putText(tile, text, (2, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1, cv2.LINE_AA)
