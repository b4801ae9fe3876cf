"""The frames of one clip: their files, and as the flow sees them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.faces.detection import Face, align
from mer_bench.preparation.faces.stabilise import head_shift, rigid_motion
from mer_bench.preparation.frames import check_alike, level_range, read_levels, scale_of
from mer_bench.preparation.settings import FaceSettings

STABILISED, NOT_STABILISED, DEEP = 'head motion', 'not stabilised', '16-bit pictures'  # kinds of remarks
REMARK_MARK = ' | '  # between several remarks on a clip
KEPT = 2**27  # bytes of pictures in memory; the largest data set, SAMM, has 2.2 MB a frame


@dataclass(frozen=True)
class ClipSource:
    """The frames of a clip on disk.

    Args:
        paths: {frame number: file}; frames before onset and after offset are ignored.
        onset: first frame, one of `paths`.
        apex: of the data set; None if unknown.
        offset: last frame; at least one of `paths` is after onset and not after offset.
        face: where the face is, to align the frames; None for frames that are used as they are.
        face_settings: how to align them.
    """

    paths: dict[int, Path]
    onset: int
    apex: int | None
    offset: int
    face: Face | None = None
    face_settings: FaceSettings = field(default_factory=FaceSettings)

    def __post_init__(self) -> None:
        folder = next(iter(self.paths.values())).parent if self.paths else 'a clip without frames'
        if self.onset not in self.paths or len(self.numbers) < 2:
            raise InputError(
                f'{folder}: expected frame {self.onset} (onset) and one or more up to {self.offset} (offset), found '
                f'{len(self.numbers)} of them; restore the frames or correct the annotation'
            )
        if self.apex is not None and not self.onset <= self.apex <= self.offset:
            raise InputError(
                f'{folder}: expected the apex from onset {self.onset} to offset {self.offset}, found {self.apex}; '
                'correct the annotation or leave the apex empty'
            )

    @property
    def numbers(self) -> list[int]:
        """The frames from onset to offset."""
        return sorted(number for number in self.paths if self.onset <= number <= self.offset)


class ClipFrames(Mapping):
    """The frames of a clip, {frame number: (H, W) uint8}: grey, and aligned where the face is known.

    Pictures of 16 bits are brought to 8 by one scale for all of them, see :data:`mer_bench.preparation.frames.LEVELS`.

    Pictures stay in memory up to `KEPT` bytes, so those of a usual clip are decoded once. Of the aligned crops only two
    are in memory, the onset and the frame last asked for. The head's own motion is removed from all frames, or from
    none if it cannot be measured in one of them: a partly stabilised clip would jump.

    Args:
        source: the clip.
        numbers: the frames that will be asked for.

    Attributes:
        remarks: what happened to the pictures, each 'kind: detail': how 16 bits were scaled, and how much of the head's
            motion was removed.
    """

    def __init__(self, source: ClipSource, numbers: Sequence[int]) -> None:
        self.source = source
        self.numbers = sorted({source.onset, *numbers})
        self.first = read_levels(source.paths[source.onset])
        self.kept = {source.onset: self.first}
        self.remarks: list[str] = []
        self.scale = self.measure_levels() if self.first.dtype == np.uint16 else None
        self.last = self.onset = source.onset, self.crop(self.read(source.onset))
        self.motions: dict[int, np.ndarray] = {}
        if source.face and source.face_settings.stabilise:
            self.remarks.append(self.measure_head())

    @property
    def remark(self) -> str:
        """All remarks as one, '' where there is none."""
        return REMARK_MARK.join(self.remarks)

    def __getitem__(self, number: int) -> np.ndarray:
        if number == self.source.onset:
            return self.onset[1]
        if number != self.last[0]:
            self.last = number, self.crop(self.read(number), self.motions.get(number))
        return self.last[1]

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, number: int) -> np.ndarray:
        """Read a frame, (H, W) uint8."""
        frame = self.read_levels(number)
        return frame if self.scale is None else self.scale[frame]

    def read_levels(self, number: int) -> np.ndarray:
        """Read a frame of the size and depth that the onset has."""
        if number in self.kept:
            return self.kept[number]
        path = self.source.paths[number]
        frame = read_levels(path)
        check_alike(path, frame, self.source.paths[self.source.onset], self.first)
        if (len(self.kept) + 1) * frame.nbytes <= KEPT:
            self.kept[number] = frame
        return frame

    def measure_levels(self) -> np.ndarray:
        """Return the scale of all frames from onset to offset, whichever are taken."""
        low, high = level_range(self.read_levels(number) for number in self.source.numbers)
        scale = scale_of((low, high))
        self.remarks.append(f'{DEEP}: levels {low} to {high} become {scale[low]} to {scale[high]} in all frames')
        return scale

    def crop(self, frame: np.ndarray, motion: np.ndarray | None = None) -> np.ndarray:
        """Return a frame aligned, and without the head's motion; as it is where no face is known."""
        face, settings = self.source.face, self.source.face_settings
        return align(frame, face, settings.size, motion) if face else frame

    def measure_head(self) -> str:
        """Fill `motions` for all frames or for none; return the remark."""
        motions = {}
        for number in self.numbers[1:]:
            motions[number] = rigid_motion(self.onset[1], self.crop(self.read(number)))
            if motions[number] is None:
                return f'{NOT_STABILISED}: frame {number} does not match the onset, the head motion stays in all frames'
        self.motions = motions
        shifts = {number: head_shift(motion, len(self.onset[1])) for number, motion in motions.items()}
        largest = max(shifts, key=shifts.get, default=self.source.onset)
        return f'{STABILISED}: {shifts.get(largest, 0):.2f} pixels of the crop taken out at most, in frame {largest}'
