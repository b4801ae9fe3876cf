"""The provenance of a run: notes on its data, and what a run folder refuses to be continued with."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mer_bench
from mer_bench.errors import InputError
from mer_bench.experiment import precision
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.provenance import (
    describe_data,
    note_on_classes,
    notes_on_data,
    refuse_other_settings,
    start_record,
)
from mer_bench.protocols.folds import make_folds
from mer_bench.results.comparable import preparation_of
from mer_bench.results.record import write_record
from mer_bench.runs.run_folder import ADVICE
from tests.conftest import rewrite_flow, write_prepared_data
from tests.training.test_fold_config import experiment_on

SCHEME = 'dataset,column,value,label\nsmic,emotion,negative,a\nsmic,emotion,positive,b\nsmic,emotion,surprise,{last}\n'


@pytest.fixture
def record_of(prepared_data, tiny_override, tmp_path):
    def record_of(*options, root=prepared_data, seed=0, last='b'):
        (tmp_path / 'own.csv').write_text(SCHEME.format(last=last))
        options = [f'label_scheme={tmp_path}/own.csv', 'action_units=[4,12]', *options]
        return start_record(experiment_on(root, overrides=[str(tiny_override)], cfg_options=options), seed)

    return record_of


@pytest.fixture
def refusal(record_of, tmp_path):
    """The message for a change of a run that was begun with the options of `record_of`."""
    write_record(tmp_path / 'record.json', record_of())

    def refusal(*options, **changes):
        with pytest.raises(InputError) as error:
            refuse_other_settings(tmp_path, record_of(*options, **changes), ADVICE)
        assert str(error.value).endswith(f'; {ADVICE}')
        return str(error.value).partition(' holds folds of ')[2]

    return refusal


def test_a_store_of_other_digits_in_another_folder_is_of_the_same_data_for_a_leaderboard(record_of, tmp_path):
    other = write_prepared_data(tmp_path / 'elsewhere')
    rewrite_flow(other, np.s_[:1], 0.5)
    here, there = record_of()['data'], record_of(root=other)['data']
    assert here['store_digest'] != there['store_digest']
    assert here['clips_digest'] == there['clips_digest']
    assert preparation_of(here['store']) == preparation_of(there['store'])


def test_the_same_settings_go_on(record_of, tmp_path):
    write_record(tmp_path / 'record.json', record_of())
    refuse_other_settings(tmp_path, record_of(), ADVICE)


def test_a_run_that_fell_back_to_fp32_goes_on_where_there_is_no_mixed_precision(record_of, tmp_path):
    fallen = PrecisionCheck('bf16', 'fp32', why='a reason').record
    write_record(tmp_path / 'record.json', record_of() | dict(precision=fallen))
    refuse_other_settings(tmp_path, record_of(), ADVICE, continued=True)


def test_rules_of_the_label_scheme_that_were_edited_are_told(refusal):
    assert refusal(last='a').startswith('another label scheme (own ')


@pytest.mark.parametrize(
    ('option', 'sentence'),
    [
        ('action_units=[12,4]', 'another list of action units (4 12, now 12 4)'),
        ('folds.type=group_kfold folds.n_splits=2', 'another rule of folds (loso, now group_kfold, 2)'),
        ('dataset=mine', 'another data set (smic, now mine)'),
        ('optim_wrapper.optimizer.lr=0.1', 'another config (optim_wrapper.optimizer.lr 0.001, now 0.1)'),
    ],
)
def test_the_option_that_differs_is_named(refusal, option, sentence):
    assert refusal(*option.split()).startswith(sentence)


def test_the_folder_of_an_earlier_version_is_refused_with_what_differs_and_its_commit(record_of, tmp_path):
    record = record_of()
    config = record['config'] | {'digest': '0' * 64}
    config['text'] = record['config']['text'].replace("'mer_bench.registry'", "'mer_bench.models'")
    assert config['text'] != record['config']['text']
    write_record(tmp_path / 'record.json', record | dict(config=config, commit='0123456789ab'))
    with pytest.raises(InputError) as error:
        refuse_other_settings(tmp_path, record, ADVICE)
    version = f'{mer_bench.__version__} at commit 0123456789ab'
    assert str(error.value) == (
        f"{tmp_path} holds folds of another config (custom_imports.imports ['mer_bench.models'], now "
        f"['mer_bench.registry']), made with another version of mer_bench ({version}); {ADVICE}"
    )


def test_other_data_are_told(refusal, tmp_path):
    angle = write_prepared_data(tmp_path / 'a', channels=['u', 'v', 'angle'])
    assert refusal(root=angle).startswith('another set of channels (u v strain, now u v angle)')
    assert refusal(root=write_prepared_data(tmp_path / 'b', clip_len=1)).startswith('another flow store (')
    labels = write_prepared_data(tmp_path / 'c', relabel={1: 'positive'})
    assert refusal(root=labels).startswith('another annotation table (')


def test_no_whole_digest_is_shown(refusal, tmp_path):
    other_flow = write_prepared_data(tmp_path / 'a', clip_len=1)
    for message in (refusal(last='a'), refusal('channels_last=False'), refusal(root=other_flow)):
        assert not re.search('[0-9a-f]{12}', message)


@pytest.fixture
def experiment(prepared_data, tiny_override):
    options = ['label_scheme=megc2019_3class']
    return experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=options)


def test_too_few_clips_and_missing_data_sets_are_noted(experiment):
    data = replace(experiment.data, info=experiment.data.info | {'synthetic': False})
    counts, absence = notes_on_data(replace(experiment, data=data))
    assert 'smic negative clips 6 (70)' in counts
    assert 'no clip of casme2, samm is in use' in absence


def test_synthetic_data_have_no_official_counts(experiment):
    assert notes_on_data(experiment) == []


def test_a_class_that_lives_in_one_subject_is_named_with_the_fold_that_cannot_learn_it(tmp_path, tiny_override):
    root = write_prepared_data(tmp_path / 'smic', relabel={1: 'negative', 3: 'negative'})
    experiment = experiment_on(root, overrides=[str(tiny_override)])
    (note,) = start_record(experiment, 0)['notes']
    assert note.startswith(
        'note: no training clip of positive in fold smic/s02; of surprise in fold smic/s02: every clip that shows '
    )


def test_a_class_or_unit_of_one_data_set_is_named_and_one_of_two_subjects_is_not():
    rows = [('a/1', 'x', '4'), ('a/1', 'y', ''), ('a/2', 'x', '4'), ('b/1', 'y', '12'), ('b/2', 'y', '12')]
    clips = pd.DataFrame(rows, columns=['subject', 'label', 'action_units']).assign(dataset=['a', 'a', 'a', 'b', 'b'])
    clips['sample_id'] = range(5)
    assert note_on_classes(clips, make_folds(clips, 'loso')[1:], [4, 12]) is None
    note = note_on_classes(clips, make_folds(clips, 'leave_one_dataset_out'), [4, 12])
    assert 'of x in fold a; of action unit 4 in fold a; of action unit 12 in fold b:' in note


def test_each_data_set_is_one_line_with_what_is_left_out_and_why(tmp_path, tiny_override):
    roots = [
        write_prepared_data(tmp_path / 'smic'),
        write_prepared_data(tmp_path / 'casme2', 2, dataset='casme2', emotions=('disgust', 'others', 'fear')),
    ]
    options = ['data_source=[smic,casme2]', 'label_scheme=megc2019_3class']
    casme2, smic = describe_data(experiment_on(*roots, overrides=[str(tiny_override)], cfg_options=options))
    assert smic == 'smic: 18 clips of 3 subjects (negative 6, positive 6, surprise 6)'
    assert casme2.startswith('casme2: 2 clips of 2 subjects (negative 2, positive 0, surprise 0); 4 left out: ')
    assert "emotion 'others' is not in megc2019_3class (2 clips)" in casme2


def test_a_machine_without_git_has_no_commit(monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert precision.commit.__wrapped__() is None
