"""What the system says of a user's file, as one sentence with exit code 2."""

import errno
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from mer_bench.errors import RIGHTS, SPACE, InputError, run_tool
from mer_bench.files import locked, named, write_array, write_atomically
from tests.conftest import largest_file

CODES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), SPACE)
CODES |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), RIGHTS)
CODES |= dict.fromkeys((errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.EISDIR), 'check the path')
CODES |= dict.fromkeys((errno.ESTALE, errno.ENOLCK, errno.EIO, errno.ENOTSUP), 'check the disk')


def refusal(capsys, raised):
    def main():
        raise raised

    with pytest.raises(SystemExit) as stopped:
        run_tool(main)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count('\n') == 1
    return printed


@pytest.mark.parametrize('code', CODES, ids=errno.errorcode.get)
def test_every_error_at_a_file_is_one_sentence(capsys, code):
    printed = refusal(capsys, OSError(code, os.strerror(code), 'runs/a.csv'))
    assert printed.startswith(f'error: runs/a.csv: {os.strerror(code)}; {CODES[code]}')


def test_too_little_memory_is_one_sentence(capsys):
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**55)
    for error in (of_torch.value, MemoryError('Unable to allocate 1 PiB')):
        assert 'memory of this machine ran out' in refusal(capsys, error)


def test_an_error_without_number_or_name_is_one_sentence_too(capsys):
    assert refusal(capsys, OSError('12 requested and 5 written')) == (
        f'error: a file: 12 requested and 5 written; {SPACE}\n'
    )
    assert refusal(capsys, zipfile.BadZipFile('File is not a zip file')).startswith('error: a file: File is not a zip')
    assert refusal(capsys, InputError('of\ntwo lines')) == 'error: of two lines\n'


def test_the_name_of_a_file_cannot_steer_the_terminal(capsys):
    assert '\\x1b[2Ja.csv: No such file' in refusal(capsys, OSError(errno.ENOENT, 'No such file', '\x1b[2Ja.csv'))


def test_of_a_long_message_beginning_and_end_are_kept():
    message = str(InputError(f'{"a " * 2000}found; correct it'))
    assert len(message) < 1500
    assert message.startswith('a a a ')
    assert message.endswith(' a found; correct it')


def test_of_a_long_word_beginning_and_end_are_kept():
    assert str(InputError(f'x.csv: expected a name, found {"9" * 5000}; correct it')) == (
        f'x.csv: expected a name, found {"9" * 200}...{"9" * 59}; correct it'
    )
    path = '/data' * 100
    assert str(InputError(f'{path}: no such folder')) == f'{path}: no such folder'


def test_a_write_that_stops_names_its_file(tmp_path):
    for error in (OSError(errno.ENOSPC, 'No space left'), OSError('12 requested and 5 written')):
        with pytest.raises(OSError, match=r'a\.npy') as raised, write_atomically(tmp_path / 'a.npy'):
            raise error
        again = pickle.loads(pickle.dumps(raised.value))  # of a worker
        assert (again.filename, again.errno) == (str(tmp_path / 'a.npy'), error.errno)
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='a system without /dev/full')
@pytest.mark.parametrize(
    'save', [lambda path: np.ones(99999).tofile(path), lambda path: torch.save(torch.ones(99), path)]
)
def test_numpy_and_torch_on_a_full_disk_are_errors_at_the_file(tmp_path, save):
    with pytest.raises(OSError, match='weights'), named(tmp_path / 'weights'):
        save('/dev/full')


@pytest.mark.parametrize('values', [1, 1009, 1020, 99999])  # of np.save the last bytes of the second and third are lost
def test_an_array_is_written_whole_or_not_at_all(tmp_path, values):
    write_array(tmp_path / 'a.npy', np.arange(values))
    assert np.array_equal(np.load(tmp_path / 'a.npy'), np.arange(values))
    with (
        largest_file((tmp_path / 'a.npy').stat().st_size - 1),
        pytest.raises(OSError, match=r'File too large: .*b\.npy'),
    ):
        write_array(tmp_path / 'b.npy', np.arange(values))
    assert [path.name for path in tmp_path.iterdir()] == ['a.npy']


def test_other_errors_of_a_run_stay_what_they_are(tmp_path):
    for error in (RuntimeError('shapes do not fit'), BrokenPipeError(errno.EPIPE, 'Broken pipe'), ValueError('x')):
        with pytest.raises(type(error)), locked(tmp_path, 'busy'):
            raise error


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='a system without /dev/full')
def test_output_that_cannot_be_printed_is_one_sentence():
    code = 'from mer_bench.errors import run_tool; run_tool(lambda: print("scores"))'
    with open('/dev/full', 'w') as full:
        done = subprocess.run([sys.executable, '-c', code], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f'error: a file: No space left on device; {SPACE}\n')


def test_a_closed_pipe_ends_without_a_word():
    code = 'from mer_bench.errors import run_tool; run_tool(lambda: print("scores" * 99999))'
    command = f'{sys.executable} -c {code!r} | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(['bash', '-c', command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, '')
