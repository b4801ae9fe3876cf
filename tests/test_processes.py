"""Workers that are killed: what they were doing is done again, and the others are left alone."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from joblib.externals.loky import process_executor

from mer_bench import processes
from mer_bench.processes import in_workers, keep_freed_memory, quick_ones_here
from tests.events import group_has_ended, has_ended, started, wait_for


def kill_own_process(mark: Path, times: int, place: int) -> str:
    """End as a process ends whose memory the system needs, the first `times` times."""
    attempts = mark.read_text() if mark.exists() else ''
    mark.write_text(attempts + 'x')
    if len(attempts) < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return 'survived'


def note_start(marks: Path, mark: Path, place: int) -> str:
    """Say in a file of its own that a task began, and go on until another one survived the death of its worker."""
    (marks / f'{time.monotonic_ns()}').touch()
    wait_for(lambda: mark.exists() and mark.read_text() == 'xx')
    return 'done'


def test_the_task_of_a_killed_worker_runs_again_and_the_others_run_once(tmp_path, monkeypatch):
    """Nor does the worker that takes its place import a module from the working folder."""
    if sys.version_info >= (3, 11):
        (tmp_path / 'joblib.py').write_text('raise SystemExit')
        monkeypatch.chdir(tmp_path)
    told, marks, mark = [], tmp_path / 'marks', tmp_path / 'mark'
    marks.mkdir()
    tasks = [partial(note_start, marks, mark), partial(kill_own_process, mark, 1), partial(note_start, marks, mark)]
    results = [*in_workers(tasks, 2, 1, told.append)]
    assert sorted(results) == ['done', 'done', 'survived']
    assert len(told) == 1
    assert len([*marks.iterdir()]) == 2


def test_a_task_that_kills_its_worker_twice_is_given_up_and_the_next_ones_find_workers(tmp_path):
    with pytest.raises(Exception, match='terminated'):
        list(in_workers([partial(kill_own_process, tmp_path / 'mark', 2)], 1, 1))
    assert (tmp_path / 'mark').read_text() == 'xx'
    assert list(in_workers([abs, abs], 1, 1)) == [0, 0]


def keep_memory(megabytes: int, place: int) -> int:
    """Keep memory until this process ends, and let loky look at it after every task."""
    process_executor._MEMORY_LEAK_CHECK_DELAY = -1
    process_executor.kept = np.ones(megabytes * 2**17)
    return os.getpid()


def test_a_worker_stays_that_keeps_more_memory_than_it_did_after_its_first_task():
    """As a training does after the comparison of gradients; loky alone would start another process above 300 MB."""
    assert len({*in_workers([partial(keep_memory, size) for size in (1, 320, 1)], 1, 1)}) == 1
    processes._stop(0, 1)


def test_a_worker_that_was_killed_while_it_waited_is_replaced():
    (first,) = in_workers([lambda place: os.getpid()], 1, 1)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: processes._workers[0, 1]._flags.broken)
    (second,) = in_workers([lambda place: os.getpid()], 1, 1)
    assert second != first


def test_a_task_that_is_killed_in_the_place_of_a_worker_that_ended_by_itself_runs_again(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, 'SECONDS_IDLE', 0.2)
    threads_of_its_own = 7  # so that no worker of another test is taken
    assert list(in_workers([abs], 1, threads_of_its_own)) == [0]
    worker = processes._workers[0, threads_of_its_own]
    wait_for(lambda: not worker._processes)
    time.sleep(0.5)  # its thread waits again by then; were it late, only a fault would not show
    assert list(in_workers([partial(kill_own_process, tmp_path / 'mark', 1)], 1, threads_of_its_own)) == ['survived']


def test_tasks_are_told_their_place_and_libraries_their_threads(tmp_path, monkeypatch):
    monkeypatch.delenv('PYTHONSAFEPATH', raising=False)
    monkeypatch.chdir(tmp_path)
    Path('joblib.py').write_text("open('ran', 'w')")  # of a stranger; a worker starts as python -m joblib...
    Path('beside.py').touch()
    Path('script.py').write_text('import beside')
    tasks = [lambda place: (place, os.environ['OMP_NUM_THREADS'])] * 4
    assert sorted({*in_workers(tasks, 2, 3)}) == [(0, '3'), (1, '3')]
    assert sys.version_info < (3, 11) or not Path('ran').exists()
    subprocess.run([sys.executable, 'script.py'], check=True)  # scripts of the user find what lies beside them


# imported by every interpreter at its start: a worker waits there, as if its imports took for ever
AT_START = """
import os, pathlib, sys, time
if '--process-name' in sys.orig_argv:
    pathlib.Path({folder!r}, f'{{os.getpid()}}.importing').touch()
    time.sleep(1e6)
