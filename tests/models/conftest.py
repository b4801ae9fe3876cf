"""Networks of a few channels, one thread, and the scope in which stock parts are found."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import mer_bench.registry  # noqa: F401


@pytest.fixture(autouse=True)
def _torch():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small are slower with more
    torch.manual_seed(0)
    init_default_scope('mmaction')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # no line per weight
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)
