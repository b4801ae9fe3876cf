"""A video or a folder of frames -> what the flow store would hold of that clip, by the functions of preparation/."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from mer_bench.datasets.frame_names import ACCEPTED, VIDEOS, frames_of
from mer_bench.errors import InputError
from mer_bench.preparation.clip_frames import ClipFrames, ClipSource
from mer_bench.preparation.faces.clip_faces import frames_to_try
from mer_bench.preparation.faces.detection import Face, find_face
from mer_bench.preparation.faces.landmarks import load_dlib
from mer_bench.preparation.flow.clip_flow import clip_flow, frames_to_take, known_apex
from mer_bench.preparation.flow.optical_flow import flow_parameters
from mer_bench.preparation.frames import SAMPLING, read_frame
from mer_bench.preparation.settings import FaceSettings, FlowSettings
from mer_bench.preparation.store.flow_store import CHANNELS

PREPARED = dict(  # of store.json, what decides the flow of a clip, and what holds where an old one lacks it
    dataset='',
    flow='',
    flow_parameters={},
    reference='',
    channels=CHANNELS,
    clip_len=0,
    size=[],
    apex=None,
    faces=None,
    sampling='',
    opencv='',
)
MOST_FRAMES = 5000  # of a video, which are kept as pictures while its clip is computed
LARGEST_FACE = 4096  # pixels
LONG = 1.0  # seconds; a micro-expression lasts half a second at most
MACHINE = ('device', 'torch', 'torchvision', 'weights')  # of RAFT: they change no more than the last digits
QUIET = {'OPENCV_FFMPEG_CAPTURE_OPTIONS': 'protocol_whitelist;file', 'OPENCV_FFMPEG_LOGLEVEL': '-8'}


@dataclass(frozen=True)
class ClipInput:
    """What a network needs of a clip, and what a person wants to see of it.

    Attributes:
        path: The video, or the folder of frames.
        flow: (C, T, H, W) float16, as the store would hold it.
        channels: Names of the C channels.
        apex: Number of the apex frame, given or found. Frames of a video are counted from 1.
        taken: Numbers of the T frames whose motion the flow shows.
        source: The frames on disk, those of a video as pictures for as long as this object lives.
        fps: Frames a second; None if unknown.
        notes: One sentence for each thing that a reader of the prediction should know.
    """

    path: Path
    flow: np.ndarray
    channels: tuple[str, ...]
    apex: int
    taken: list[int]
    source: ClipSource
    fps: float | None = None
    notes: list[str] = field(default_factory=list)
    pictures: tempfile.TemporaryDirectory | None = field(default=None, repr=False)

    @property
    def onset(self) -> int:
        """Number of the first frame of the motion."""
        return self.source.onset

    @property
    def offset(self) -> int:
        """Number of its last frame."""
        return self.source.offset

    @property
    def faces(self) -> Face | None:
        """The face that was found, with its box in pixels of the frame; None where frames are used as they are."""
        return self.source.face

    @cached_property
    def frames(self) -> np.ndarray:
        """The frames `taken` as the flow sees them, grey and aligned, (T, H, W) uint8."""
        frames = ClipFrames(self.source, self.taken)
        return np.stack([frames[number] for number in self.taken])


def make_clip(
    path: str | Path,
    prepare: Mapping,
    onset: int | None = None,
    apex: int | None = None,
    offset: int | None = None,
    raft_weights: str | Path | None = None,
) -> ClipInput:
    """Compute the flow of a clip as it was computed for the training.

    Args:
        path: A video, or a folder of frames with their numbers in the names.
        prepare: The keys :data:`PREPARED` of the store.json of the training.
        onset: Number of the first frame of the motion; None: the first. Frames of a video are counted from 1.
        apex: Of the strongest; None: found by the rule of the training.
        offset: Of the last; None: the last.
        raft_weights: For flow by RAFT, the file of its weights.

    Raises:
        InputError: It is no such clip, shows no face, or the preparation cannot be repeated on it.
    """
    path = Path(path)
    settings, faces = flow_settings(prepare, apex, raft_weights), face_settings(prepare)
    paths, fps, pictures = frames_at(path, onset, offset)
    onset, offset = check_span(path, [*paths], onset, apex, offset)
    source = ClipSource(paths, onset, apex, offset)
    if faces.detector != 'none':
        source = replace(source, face=face_in(path, source, faces), face_settings=faces)
    flow, found, remark = clip_flow(source, settings)
    notes = notes_on(source, settings, prepare, fps, remark)
    taken = frames_to_take(source, found, settings)
    return ClipInput(path, flow, settings.channels, found, taken, source, fps, notes, pictures)


def frame_number(name: str, text: str | None) -> int | None:
    """Read the number of a frame that someone typed, None for an empty text; `12.0` of a spreadsheet is 12."""
    digits = (text or '').strip().removesuffix('.0')
    if digits and not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InputError(f'expected the number of a frame as {name}, found {text!r:.40}; correct it')
    return int(digits) if digits else None


def flow_settings(prepare: Mapping, apex: int | None, raft_weights: str | Path | None = None) -> FlowSettings:
    """Return the settings of a store, with the apex that is given, or its rule where none is.

    Raises:
        InputError: This version does not compute such flow.
    """
    flow = prepare['flow']
    if flow == 'published_pictures':
        raise InputError(
            'this model was trained on published pictures of flow, whose preparation nobody can repeat on a video; '
            'train one on frames, such as those of mer-bench prepare smic, and take that'
        )
    height, width = prepare['size']
    rules = apex_rules(prepare['apex'])
    missing = 'middle' if 'middle' in rules and 'spotted' not in rules else 'spotted'
    settings = FlowSettings(
        flow=flow,
        clip_len=prepare['clip_len'],
        size=height,
        missing_apex=missing,
        reference=prepare['reference'],
        channels=tuple(prepare['channels']),
        raft_weights=raft_weights,
    )
    expected, found = prepare['flow_parameters'], flow_parameters(flow, raft_weights)
    other = sorted(key for key in {**expected, **found} if expected.get(key) != found.get(key) and key not in MACHINE)
    if other or prepare['sampling'] != SAMPLING or height != width:
        what = f'{flow} flow with {other[0]} {expected.get(other[0])}' if other else 'frames chosen by another rule'
        raise InputError(
            f'this model was trained on {what}, which this version does not compute; take the version of mer_bench '
            'that made the model'
        )
    return settings


def apex_rules(apex: object) -> set[str]:
    """Return where the apexes of a store come from, 'annotated', 'middle' or 'spotted'; it may hold several data sets.

    Args:
        apex: Of store.json: {rule: number of clips}, or {data set: that}.
    """
    if not isinstance(apex, Mapping):
        return {str(apex)}
    return {
        rule for key, value in apex.items() for rule in (apex_rules(value) if isinstance(value, Mapping) else {key})
    }


def face_settings(prepare: Mapping) -> FaceSettings:
    """Return how faces are cut out; of several data sets the way of the one where they are found by a detector."""
    faces = prepare['faces'] or {}
    if isinstance(faces, dict) and 'detector' not in faces:
        found = [part for part in faces.values() if isinstance(part, dict) and part.get('detector', 'none') != 'none']
        faces = found[0] if found else {}
    if not isinstance(faces, dict) or faces.get('detector', 'none') == 'none':
        return FaceSettings()
    detector, size = faces['detector'], faces.get('size')
    if not (isinstance(detector, str) and type(size) is int and size <= LARGEST_FACE):
        raise InputError(
            f'expected the detector of the faces and their size, {LARGEST_FACE} pixels at most, found {detector!r:.40} '
            f'and {size!r:.40} in the settings of the model; fetch its folder again'
        )
    return FaceSettings(detector, size, bool(faces.get('stabilise')))


def frames_at(
    path: Path, onset: int | None, offset: int | None
) -> tuple[dict[int, Path], float | None, tempfile.TemporaryDirectory | None]:
    """Return the frames of a clip by their numbers, its frames a second, and the folder that lives as long as they.

    Of a video only the frames from onset to offset are decoded.
    """
    if path.is_dir():
        paths = frames_of(path, None).paths
        if not paths:
            raise InputError(f'{path}: expected {ACCEPTED}, found none; give a folder of frames, or a video')
        return paths, None, None
    if not path.is_file():
        raise InputError(f'{path}: expected a video or a folder of frames, found nothing; check the path')
    if path.suffix.lower() not in VIDEOS:
        raise InputError(f'{path}: expected a video ({", ".join(VIDEOS)}) or a folder of frames; give one of these')
    pictures = tempfile.TemporaryDirectory(prefix='mer_bench_')
    paths, fps = decode(path, Path(pictures.name), onset or 1, offset)
    return paths, fps, pictures


def open_video(path: Path) -> cv2.VideoCapture:
    """Open a video; an address that it names, as a playlist does, is not followed."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the errors of decode are clearer
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    try:
        return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def decode(path: Path, folder: Path, first: int, last: int | None) -> tuple[dict[int, Path], float | None]:
    """Write frames of a video as pictures, without a loss; return them by their numbers, and the frames a second."""
    video, paths, number = open_video(path), {}, 0
    try:
        rate = video.get(cv2.CAP_PROP_FPS)
        while (last is None or number < max(last, 1)) and video.grab():  # check_span refuses a frame 0
            number += 1
            if number < first:
                continue
            if len(paths) == MOST_FRAMES:
                raise InputError(
                    f'{path}: expected a clip of at most {MOST_FRAMES} frames, found more; give --onset and --offset'
                )
            read, frame = video.retrieve()
            if not read:
                break
            paths[number] = folder / f'{number}.png'
            written = cv2.imencode('.png', frame, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1]
            paths[number].write_bytes(written.tobytes())
    except cv2.error:
        paths = {}
    finally:
        video.release()
    if not number:
        raise InputError(
            f'{path}: expected a video, it cannot be read as one; write it again, or its frames as pictures'
        )
    return paths, rate if 0 < rate < 1e5 else None


