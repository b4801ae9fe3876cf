"""The record of a run, written, read and found."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mer_bench.cli import compare, plot, score
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.results.collect import SUMS
from mer_bench.results.leaderboard import leaderboard
from mer_bench.results.record import curves_beside, json_schema, read_record, record_of, write_record
from mer_bench.results.run import find_runs, read_runs
from tests.conftest import ROOT
from tests.results.conftest import predictions


def change(path, **changes):
    """Replace keys of a record on disk; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.fixture
def path(new_run):
    return new_run('seed0') / 'record.json'


def test_a_record_comes_back_as_it_was_written(path, tmp_path):
    record = read_record(path)
    write_record(tmp_path / 'copy.json', record)
    assert read_record(tmp_path / 'copy.json') == record
    assert not list(tmp_path.glob('.*'))  # no temporary file is left


def test_a_changed_digit_of_a_record_is_named(path):
    write_record(path, read_record(path))
    path.write_text(path.read_text().replace('27212345', '27212346'))
    with pytest.raises(InputError, match=r'record\.json: expected the record that was written, but it was changed'):
        read_record(path)


def test_a_changed_file_beside_a_record_is_named(path):
    audit = path.with_name('audit.csv')
    audit.write_text('abc')
    write_record(path, read_record(path) | dict(files={'audit.csv': digest_file(audit)}))
    assert read_runs([path])
    audit.write_text('abd')
    with pytest.raises(InputError, match=r'audit\.csv: expected the file that was written with .*record\.json'):
        read_runs([path])


def test_no_number_is_printed_of_predictions_that_were_changed(path, tmp_path):
    table = path.with_name('predictions.csv')
    write_record(path, read_record(path) | dict(files={'predictions.csv': digest_file(table)}))
    assert record_of(table) == record_of(path.parent) == record_of(path) == read_record(path)
    table.write_text(table.read_text() + '\n')
    out = str(tmp_path / 'x.png')
    for command in (
        partial(score.main, [str(path.parent)]),
        partial(compare.main, [str(path), str(tmp_path)]),
        partial(plot.main, [str(table), '--kind', 'confusion', '--out', out]),
    ):
        with pytest.raises(
            InputError, match=r'predictions\.csv: expected the file that was written with .*record\.json'
        ):
            command()


def test_a_record_json_of_another_program_beside_a_log_is_not_read(tmp_path):
    (tmp_path / 'record.json').write_text('{}')
    assert record_of(tmp_path / 'log.txt') is None


def test_a_missing_key_is_named_with_its_file(path):
    change(path, protocol=None)
    with pytest.raises(InputError, match=r"record\.json: expected the key 'protocol'"):
        read_record(path)


def test_a_missing_inner_key_is_named_in_full(path):
    change(path, data={'annotations_digest': 'a', 'store': {}})
    with pytest.raises(InputError, match=r"'data\.store_digest'"):
        read_record(path)
    change(
        path,
        data={'annotations_digest': 'a', 'store_digest': 'b', 'store': {}},
        overrides=[{'name': 'x', 'digest': 'c'}],
    )
    with pytest.raises(InputError, match=r"'overrides\.0\.text'"):
        read_record(path)


def test_a_value_of_another_type_is_named(path):
    change(path, seed='zero')
    with pytest.raises(InputError, match="expected a valid integer for the key 'seed', but got str 'zero'"):
        read_record(path)


def test_nothing_is_written_of_a_record_that_lacks_a_key(path, tmp_path):
    record = read_record(path)
    del record['epoch_rule']
    with pytest.raises(InputError, match='epoch_rule'):
        write_record(tmp_path / 'bad.json', record)
    assert not (tmp_path / 'bad.json').exists()


@pytest.mark.parametrize('content', ['', '{"method": ', '[1]', 'null'])
def test_what_is_no_record_is_refused_in_one_sentence(path, content):
    path.write_text(content)
    with pytest.raises(InputError, match=r'record\.json: expected') as error:
        read_record(path)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('version', [0, 3])
def test_a_record_of_another_schema_is_refused_before_its_keys(path, version):
    change(path, schema_version=version, label_scheme=None)
    with pytest.raises(InputError, match=f'expected schema_version 2, but got {version}'):
        read_record(path)


def test_a_record_a_run_folder_and_a_parent_find_the_same_record_once(path, tmp_path):
    assert find_runs([path]) == ([path], [])
    assert find_runs([tmp_path, path.parent, path])[0] == [path]


