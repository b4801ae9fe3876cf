"""Clips that are not the official ones are said before a run and below its table."""

from dataclasses import replace

from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.training.data_notes import notes_on_data
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
