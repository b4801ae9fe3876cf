import os
import pickle

import pytest

from mer_bench import files
from mer_bench.errors import InputError
from mer_bench.files import digest_file, write_atomically
from mer_bench.results.sanity import COLUMNS, read_rows


@pytest.mark.parametrize('place', ['file/table.csv', 'file/inside/table.csv'])
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(tmp_path, place):
    (tmp_path / 'file').touch()
    with (
        pytest.raises(InputError, match=rf'{place}: expected a place for this file'),
        write_atomically(tmp_path / place),
    ):
        pytest.fail('the block was entered')


def test_a_sentence_is_one_line_that_can_be_printed():
    error = InputError('of \n  a library:\r\x1b[31m \ud800 \u202e é')
    assert str(error) == 'of a library: \\x1b[31m \\ud800 \\u202e é'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as from a worker


def test_a_file_appears_whole(tmp_path):
    with write_atomically(tmp_path / 'new/a.txt') as temporary:
        temporary.write_text('half')
        assert not (tmp_path / 'new/a.txt').exists()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.txt']


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    (tmp_path / '.a.txt.123.tmp').write_text('of a killed process')
    with write_atomically(tmp_path / 'a.txt') as first:
        first.write_text('first')
        with write_atomically(tmp_path / 'a.txt') as second:
            second.write_text('second')
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('a.txt', 'first')]


def test_what_another_process_just_began_is_not_removed(tmp_path, monkeypatch):
    hold = files.hold

    def late(file):  # the other process cleans up between the making of the file and its lock
        monkeypatch.setattr(files, 'hold', hold)
        files.remove_leftovers(tmp_path / 'a.txt')
        return hold(file)

    monkeypatch.setattr(files, 'hold', late)
    with write_atomically(tmp_path / 'a.txt') as temporary:
        assert temporary.exists()
    assert [path.name for path in tmp_path.iterdir()] == ['a.txt']


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    seen = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda file: seen.append(os.readlink(f'/proc/self/fd/{file}')) or fsync(file))
    monkeypatch.setattr(os, 'replace', lambda old, new: seen.append(str(new)) or replace(old, new))
    with write_atomically(tmp_path / 'a.txt') as temporary:
        temporary.write_text('whole')
    assert seen == [str(temporary), str(tmp_path / 'a.txt'), str(tmp_path)]


@pytest.mark.parametrize(
    ('make', 'kind'),
    [(os.mkfifo, 'a pipe'), (os.mkdir, 'a folder'), (lambda path: os.symlink('/dev/zero', path), 'a device')],
)
def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path, make, kind):
    make(tmp_path / 'a.csv')
    for read in (digest_file, lambda path: read_rows(path, COLUMNS)):
        with pytest.raises(InputError, match=f'a.csv: expected a file, found {kind}; '):
            read(tmp_path / 'a.csv')