"""
TWO_WORKERS = """
from mer_bench.errors import run_tool
from mer_bench.processes import in_parallel
def main():
    with in_parallel(abs, [(1,), (2,)], workers=2) as results:
        list(results)
run_tool(main)
"""
TWO_TRAININGS = """
from mer_bench.errors import run_tool
from mer_bench.processes import in_workers
run_tool(lambda: list(in_workers([abs, abs], 2, 1)))
"""


@pytest.mark.parametrize('program', [TWO_WORKERS, TWO_TRAININGS])
def test_ctrl_c_while_workers_import_prints_one_line(tmp_path, program):
    (tmp_path / 'sitecustomize.py').write_text(AT_START.format(folder=str(tmp_path)))
    errors = tmp_path / 'errors.txt'
    with started(sys.executable, '-c', program, errors=errors, path=tmp_path) as process:
        wait_for(lambda: len([*tmp_path.glob('*.importing')]) == 2 or process.poll() is not None)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 130
        wait_for(lambda: group_has_ended(process.pid))
    assert errors.read_text() == 'stopped; run the same command again to continue\n'


def folder_of_worker(place: int) -> str:
    return os.getcwd()


def test_a_worker_that_stays_follows_its_parent_to_another_folder(tmp_path, monkeypatch):
    assert [*in_workers([folder_of_worker], 1, 1)] == [os.getcwd()]
    monkeypatch.chdir(tmp_path)
    assert [*in_workers([folder_of_worker], 1, 1)] == [str(tmp_path)]


def test_an_error_of_a_task_ends_the_workers_that_are_busy(tmp_path):
    begun, go_on, late = (tmp_path / name for name in ('begun', 'go_on', 'late'))

    def fail(place):
        wait_for(begun.exists)
        raise ValueError('wrong')

    def note_late(place):
        begun.write_text(str(os.getpid()))
        wait_for(go_on.exists)
        late.touch()

    with pytest.raises(ValueError, match='wrong'):
        list(in_workers([fail, note_late], 2, 1))
    go_on.touch()
    wait_for(lambda: late.exists() or has_ended(int(begun.read_text())))
    assert not late.exists()


# 80 MB, far above what glibc keeps by itself; a page that is new to the process is a fault
COUNT_FAULTS = """
import resource, numpy as np
from mer_bench.processes import keep_freed_memory
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


def test_quick_tasks_stay_in_this_process(monkeypatch):
    monkeypatch.setattr(processes, 'in_workers', lambda *arguments: 1 / 0)
    assert [*quick_ones_here([lambda place: os.getpid()] * 3, 2, 1)] == [os.getpid()] * 3


def test_tasks_that_take_longer_than_a_worker_needs_to_start_go_on_in_workers(monkeypatch):
    monkeypatch.setattr(processes, 'SECONDS_TO_START', -1)
    first, *others = quick_ones_here([lambda place: os.getpid()] * 3, 2, 1)
    assert first == os.getpid()
    assert os.getpid() not in others
    assert len(others) == 2


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Return a function that sets the limits of a container, on a machine with 1000 bytes of which 800 are free."""
    monkeypatch.setattr(processes.psutil, 'virtual_memory', lambda: SimpleNamespace(total=1000, available=800))
    monkeypatch.setattr(processes, 'CGROUP', tmp_path)

    def limit(most: str, current: int, inactive_file: int) -> None:
        (tmp_path / 'memory.max').write_text(f'{most}\n')
        (tmp_path / 'memory.current').write_text(f'{current}\n')
        (tmp_path / 'memory.stat').write_text(f'anon 7\ninactive_file {inactive_file}\nactive_file 9\n')

    return limit


@pytest.mark.parametrize(
    ('limits', 'expected'),
    [
        (('400', 150, 50), (400, 300)),  # cached pages of files are free
        (('1900', 150, 50), (1000, 800)),  # more than the machine has
        (('400', 500, 50), (400, 0)),
        (('max', 150, 50), (1000, 800)),
    ],
)
def test_memory_is_that_of_the_container_where_it_is_less(container, limits, expected):
    container(*limits)
    assert processes.usable_memory() == expected


def test_without_a_container_memory_is_that_of_the_machine(container):
    assert processes.usable_memory() == (1000, 800)
