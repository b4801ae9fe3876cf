"""Clips that are not the official ones are said before a run and below its table."""

from dataclasses import replace

import pytest

from mer_bench.models import MultiScaleResNet3d
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.training.data_notes import note_on_taps, notes_on_data
from tests.loading.test_several_roots import opened

SCHEME = load_scheme('megc2019_3class')


def as_real(data):
    return replace(data, info=data.info | {'synthetic': False})


def test_too_few_clips_and_missing_data_sets_are_said(prepared_data):
    counts, absence = notes_on_data(as_real(opened(prepared_data)), SCHEME)
    assert 'smic negative clips 6 (70)' in counts
    assert 'no clip of casme2, samm is in use' in absence


def test_synthetic_data_have_no_official_counts(prepared_data):
    assert notes_on_data(opened(prepared_data), SCHEME) == []


@pytest.mark.parametrize(
    ('sizes', 'expected'),
    [
        ({'layer1': (8, 28, 28), 'layer2': (4, 14, 14), 'layer3': (2, 7, 7)}, None),
        (
            {'layer2': (2, 7, 7), 'layer3': (1, 2, 4)},
            '5x1x1 on 2x7x7 after stage 2; 3x1x1, 1x5x5 on 1x2x4 after stage 3;',
        ),
    ],
)
def test_kernels_that_the_clips_do_not_fill_are_named_in_one_line(sizes, expected):
    note = note_on_taps(MultiScaleResNet3d(base_channels=4), sizes)
    assert note is None if expected is None else expected in note
    assert '\n' not in str(note)
