"""Bi-WOOF against two blocks by hand."""

import numpy as np

from mer_bench.models.classical.bi_woof import BiWOOF


def two_blocks():
    """Left block: 1 pixel moves 3 to the right, 1 moves 1 down, strain 4. Right block: both move 2 up, strain 3."""
    u = [[3, 0], [0, 0]]
    v = [[0, -2], [1, -2]]
    strain = [[4, 3], [4, 3]]
    return np.array([u, v, strain], np.float64)[:, None]


def test_length_weighs_bins_and_strain_weighs_blocks():
    """Histograms (0.75, 0.25) * 4 and (1) * 3, then divided by sqrt(3^2 + 1^2 + 3^2)."""
    features = BiWOOF(n_bins=4, grid=(1, 2)).describe(two_blocks())
    expected = np.array([0, 0, 3, 1, 0, 3, 0, 0]) / np.sqrt(19)
    np.testing.assert_allclose(features, expected)


def test_eight_bins_and_five_by_five_blocks_give_200_values_of_length_1():
    features = BiWOOF().describe(np.random.default_rng(0).normal(size=(3, 1, 28, 28)) ** 2)
    assert features.shape == (200,)
    np.testing.assert_allclose(np.linalg.norm(features), 1)


def test_the_scale_of_the_motion_does_not_matter():
    np.testing.assert_allclose(
        BiWOOF(grid=(1, 2)).describe(two_blocks() * 7), BiWOOF(grid=(1, 2)).describe(two_blocks())
    )


def test_motion_just_above_135_degrees_is_counted():
    """The authors' histc drops it."""
    clip = np.array([np.full((1, 4, 4), part) for part in (-1.0, 0.1, 1.0)])
    assert BiWOOF(grid=(1, 1)).describe(clip).tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
