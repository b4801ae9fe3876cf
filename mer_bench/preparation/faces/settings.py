"""What a user chooses about faces; free of OpenCV and dlib, so that the command line starts at once."""

from dataclasses import dataclass

from mer_bench.errors import InputError

DETECTORS = ('none', 'dlib')
MIN_FACE_SIZE = 64


@dataclass(frozen=True)
class FaceSettings:
    """How the face of a clip is cut out of its frames.

    Args:
        detector: `none` takes the frames as they are, `dlib` finds the face and aligns it.
        size: height and width of the aligned crop in pixels.
        stabilise: whether the head's own shift and rotation since the onset are taken out of every frame.
    """

    detector: str = 'none'
    size: int = 224
    stabilise: bool = False

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise InputError(f'face detector: expected one of {DETECTORS}, found {self.detector!r}; choose one of them')
        if self.size < MIN_FACE_SIZE:
            raise InputError(
                f'face size: expected at least {MIN_FACE_SIZE} pixels, found {self.size}; 224 is the default'
            )
        if self.stabilise and self.detector == 'none':
            raise InputError(
                "stabilise: expected a face detector to find the nose, found 'none'; choose the detector dlib"
            )