def test_all_records_below_a_parent_are_found_in_order(new_run, tmp_path):
    runs = [new_run(name) for name in ('b/seed0', 'a/seed1', 'a/seed0')]
    assert find_runs([tmp_path])[0] == sorted(run / 'record.json' for run in runs)


@pytest.mark.parametrize('name', ['gone', 'gone/record.json', 'empty'])
def test_a_place_without_a_record_is_named(tmp_path, name):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match=f'{name}: expected a record.json or a folder'):
        find_runs([tmp_path / name])


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('classes', [1, 2, 3], "expected text for the key 'classes.0', but got int 1"),
        ('classes', [], "expected at least 1 item for the key 'classes'"),
        ('classes', [str(number) for number in range(3000)], "expected at most 100 items for the key 'classes'"),
        ('config', {'name': 'x', 'text': '', 'digest': 'c', 'input': 'abc'}, "an object for the key 'config.input'"),
        ('notes', 5, "expected a valid list for the key 'notes', but got int 5"),
        ('method', 'a\0', "text on one line without hidden characters for the key 'method'"),
        ('device', 'a\x1b[2J', "text on one line without hidden characters for the key 'device'"),
        ('seed', True, "a valid integer for the key 'seed', but got bool True"),
        ('seed', -1, "a number greater than or equal to 0 for the key 'seed'"),
        ('parameters', 10**400, "a number less than or equal to 1000000000000000 for the key 'parameters'"),
        ('scores', {'full': {}}, "the key 'scores.full.n', but it is missing"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(path, key, value, told):
    change(path, **{key: value})
    with pytest.raises(InputError) as error:
        read_record(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    'content', ['[' * 100_000, '{"a":' * 10_000, '{"method": NaN}', '{"n": -Infinity}', '{"m": "\\ud800"}', '1' * 5000]
)
def test_json_that_would_break_a_reader_is_refused(path, content):
    path.write_text(content)
    with pytest.raises(InputError, match=r'record\.json: expected JSON in UTF-8'):
        read_record(path)


def test_a_pipe_is_no_record(path):
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match='expected a file, found a pipe'):
        read_record(path)


def test_every_committed_record_has_the_published_schema_and_a_digest():
    published = ROOT / 'docs' / 'record.schema.json'
    again = 'python -m mer_bench.results.record > docs/record.schema.json'
    assert json.loads(published.read_text()) == json.loads(json_schema()), f'run {again}'
    validator = Draft202012Validator(json.loads(published.read_text()))
    records, _ = find_runs([ROOT / 'results'])
    for path in records:
        validator.validate(json.loads(path.read_text()))
        assert read_record(path)['schema_version'] == 2
    folders = [path for path in (ROOT / 'results').iterdir() if path.is_dir()]
    assert [path for path in folders if not (path / SUMS).is_file()] == []


def test_the_published_schema_refuses_what_reading_refuses(path):
    validator, record = Draft202012Validator(json.loads(json_schema())), read_record(path)
    assert validator.is_valid(record)
    assert validator.is_valid(record | {'key_of_tomorrow': 1})
    for changes in ({'seed': 'zero'}, {'seed': -1}, {'classes': []}, {'folds': {}}, {'scores': {'full': {}}}):
        assert not validator.is_valid(record | changes)
    assert not validator.is_valid({key: value for key, value in record.items() if key != 'protocol'})


@pytest.mark.parametrize('version', [1, 2])
def test_a_record_of_every_version_is_read_checked_and_shown(tmp_path, version):
    (tmp_path / 'run').mkdir()
    shutil.copy(Path(__file__).with_name('records') / f'v{version}.json', tmp_path / 'run' / 'record.json')
    predictions('one wrong').to_csv(tmp_path / 'run' / 'predictions.csv', index=False)
    (row,) = leaderboard(tmp_path / 'run').to_dict('records')
    assert (row['method'], row['uf1']) == ('full+no_attention', pytest.approx(23 / 27))
    assert row['protocol'] == {1: 'LOSO, 3 classes', 2: 'LOSO, smic_3class'}[version]


def test_curves_that_a_record_does_not_name_are_not_its_own(tmp_path):
    (tmp_path / 'curves.csv').write_text('planted')
    assert curves_beside(tmp_path / 'record.json', {'files': {}}) is None
    with pytest.raises(InputError, match='it was changed'):
        curves_beside(tmp_path / 'record.json', {'files': {'curves.csv': 'd' * 64}})
