"""tools/audit.py: exit codes, JSON, and the result in the record of a run."""

import json

import pytest

import mer_bench
from mer_bench.protocols.folds import Fold
from tests.in_process import tool


@pytest.fixture(scope='module')
def run(prepared_data, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp('run')
    return mer_bench.train('mer_smic', 'majority', prepared_data, work_dir=folder, device='cpu', jobs=1)


def test_the_result_goes_into_the_record_of_the_run_and_stays_there(run, prepared_data):
    words = ('mer_smic', '--override', 'majority', '--data-root', prepared_data, '--jobs', 1, '--run', run.folder)
    result = tool('audit', *words, '--fold', 's01', 's02', '--json')
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    noted = json.loads((run.folder / 'record.json').read_text())['leak_audit']
    assert noted['verdict'] == found['verdict'] == 'passed'
    assert noted['checks'] == found['checks']
    assert noted['folds'] == ['smic/s01', 'smic/s02']
    assert len(found['near_duplicates']) >= 1
    assert 'smic/s01/' not in json.dumps(noted)  # it names no clip
    again = mer_bench.train('mer_smic', 'majority', prepared_data, work_dir=run.folder, device='cpu', jobs=1)
    assert again.record['leak_audit'] == noted
    result = tool('audit', '--record', run.folder)
    assert result.returncode == 0
    assert 'leak audit: passed' in result.stdout


def test_a_leak_is_exit_code_1(prepared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(Fold, 'train_subjects', property(lambda self: self.subjects))
    words = ('mer_smic', '--override', 'majority', '--data-root', prepared_data, '--jobs', 1)
    result = tool('audit', *words, cwd=tmp_path)
    assert result.returncode == 1
    assert 'smic/s01 trains on smic/s01, which it tests' in ' '.join(result.stdout.split())
    assert 'leak audit: LEAK' in result.stdout


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ((), 'expected CONFIG to train it, or --record RECORD to read it'),
        (('mer_smic', '--record', 'x'), 'expected CONFIG to train it, or --record RECORD to read it'),
        (('--record', 'x'), 'x'),
        (('mer_smic', '--epochs', '0'), 'epochs 0: expected a whole number of at least 1'),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, words, message):
    result = tool('audit', *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.count('\n') == 1
    assert message in result.stderr


def test_the_run_must_be_one_of_the_method(run, prepared_data):
    words = ('mer_smic', '--override', 'ridge', '--data-root', prepared_data, '--run', run.folder)
    result = tool('audit', *words)
    assert result.returncode == 2
    assert 'give the run of this method on these data' in result.stderr
