"""Worker processes and the memory of a process.

:func:`in_workers` survives the death of a worker: its task runs again, and the others go on. Each worker is a pool of
one process, because a pool of several, as joblib has, loses all that is running when the system ends one of them.
"""

import ctypes
import os
import platform
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TypeVar

import joblib
import psutil
from joblib.externals.loky import ProcessPoolExecutor, process_executor
from joblib.externals.loky.backend import resource_tracker as loky_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mer_bench.errors import InputError

Result = TypeVar('Result')
DEATHS = 2  # of the worker of one task, after which the task is given up
SECONDS_TO_START = 4  # of a worker that fits methods of scikit-learn
# that a worker may keep from a training for the next one: loky calls 300 MB a leak and starts another worker, which
# takes longer than many trainings
BYTES_KEPT = 4 * 2**30
SECONDS_IDLE = 300  # after which a worker ends; the runs of a sweep share workers
LIBRARY_THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')
KEEP_MEMORY = 'MER_BENCH_KEEP_MEMORY'  # set to 0 in the environment, it leaves glibc as it is
# malloc.h of glibc
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LARGEST_INT = 2**31 - 1
CGROUP = Path('/sys/fs/cgroup')  # version 2, of this process if it runs in a container
SAFE_PATH = 'PYTHONSAFEPATH'  # Python 3.10 does not know this variable
_workers: dict[tuple[int, int], ProcessPoolExecutor] = {}


