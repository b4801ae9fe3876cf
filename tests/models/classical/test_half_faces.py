"""Half faces and the kernel between them, against scikit-learn and the definition."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from mer_bench.errors import InputError
from mer_bench.models.classical.half_faces import HalfFaceKernel, HalfFaces

CLIPS = np.random.default_rng(0).normal(size=(6, 2, 1, 28, 28)) + np.linspace(-1, 1, 28)
DATASETS = np.array([0, 0, 1, 1, 1, 0])


def with_datasets(clips, size=10):
    """The input of HalfFaceKernel."""
    return np.column_stack([HalfFaces(size).transform(clips), DATASETS[: len(clips)]])


def area_means(length, size):
    """The matrix (size, length) that averages pixels over equal cells, parts of a pixel by their area."""
    ends, pixels = np.arange(1, size + 1)[:, None] * length / size, np.arange(length)
    return np.maximum(np.minimum(ends, pixels + 1) - np.maximum(ends - length / size, pixels), 0) * size / length


def halves_by_hand(clip, size=10):
    """Left halves of a clip (2, 1, 28, 28) and of its mirrored copy, each (D,)."""
    u, v = area_means(28, size) @ clip[:, 0] @ area_means(28, size).T
    left = np.stack([u, v])[..., : size // 2 + 1].ravel()
    right = np.stack([-u[:, ::-1], v[:, ::-1]])[..., : size // 2 + 1].ravel()
    return np.stack([left, right]) / np.sqrt((left @ left + right @ right) / 2)


@pytest.mark.parametrize('size', [10, 9])
def test_halves_are_those_of_the_definition(size):
    expected = [halves_by_hand(clip, size).ravel() for clip in CLIPS]
    np.testing.assert_allclose(HalfFaces(size).transform(CLIPS), expected, atol=1e-6)


def test_the_strength_of_a_clip_changes_nothing():
    np.testing.assert_allclose(HalfFaces().transform(CLIPS * 3), HalfFaces().transform(CLIPS), atol=1e-6)


def test_sizes_are_side_by_side():
    both = np.hstack([HalfFaces(8).transform(CLIPS), HalfFaces(10).transform(CLIPS)])
    np.testing.assert_array_equal(HalfFaces([8, 10]).transform(CLIPS), both)


@pytest.mark.parametrize('size', [0, 2.5, [], '10', [8, None]])
def test_a_size_that_is_no_number_of_cells_is_refused(size):
    with pytest.raises(InputError, match='size: expected a number of cells'):
        HalfFaces(size).transform(CLIPS)


def test_the_kernel_is_the_mean_over_four_pairs_of_halves_and_the_constants():
    left, right = np.stack([halves_by_hand(clip) for clip in CLIPS], axis=1)
    pairs = [rbf_kernel(a, b, gamma=0.5) for a in (left, right) for b in (left, right)]
    expected = np.mean(pairs, axis=0) + 0.1 + 0.2 * (DATASETS[:, None] == DATASETS)
    found = HalfFaceKernel(same_dataset=0.2).fit_transform(with_datasets(CLIPS))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_mirrored_clip_is_the_same_to_the_kernel():
    mirrored = CLIPS[..., ::-1] * np.reshape([-1, 1], (2, 1, 1, 1))
    kernel = HalfFaceKernel().fit(with_datasets(CLIPS))
    np.testing.assert_allclose(
        kernel.transform(with_datasets(mirrored)), kernel.transform(with_datasets(CLIPS)), atol=1e-6
    )


def test_kernels_of_all_sizes_and_gammas_are_side_by_side():
    together = HalfFaceKernel([8, 10], [0.5, 2.0]).fit(with_datasets(CLIPS, [8, 10]))
    alone = [
        HalfFaceKernel(size, gamma).fit(with_datasets(CLIPS, size)).transform(with_datasets(CLIPS[:2], size))
        for size in (8, 10)
        for gamma in (0.5, 2.0)
    ]
    np.testing.assert_allclose(together.transform(with_datasets(CLIPS[:2], [8, 10])), np.hstack(alone), atol=1e-12)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (dict(gamma=[0.5, 0]), 'gamma must be above 0'),
        (dict(gamma=float('nan')), 'gamma must be above 0'),
        (dict(gamma='scale'), "gamma must be above 0, got 'scale'"),
        (dict(gamma=[]), 'gamma must be above 0'),
        (dict(constant=-1), 'constant must be a number of 0 or more'),
        (dict(same_dataset=-1), 'same_dataset must be a number of 0 or more'),
        (dict(size=9), 'give both steps the same size'),
    ],
)
def test_what_cannot_be_a_kernel_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        HalfFaceKernel(**options).fit(with_datasets(CLIPS))
