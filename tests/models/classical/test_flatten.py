"""Clips as rows."""

import numpy as np
from sklearn.utils import get_tags

from mer_bench.models.classical.flatten import Flatten


def test_values_of_a_clip_become_a_row():
    clips = np.arange(24).reshape(2, 3, 1, 2, 2)
    assert Flatten().transform(clips).tolist() == [list(range(12)), list(range(12, 24))]


def test_nothing_is_learned():
    assert not get_tags(Flatten()).requires_fit