def follow_parent(parent: int) -> None:
    """Initialise a worker of the process `parent`: leave Ctrl-C to it, and end with it even when it is killed.

    What a task leaves in memory, up to BYTES_KEPT, is no reason to end it either.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_executor._MAX_MEMORY_LEAK_SIZE = BYTES_KEPT

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; processes that start in the block never get it, not even at import.

    Windows cannot hold it back: there the block just runs.
    """
    with safe_path():
        if not hasattr(signal, 'pthread_sigmask'):
            yield
            return
        for tracker in (loky_tracker, resource_tracker):
            tracker.ensure_running()  # its start would let Ctrl-C through again
        held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def safe_path() -> Iterator[None]:
    """Let Python processes that start in the block import nothing from the working folder, which may be a stranger's.

    `python -m` and `python -c`, by which workers start, would else import a joblib.py there. It ends with the block:
    scripts that a user starts from here import what lies beside them.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = before or '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


@contextmanager
def in_parallel(function: Callable, tasks: Sequence[tuple], workers: int) -> Iterator[Iterator]:
    """Yield the results of `function` for the arguments in `tasks` as they come; the workers end with this process."""
    parallel = joblib.Parallel(
        n_jobs=workers,
        batch_size=1,
        return_as='generator_unordered',
        initializer=follow_parent,
        initargs=(os.getpid(),),
    )
    try:
        with ExitStack() as stack:
            with interrupts_held():
                results = parallel(joblib.delayed(function)(*task) for task in tasks)
                stack.enter_context(closing(results))
            yield results
    except TerminatedWorkerError as error:
        raise InputError(
            'the system stopped a worker, probably for lack of memory; run again with fewer --workers than '
            f'{workers}, finished clips are kept'
        ) from error


def quick_ones_here(
    tasks: Sequence[Callable[[int], Result]], jobs: int, threads: int, report: Callable[[str], None] = lambda text: None
) -> Iterator[Result]:
    """Do the same as :func:`in_workers`, but run tasks in this process until workers would save time."""
    start = time.process_time()  # which does not grow while others use the processor
    for done, task in enumerate(tasks, start=1):
        yield task(0)
        rest = (time.process_time() - start) / done * (len(tasks) - done)
        if rest - rest / jobs > SECONDS_TO_START:
            yield from in_workers(tasks[done:], jobs, threads, report)
            return


def in_workers(
    tasks: Sequence[Callable[[int], Result]], jobs: int, threads: int, report: Callable[[str], None] = lambda text: None
) -> Iterator[Result]:
    """Run tasks in `jobs` workers and yield each result as it comes; closing the iterator ends its workers.

    Args:
        tasks: Called with the number of their worker, from 0 to jobs - 1.
        jobs: Number of workers.
        threads: Threads of the libraries in a worker.
        report: Called with a line about every worker that was killed.

    Raises:
        TerminatedWorkerError: The worker of one task was killed for the second time.
    """
    waiting, deaths = deque(enumerate(tasks)), Counter()
    idle = list(reversed(range(jobs)))
    running: dict[Future, tuple[int, int, Callable[[int], Result]]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                place, (number, task) = idle.pop(), waiting.popleft()
                running[_submit(place, threads, task)] = place, number, task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place, number, task = running.pop(future)
                idle.append(place)
                try:
                    result = future.result()
                except TerminatedWorkerError:
                    _stop(place, threads)
                    deaths[number] += 1
                    if deaths[number] == DEATHS:
                        raise
                    report('the system killed a training process; its folds are trained again')
                    waiting.appendleft((number, task))
                else:
                    yield result
    except BaseException:  # Ctrl-C too, which the workers do not get
        for place, _, _ in running.values():
            _stop(place, threads)
        raise


def _submit(place: int, threads: int, task: Callable[[int], Result]) -> Future:
    """Give a task to the worker at a place, or to a new one if the old one was killed while it waited."""
    with interrupts_held():
        try:
            return _worker(place, threads).submit(_run_in, os.getcwd(), task, place)
        except TerminatedWorkerError:
            _stop(place, threads)
            return _worker(place, threads).submit(_run_in, os.getcwd(), task, place)


def _run_in(folder: str, task: Callable[[int], Result], place: int) -> Result:
    """Run a task in the present folder of the parent, which may have changed since the worker started."""
    os.chdir(folder)
    return task(place)


def _worker(place: int, threads: int) -> ProcessPoolExecutor:
    """The only worker at this place; it stays for the next task."""
    worker = _workers.get((place, threads))
    if worker and not worker._processes:  # it ended for want of tasks, and loky does not watch the process that it
        _stop(place, threads)  # would start instead: a task that is killed there would never come back
    if (place, threads) not in _workers:
        _workers[place, threads] = ProcessPoolExecutor(
            max_workers=1,
            timeout=SECONDS_IDLE,
            initializer=follow_parent,
            initargs=(os.getpid(),),
            env=dict.fromkeys(LIBRARY_THREADS, str(threads)),
        )
    return _workers[place, threads]


def _stop(place: int, threads: int) -> None:
    """End the worker at this place, whatever it does."""
    if worker := _workers.pop((place, threads), None):
        worker.shutdown(kill_workers=True)


def usable_memory() -> tuple[int, int]:
    """Return the bytes of memory that this process may use in all, and how many of them are free.

    In a container that is the limit of its cgroup, if it is lower than what the machine has; psutil ignores it. Cached
    pages of files count as free, as the system gives them up on demand.
    """
    machine = psutil.virtual_memory()
    try:
        limit, used = ((CGROUP / f'memory.{name}').read_text().strip() for name in ('max', 'current'))
        cached = dict(line.split() for line in (CGROUP / 'memory.stat').read_text().splitlines())['inactive_file']
        limit, used = int(limit), int(used) - int(cached)
    except (OSError, ValueError, KeyError):  # no cgroup, or one without a limit ('max')
        return machine.total, machine.available
    return min(machine.total, limit), max(0, min(machine.available, limit - used))


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory for large tensors, instead of new pages that the system must zero first.

    By default, glibc gives blocks of 32 MB and more back to the system with every tensor. mallopt(3) cannot raise the
    threshold of mmap above 32 MB, so mmap is turned off, and the end of the heap is not trimmed. The peak of memory
    stays the same; all is given back when the process ends.

    Returns:
        Whether something was set: nothing is if the C library is not glibc, if `MER_BENCH_KEEP_MEMORY=0`, or if the
        environment has a `MALLOC_...` of its own.
    """
    own = any(name.startswith('MALLOC_') for name in os.environ)
    if platform.libc_ver()[0] != 'glibc' or own or os.environ.get(KEEP_MEMORY) == '0':
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
