"""Clips of different subjects that are too alike."""

import numpy as np
import pytest

from mer_bench.loading.near_duplicates import nearest_pairs
from mer_bench.loading.prepared_data import read_clips
from tests.conftest import rewrite_flow, write_prepared_data


@pytest.fixture
def pairs_of(tmp_path):
    """Return a function that finds the pairs among 18 clips of noise, of three subjects, after some changed."""

    def find(change):
        root = write_prepared_data(tmp_path / 'smic', clip_len=1, size=28)
        flow = np.random.default_rng(0).normal(size=(18, 3, 1, 28, 28))
        change(flow)
        rewrite_flow(root, slice(None), flow)
        clips, _ = read_clips([root], None)
        return *nearest_pairs(clips), clips['sample_id'].tolist()

    return find


def test_a_stronger_copy_with_some_noise_is_found_and_one_of_the_same_subject_is_not(pairs_of):
    def copy(flow):
        flow[13] = flow[2] * 1.5 + np.random.default_rng(1).normal(0, 0.1, flow[2].shape)
        flow[4] = flow[3]  # of one subject

    pairs, still, names = pairs_of(copy)
    assert [{pair.first, pair.second} for pair in pairs] == [{names[2], names[13]}]
    assert 0 < pairs[0].distance < 0.02
    assert not pairs[0].same
    assert still == 0


def test_the_distance_is_one_less_the_correlation_and_clips_without_motion_have_none(pairs_of):
    def stop(flow):
        flow[:] = 0
        flow[0, :2, :, :14] = 1  # the upper half moves, of the other clip the left half
        flow[17, :2, :, :, :14] = 1

    (pair,), still, names = pairs_of(stop)
    assert still == 16
    assert (pair.first, pair.second) == (names[0], names[17])
    halves = np.repeat([1, 0], 7), np.repeat([1, 0], 7)
    upper, left = np.outer(halves[0], np.ones(14)), np.outer(np.ones(14), halves[1])
    assert pair.distance == pytest.approx(1 - np.corrcoef(upper.ravel(), left.ravel())[0, 1])
