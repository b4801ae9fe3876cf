"""The configs of the project, which tests read again and again, are read once."""

import copy
from functools import lru_cache
from pathlib import Path

import pytest

from mer_bench.experiment import method
from tests.conftest import ROOT


@pytest.fixture(scope='session', autouse=True)
def configs_read_once():
    """Those of the project, which no test changes: MMEngine copies every file and its bases before it reads it."""

    def read(path):
        known = ROOT in Path(path).resolve().parents
        return copy.deepcopy(once(path)) if known else whole(path)

    whole = method.read_config
    once = lru_cache(maxsize=None)(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, 'read_config', read)
        yield
