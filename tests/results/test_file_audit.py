"""`mer-bench audit --record`: what the files of a run say about leaks, without a config being executed."""

import json

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.file_audit import LEAK, NOTE, PASSED, UNTOLD, audit_files, format_checks, verdict_of
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.record import read_record

CHECKED = dict(name='weights', status='passed', detail='the same')
AUDIT = dict(verdict='passed', checks=[CHECKED], folds=['smic/s01'], epochs=2, seed=0, commit=None, date='2025-01-31')
CONFIG = dict(name='mer_smic', digest='c0ffee' * 8)


def statuses(folder):
    return {check.name: check.status for check in audit_files(folder)}


def change(folder, **changes):
    path = folder / 'record.json'
    path.write_text(json.dumps(read_record(path) | changes))


def write_folds(folder, n_train):
    """Write fold.json of each subject; it has two of the eight clips."""
    for fold in ('s01', 's02', 's03', 's04'):
        (folder / 'folds' / fold).mkdir(parents=True)
        (folder / 'folds' / fold / 'fold.json').write_text(
            json.dumps(dict(fold=f'smic/{fold}', n_train=n_train, n_test=2))
        )


def test_an_honest_run_passes_and_what_files_cannot_tell_is_said(new_run):
    folder = new_run('a')
    found = statuses(folder)
    assert {*found.values()} == {PASSED, NOTE}
    assert found['clips trained on and tested'] == NOTE  # the folders of its folds are not there
    write_folds(folder, 6)
    assert statuses(folder)['clips trained on and tested'] == PASSED
    assert verdict_of(audit_files(folder / 'record.json')) == PASSED


@pytest.mark.parametrize(
    ('changes', 'name'),
    [
        (dict(epoch_rule='test_selected'), 'the epoch that is scored'),
        (dict(config=dict(CONFIG, text="val_dataloader = dict(type='x')")), 'what the text of the config asks for'),
        (dict(config=dict(CONFIG, text="hooks = dict(save_best='acc')")), 'what the text of the config asks for'),
        (dict(leak_audit=dict(AUDIT, verdict='LEAK')), 'the leak audit in the record'),
    ],
)
def test_what_a_record_admits_is_named(new_run, changes, name):
    folder = new_run('a')
    change(folder, **changes)
    assert {check.name for check in audit_files(folder) if check.status == LEAK} == {name}


def test_an_epoch_that_the_folds_chose_on_training_subjects_is_no_leak(new_run):
    folder = new_run('a')
    change(folder, epoch_rule='inner')
    assert statuses(folder)['the epoch that is scored'] == UNTOLD
    candidate = dict(name='a', text='{}', digest='0', epochs=10**12)  # a stranger's: too many to be listed
    change(folder, selection=dict(rule='inner', metric='uf1', inner_folds=5, candidates=[candidate]))
    assert statuses(folder)['the epoch that is scored'] == PASSED


def test_a_subject_tested_in_two_folds_is_named(new_run):
    folder = new_run('a')
    table = pd.read_csv(folder / 'predictions.csv')
    table.loc[0, 'fold'] = 'smic/s02'
    table.to_csv(folder / 'predictions.csv', index=False)
    assert statuses(folder)['a subject on both sides of a fold'] == LEAK


def test_a_fold_that_trained_on_more_than_the_other_clips_is_named(new_run):
    folder = new_run('a')
    write_folds(folder, 8)
    assert statuses(folder)['clips trained on and tested'] == LEAK


def test_the_config_in_a_record_is_not_executed(new_run):
    folder = new_run('a')
    change(folder, config=dict(CONFIG, text='raise SystemExit(7)\ncustom_hooks = [dict()]'))
    assert statuses(folder)['what the text of the config asks for'] == UNTOLD


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(complete=False, folds=dict(total=4, done=3, missing=['smic/s04'])), 'expected complete runs'),
        (dict(n_subjects=5), 'expected 5 subjects, as in the record'),
    ],
)
def test_a_run_that_cannot_be_read_is_one_sentence(new_run, changes, message):
    folder = new_run('a')
    change(folder, **changes)
    with pytest.raises(InputError, match=message):
        audit_files(folder)


def test_damaged_numbers_of_a_fold_are_one_sentence(new_run):
    folder = new_run('a')
    write_folds(folder, '6')
    with pytest.raises(InputError, match=r's01/fold\.json: expected name and numbers of clips of a fold'):
        audit_files(folder)
    change = dict(fold='\x1b[2J', n_train=6, n_test=2)
    (folder / 'folds/s01/fold.json').write_text(json.dumps(change))
    for fold in ('s02', 's03', 's04'):
        (folder / f'folds/{fold}/fold.json').unlink()
    assert r'\x1b[2J (trained on 6, tested 2)' in format_checks(audit_files(folder))


def test_tables_say_which_methods_are_audited_once_one_is(new_run, tmp_path):
    new_run('a', method='a')
    new_run('b', method='b')
    assert 'leak audit' not in write_leaderboard([tmp_path], tmp_path / 'out.md')
    change(tmp_path / 'a', leak_audit=AUDIT)
    text = write_leaderboard([tmp_path], tmp_path / 'out.md')
    assert '| leak audit' in text
    assert pd.read_csv(tmp_path / 'out.csv')['leak_audit'].tolist() == ['passed', 'not audited']
