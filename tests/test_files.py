import pickle

import pytest

from mer_bench.errors import InputError
from mer_bench.files import write_atomically


@pytest.mark.parametrize('place', ['file/table.csv', 'file/inside/table.csv'])
def test_a_place_where_nothing_can_be_written_is_told_before_the_work(tmp_path, place):
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
