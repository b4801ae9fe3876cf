"""The configs of the project, which tests read again and again, are read once."""

import copy
from functools import lru_cache
from pathlib import Path

import pytest

from mer_bench.experiment import config_files, method
from tests.conftest import ROOT


@pytest.fixture(scope='session', autouse=True)
def configs_read_once():
    """Those of the project, which no test changes: MMEngine copies every file and its bases before it reads it."""

    def read(path):
        known = ROOT in Path(path).resolve().parents
        return copy.deepcopy(once(path)) if known else whole(path)

    whole = config_files.read_config
    once = lru_cache(maxsize=None)(whole)
    with pytest.MonkeyPatch.context() as patch:
        for module in (config_files, method):
            patch.setattr(module, 'read_config', read)
        yield