def check_span(
    path: Path, numbers: list[int], onset: int | None, apex: int | None, offset: int | None
) -> tuple[int, int]:
    """Return onset and offset, those of the whole clip where none are given."""
    if not numbers:
        raise InputError(f'{path}: expected onset {onset} to be one of its frames, found none there; give another')
    first, last = min(numbers), max(numbers)
    start, end = first if onset is None else onset, last if offset is None else offset
    if onset is not None and onset not in numbers:
        raise InputError(f'{path}: expected onset {onset} to be one of its frames, {first} to {last}; give another')
    if end > last or not any(start < number <= end for number in numbers):
        raise InputError(
            f'{path}: expected two frames or more from onset {start} to offset {end}, its frames are {first} to '
            f'{last}; give others'
        )
    if apex is not None and not start <= apex <= end:
        raise InputError(f'{path}: expected the apex from onset {start} to offset {end}, found {apex}; give another')
    return start, end


def face_in(path: Path, source: ClipSource, faces: FaceSettings) -> Face:
    """Return the face in the first of the frames that shows one, from the onset to the apex."""
    try:
        load_dlib()
    except InputError:
        raise InputError(
            f'this model was trained on faces that {faces.detector} found, which is not installed here; run '
            '`pip install dlib-bin face-recognition-models`'
        ) from None
    end = source.offset if source.apex is None else source.apex
    for number in frames_to_try([*source.paths], source.onset, end):
        if face := find_face(read_frame(source.paths[number]), faces):
            return face
    raise InputError(
        f'{path}: {faces.detector} finds no face in five frames from onset to apex; give a clip that shows a face from '
        'the front'
    )


def notes_on(source: ClipSource, settings: FlowSettings, prepare: Mapping, fps: float | None, remark: str) -> list[str]:
    """Return what a reader of a prediction should know of its clip."""
    notes, seconds = [], (source.offset - source.onset) / fps if fps else 0
    if seconds > LONG:
        notes.append(
            f'the clip lasts {seconds:.1f} s, a micro-expression half a second at most: give its onset and offset'
        )
    if source.apex is None:
        how = 'in the middle' if known_apex(source, settings) is not None else 'where most moves'
        notes.append(f'the apex was not given: it is taken {how}')
    elif source.apex == source.onset:
        notes.append('the apex is the onset, so there is no motion to see: give the frame where the expression peaks')
    if source.face is None:
        notes.append('the frames are used as they are, as in the training: they must show the cropped face alone')
    elif source.face.n_faces > 1:
        notes.append(f'{source.face.n_faces} faces were found: the largest is taken')
    if prepare['opencv'] not in ('', cv2.__version__):
        notes.append(f'flow by OpenCV {cv2.__version__}, in the training {prepare["opencv"]}: it may differ slightly')
    return notes + ([remark] if remark else [])
