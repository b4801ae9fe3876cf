"""What a run folder refuses: every part is changed as a user would change it."""

import re

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.experiment.same_settings import refuse_other_settings
from mer_bench.results.record import write_record
from mer_bench.runs.record import start_record
from mer_bench.runs.run import ADVICE
from tests.conftest import write_prepared_data
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
        ('optim_wrapper.optimizer.lr=0.1', 'another config (optimizer=dict(lr=0.001, type='),
    ],
)
def test_the_option_that_differs_is_named(refusal, option, sentence):
    assert refusal(*option.split()).startswith(sentence)


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
