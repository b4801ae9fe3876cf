"""The two halves of a face as two looks at the same expression, and a kernel between clips that compares halves.

Most expressions are symmetric, and many are stronger on one side. The halves are the left half of the clip and that of
its mirrored copy, in which the horizontal flow changes its sign; so a clip and its mirrored copy are the same to the
kernel. Ours, of no paper.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics.pairwise import euclidean_distances

from mer_bench.errors import InputError
from mer_bench.models.classical import ESTIMATORS
from mer_bench.models.classical.descriptor import ClipDescriptor
from mer_bench.models.classical.kernel_ridge import numbers_of


@ESTIMATORS.register_module()
class HalfFaces(ClipDescriptor):
    """Both halves of the face on a coarse grid, side by side, of each size.

    The two halves of a size together are scaled to a squared length of 2; those of a clip without motion are 0. Best on
    clips that `input` of the config centres, which removes a movement of the head, and scales.

    Args:
        size: Height and width of the grid, in cells, to which the whole face is averaged by area; or several. A half
            has `size // 2 + 1` columns, so that the middle of the face is in both.
    """

    channels = ('u', 'v')

    def __init__(self, size: int | Sequence[int] = 10):
        self.size = size

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe a clip, (2, T, H, W) of flow -> sizes x halves x channels x T x size x (size // 2 + 1)."""
        return np.concatenate([halves(clip, size).ravel() for size in sizes_of(self.size)])


@ESTIMATORS.register_module()
class HalfFaceKernel(TransformerMixin, BaseEstimator):
    """The kernel between clips and the training clips, on :class:`HalfFaces`, for a classifier of precomputed kernels.

    It is the mean of exp(-gamma |h - h'|^2) over the four pairs of a half of one clip and a half of the other, plus
    `constant`, plus `same_dataset` where both clips are of one data set. The last column of its input is the number of
    the clip's data set; it is known of a test clip too.

    Args:
        size: As of HalfFaces.
        gamma: Of the radial basis function; or several.
        constant: Added to all; a bias whose square is penalised.
        same_dataset: Added within a data set, likewise a bias of each data set.
    """

    takes_datasets = True

    def __init__(
        self,
        size: int | Sequence[int] = 10,
        gamma: float | Sequence[float] = 0.5,
        constant: float = 0.1,
        same_dataset: float = 0.1,
    ):
        self.size = size
        self.gamma = gamma
        self.constant = constant
        self.same_dataset = same_dataset

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> 'HalfFaceKernel':
        """Keep the training clips, (N, D).

        Raises:
            ValueError: An argument is not possible, or the sizes are not those of HalfFaces.
        """
        self.gammas_ = numbers_of('gamma', self.gamma)
        (self.constant_,) = numbers_of('constant', self.constant, one=True)
        (self.same_dataset_,) = numbers_of('same_dataset', self.same_dataset, one=True)
        cells = 2 * sum(map(cells_of_half, sizes_of(self.size)))
        if (X.shape[1] - 1) % cells:
            raise ValueError(
                f'HalfFaceKernel: expected the halves of HalfFaces(size={self.size}) and a data set, got '
                f'{X.shape[1]} columns; give both steps the same size'
            )
        self.X_fit_ = X
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the kernels of all sizes and gammas side by side, (N, D) -> (N, kernels * training clips)."""
        same = X[:, -1:] == self.X_fit_[:, -1]
        added = self.constant_ + self.same_dataset_ * same
        kernels = []
        for rows, columns in zip(self.halves_of(X), self.halves_of(self.X_fit_), strict=True):
            distances = [euclidean_distances(row, column, squared=True) for row in rows for column in columns]
            kernels += [added + sum(np.exp(-gamma * part) for part in distances) / 4 for gamma in self.gammas_]
        return np.concatenate(kernels, axis=1)

    def halves_of(self, X: np.ndarray) -> list[np.ndarray]:
        """Return the two halves of each clip, (2, N, D) float64, for each size."""
        lengths = [2 * cells_of_half(size) for size in sizes_of(self.size)]
        times = (X.shape[1] - 1) // sum(lengths)  # channels and steps of time
        parts = np.split(X[:, :-1].astype(np.float64), np.cumsum(lengths)[:-1] * times, axis=1)
        return [part.reshape(len(X), 2, -1).swapaxes(0, 1) for part in parts]


def sizes_of(size: int | Sequence[int]) -> list[int]:
    """Return the sizes of grids that an argument names."""
    sizes = [size] if np.ndim(size) == 0 else [*size]
    if not sizes or not all(type(size) is int and size > 0 for size in sizes):
        raise InputError(f'size: expected a number of cells such as 10, or several, got {size!r}; correct it')
    return sizes


def cells_of_half(size: int) -> int:
    """Return how many cells of a square grid are in a half face, of one channel and step of time."""
    return size * (size // 2 + 1)


def halves(clip: np.ndarray, size: int) -> np.ndarray:
    """Return the left halves of a clip and of its mirrored copy, (2, T, H, W) -> (2, 2, T, size, size // 2 + 1)."""
    pictures = clip.astype(np.float64).reshape(-1, *clip.shape[2:])
    face = np.stack([cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA) for picture in pictures])
    face = face.reshape(*clip.shape[:2], size, size)
    mirrored = face[..., ::-1] * np.reshape([-1, 1], (2, 1, 1, 1))
    both = np.stack([face, mirrored])[..., : size // 2 + 1]
    return both / (np.sqrt((both**2).sum() / 2) or 1)
