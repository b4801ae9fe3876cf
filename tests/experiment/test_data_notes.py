"""Clips that are not the official ones are said before a run and below its table."""

from dataclasses import replace

import pandas as pd
import pytest

from mer_bench.experiment.data_notes import note_on_classes, note_on_taps, notes_on_data
from mer_bench.models import MultiScaleResNet3d
from mer_bench.protocols.folds import make_folds
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.runs.record import start_record
from tests.conftest import write_prepared_data
from tests.loading.test_several_roots import opened
from tests.training.test_fold_config import experiment_on

SCHEME = load_scheme('megc2019_3class')


def as_real(data):
    return replace(data, info=data.info | {'synthetic': False})


def test_too_few_clips_and_missing_data_sets_are_said(prepared_data):
    counts, absence = notes_on_data(as_real(opened(prepared_data)), SCHEME)
    assert 'smic negative clips 6 (70)' in counts
    assert 'no clip of casme2, samm is in use' in absence


def test_synthetic_data_have_no_official_counts(prepared_data):
    assert notes_on_data(opened(prepared_data), SCHEME) == []


def test_a_class_that_lives_in_one_subject_is_named_with_the_fold_that_cannot_learn_it(tmp_path, tiny_override):
    root = write_prepared_data(tmp_path / 'smic', relabel={1: 'negative', 3: 'negative'})
    experiment = experiment_on(root, overrides=[str(tiny_override)])
    (note,) = start_record(experiment, 0)['notes']
    assert note.startswith(
        'note: no clip to learn of positive in fold smic/s02; of surprise in fold smic/s02: what shows it is held out'
    )


def test_a_class_or_unit_of_one_data_set_is_named_and_one_of_two_subjects_is_not():
    rows = [('a/1', 'x', '4'), ('a/1', 'y', ''), ('a/2', 'x', '4'), ('b/1', 'y', '12'), ('b/2', 'y', '12')]
    clips = pd.DataFrame(rows, columns=['subject', 'label', 'action_units']).assign(dataset=['a', 'a', 'a', 'b', 'b'])
    clips['sample_id'] = range(5)
    assert note_on_classes(clips, make_folds(clips, 'loso')[1:], [4, 12]) is None
    note = note_on_classes(clips, make_folds(clips, 'leave_one_dataset_out'), [4, 12])
    assert 'of x in fold a; of action unit 4 in fold a; of action unit 12 in fold b:' in note


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
