import subprocess
import sys

import pytest

from mer_bench.training.allocator import keep_freed_memory

# 80 MB, far above what glibc keeps by itself; a page that is new to the process is a fault
COUNT_FAULTS = """
import resource, numpy as np
from mer_bench.training.allocator import keep_freed_memory
kept = keep_freed_memory()
np.ones(10**7)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(10**7)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment):
    """Whether memory is kept, and the new pages of five large arrays, each freed before the next."""
    run = subprocess.run(
        [sys.executable, '-c', COUNT_FAULTS], capture_output=True, text=True, check=True, env=environment
    )
    kept, pages = run.stdout.split()
    return kept == 'True', int(pages)


@pytest.mark.skipif(not keep_freed_memory(), reason='the C library is not glibc, or the environment sets it up')
def test_large_arrays_take_the_memory_of_those_that_were_freed():
    kept, pages = faults()
    assert kept
    assert pages < 1000  # of 97,000 of 4 KB


def test_it_can_be_turned_off_or_left_to_the_environment():
    for environment in (dict(MER_BENCH_KEEP_MEMORY='0'), dict(MALLOC_ARENA_MAX='2')):
        assert faults(**environment)[0] is False
