import errno

import pytest

from mer_bench import files
from mer_bench.errors import InputError
from mer_bench.files import locked


def test_a_folder_that_cannot_be_created_is_told(tmp_path):
    (tmp_path / 'file').touch()
    with (
        pytest.raises(InputError, match=r'out: cannot be created \(Not a directory\); choose another'),
        locked(tmp_path / 'file/out', 'busy'),
    ):
        pass


@pytest.mark.parametrize(
    ('error', 'advice'),
    [
        (OSError(errno.EROFS, 'Read-only file system', '.lock'), 'change its rights'),
        (OSError(errno.ENOLCK, 'No locks available'), 'check the disk'),
        (OSError(errno.ESTALE, 'Stale file handle'), 'check the disk'),
        (NotImplementedError('no flock'), 'check the disk'),
    ],
)
def test_a_folder_that_cannot_be_locked_is_one_sentence(tmp_path, monkeypatch, error, advice):
    def acquire(self, timeout):
        raise error

    monkeypatch.setattr(files.FileLock, 'acquire', acquire)
    with pytest.raises(files.CannotHold, match=f'{tmp_path}: expected a folder that can be locked .*; {advice}'):
        files.locked(tmp_path, 'busy').__enter__()
