"""A small experiment and its finished run. Configs are read once, see the import."""

import shutil

import pytest

from tests.configs_read_once import configs_read_once  # noqa: F401
from tests.training.test_fold_config import experiment_on


@pytest.fixture(scope='module')
def experiment(prepared_data, tiny_override):
    """Three folds of the tiny model."""
    return experiment_on(prepared_data, overrides=[str(tiny_override)])


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of the finished run of the experiment, without checkpoints."""
    return shutil.copytree(finished_run, tmp_path / 'run', ignore=shutil.ignore_patterns('*.pth'))
