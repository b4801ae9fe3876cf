"""Tasks over worker processes of their own: one that is killed takes no other with it, and its task is run again.

A pool of several processes, as joblib has, loses all that is running when the system ends one of them.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mer_bench.processes import follow_parent

Result = TypeVar('Result')
DEATHS = 2  # of the worker of one task, after which the task is given up
SECONDS_IDLE = 300  # after which a worker ends; the runs of a sweep share workers
LIBRARY_THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')
_workers: dict[tuple[int, int], ProcessPoolExecutor] = {}


def in_workers(
    tasks: Sequence[Callable[[int], Result]], jobs: int, threads: int, told: Callable[[str], None] = lambda text: None
) -> Iterator[Result]:
    """Run tasks in `jobs` workers; yield each result as it comes. When the iterator is closed, its workers end.

    Args:
        tasks: Called with the number of their worker, from 0 to jobs - 1.
        jobs: Workers.
        threads: Of the libraries of a worker.
        told: Is told of every worker that was killed.

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
                    told('the system ended a training process; what it was training is trained again')
                    waiting.appendleft((number, task))
                else:
                    yield result
    except BaseException:  # also Ctrl-C, of which the workers know nothing
        for place, _, _ in running.values():
            _stop(place, threads)
        raise


def worker_ids(threads: int) -> list[int]:
    """Return the process ids of the workers with so many threads that are there now."""
    return [process for key, worker in _workers.items() if key[1] == threads for process in worker._processes]


def _submit(place: int, threads: int, task: Callable[[int], Result]) -> Future:
    """Give a task to the worker at a place, to a new one where the old one was killed while it waited."""
    try:
        return _worker(place, threads).submit(task, place)
    except TerminatedWorkerError:
        _stop(place, threads)
        return _worker(place, threads).submit(task, place)


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
