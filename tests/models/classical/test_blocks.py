"""Histograms of blocks against counts by hand."""

import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.models.classical.blocks import block_histograms, block_numbers, normalised, orientation_bins


def test_blocks_are_numbered_along_rows_and_differ_by_one_pixel():
    assert block_numbers((1, 2, 5), (1, 2, 2)).tolist() == [[[0, 0, 0, 1, 1], [2, 2, 2, 3, 3]]]


def test_each_block_counts_its_own_bins():
    bins = np.array([[[0, 1, 1, 1], [0, 0, 2, 2]]])
    assert block_histograms(bins, 3, (1, 1, 2)).tolist() == [[3, 1, 0], [0, 2, 2]]


def test_weights_take_the_place_of_counts():
    bins, weights = np.array([[[0, 1, 1]]]), np.array([[[0.5, 2, 3]]])
    assert block_histograms(bins, 2, (1, 1, 1), weights).tolist() == [[0.5, 5]]


def test_frames_are_divided_as_well():
    assert block_histograms(np.array([[[0]], [[1]]]), 2, (2, 1, 1)).tolist() == [[1, 0], [0, 1]]


def test_more_blocks_than_pixels_are_refused():
    with pytest.raises(InputError, match='take fewer blocks'):
        block_numbers((1, 4, 4), (1, 5, 5))


def test_an_empty_histogram_stays_empty():
    assert normalised(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist() == [[0.25, 0.75], [0, 0]]


@pytest.mark.parametrize(('degrees', 'expected'), [(-180, 0), (-91, 1), (-90, 2), (0, 4), (134, 6), (135, 7), (180, 0)])
def test_the_full_circle_closes(degrees, expected):
    assert orientation_bins(np.radians(degrees), 8) == expected


def test_a_half_circle_keeps_its_upper_end():
    angles = np.array([-np.pi / 2, 0, np.pi / 2])
    assert orientation_bins(angles, 4, -np.pi / 2, np.pi / 2).tolist() == [0, 2, 3]
