import pytest

from mer_bench.errors import InputError
from mer_bench.files import locked


def test_a_folder_that_cannot_be_created_is_told(tmp_path):
    (tmp_path / 'file').touch()
    with (
        pytest.raises(InputError, match=r'out: cannot be created \(Not a directory\); choose another'),
        locked(tmp_path / 'file/out', 'busy'),
    ):
        pass
