"""The face of a clip: found once, then every frame is cut out by the same similarity transform.

One transform for all frames: landmarks jitter by more than a micro-expression moves, so a face that is aligned anew in
each frame shakes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from mer_bench.files import digest_file
from mer_bench.preparation.faces.landmarks import face_landmarks, import_dlib, model_path
from mer_bench.preparation.faces.stabilise import VERSION as STABILISE_VERSION
from mer_bench.preparation.settings import FaceSettings

VERSION = 1  # of what find_face does: raised when the same picture gives another face

# Eye corners and the base of the nose (iBUG numbers): the part of the "more stable/rigid points under changes of
# expression" of OpenFace (Baltrusaitis et al., WACV 2016, Face_utils.cpp) that neither lids, jaw nor nose wings move.
STABLE_POINTS = (36, 39, 42, 45, 33)
# Where they are in dlib's mean face (get_face_chip_details), whose brows begin at y = 0.02 and whose lips end at 0.91.
MEAN_FACE = np.array(
    [(0.121737, 0.216423), (0.334606, 0.231733), (0.645647, 0.231733), (0.858516, 0.216423), (0.490127, 0.628106)]
)
# The mean face, midline at half the width, as shares of the crop. Brows and eyes then take the rows 0.16 to 0.31 and
# the columns 0.17 to 0.83, lips the rows 0.63 to 0.75 and the columns 0.34 to 0.66; the chin is at row 0.96.
TEMPLATE = (MEAN_FACE - [0.490127, 0]) / 1.5 + [0.5, 0.22 / 1.5]


@dataclass(frozen=True)
class Face:
    """Where a face is.

    Attributes:
        a: cosine part of the similarity transform from the picture to the aligned crop,
            (x, y) -> (a x - b y + dx, b x + a y + dy) in pixels.
        b: its sine part.
        dx: its shift to the right.
        dy: its shift downwards.
        left: the landmarks' bounding box in pixels of the picture.
        top: see `left`.
        right: see `left`.
        bottom: see `left`.
        n_faces: how many faces the picture shows; this one is the largest.
    """

    a: float
    b: float
    dx: float
    dy: float
    left: int
    top: int
    right: int
    bottom: int
    n_faces: int = 1

    @property
    def transform(self) -> np.ndarray:
        """The similarity transform, (2, 3) float64."""
        return np.array([[self.a, -self.b, self.dx], [self.b, self.a, self.dy]])

    @property
    def is_possible(self) -> bool:
        """Whether the transform is one of a picture: faces are not that small or large."""
        return 0.01 < np.hypot(self.a, self.b) < 1e3 and max(abs(self.dx), abs(self.dy)) < 1e7

    def row(self) -> dict[str, float]:
        """Return the cells of a CSV row."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> 'Face':
        """Return the face of a CSV row, numbers or text."""
        fields = cls.__dataclass_fields__.values()
        return cls(**{field.name: field.type(row[field.name]) for field in fields})


def find_face(picture: np.ndarray, settings: FaceSettings) -> Face | None:
    """Return the largest face of a grey picture, (H, W) uint8, doubled once if need be; None where there is none."""
    for upsample in (0, 1):
        faces = face_landmarks(picture, upsample)
        if faces:
            return face_of(faces[0], len(faces), settings.size)
    return None


def face_of(landmarks: np.ndarray, n_faces: int, size: int) -> Face:
    """Return the face with these landmarks, (68, 2); its transform fits the stable ones to the template."""
    a, b, dx, dy = similarity(landmarks[list(STABLE_POINTS)], TEMPLATE * size - 0.5)
    (left, top), (right, bottom) = landmarks.min(axis=0).round(), landmarks.max(axis=0).round()
    return Face(a, b, dx, dy, int(left), int(top), int(right), int(bottom), n_faces)


def similarity(points: np.ndarray, targets: np.ndarray) -> tuple[float, float, float, float]:
    """Return a, b, dx, dy of the least-squares similarity transform from `points` to `targets`, both (N, 2).

    As complex numbers a similarity without reflection is z -> (a + ib) z + (dx + i dy). cv2.estimateAffinePartial2D
    would leave points out as outliers.
    """
    z, target = (x + 1j * y for x, y in (points.T, targets.T))
    spread = z - z.mean()
    turn = (spread.conj() * target).sum() / (abs(spread) ** 2).sum()
    shift = target.mean() - turn * z.mean()
    # The last bits differ between machines and would change digests.
    return tuple(round(float(part), 9) for part in (turn.real, turn.imag, shift.real, shift.imag))


def align(frame: np.ndarray, face: Face, size: int, motion: np.ndarray | None = None) -> np.ndarray:
    """Return the aligned crop of a frame, (size, size) uint8.

    Args:
        frame: (H, W) uint8.
        face: the clip's face.
        size: height and width of the crop.
        motion: (3, 3) of :func:`mer_bench.preparation.faces.stabilise.rigid_motion`, taken out of the frame.
    """
    transform = face.transform
    if motion is not None:
        transform = (np.linalg.inv(motion) @ np.vstack([transform, [0, 0, 1]]))[:2]
    return warp(frame, transform, size)


def warp(frame: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Return `frame` seen through a similarity transform, (size, size); beyond the picture its edge goes on.

    Where the transform shrinks, it is sampled n times as densely and averaged, since cv2.warpAffine does not average.
    Lanczos, for OpenCV's cubic kernel (a = -0.75) misplaces texture by up to 0.03 pixels, which looks like motion.
    """
    n = int(np.ceil(1 / np.hypot(*transform[:, 0]) - 1e-6))
    dense = transform * n + [[0, 0, (n - 1) / 2]]  # pixel centres: n x + (n - 1) / 2
    crop = cv2.warpAffine(frame, dense, (n * size, n * size), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return crop if n == 1 else cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def finding_parameters(settings: FaceSettings) -> dict:
    """Return everything that decides where a face is found."""
    model = model_path()
    return {
        'detector': settings.detector,
        'size': settings.size,
        'version': VERSION,
        'dlib': import_dlib().__version__,
        'landmarks': model.name,
        'landmarks_digest': digest_file(model),
    }


def face_parameters(settings: FaceSettings) -> dict:
    """Return everything that decides how faces are found and cut, for store.json."""
    if settings.detector == 'none':
        return {'detector': 'none'}
    return finding_parameters(settings) | {'stabilise': STABILISE_VERSION if settings.stabilise else False}
