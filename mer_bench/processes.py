"""Worker processes that end with their parent."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from mer_bench.errors import InputError


def follow_parent(parent: int) -> None:
    """Initialise a worker of the process `parent`: leave Ctrl-C to it, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def in_parallel(function: Callable, tasks: Sequence[tuple], workers: int) -> Iterator[Iterator]:
    """Yield the results of `function` for the arguments in `tasks` as they come; the workers end with this process."""
    import joblib  # which few users of this module need
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(
        n_jobs=workers,
        batch_size=1,
        return_as='generator_unordered',
        initializer=follow_parent,
        initargs=(os.getpid(),),
    )
    try:
        with closing(parallel(joblib.delayed(function)(*task) for task in tasks)) as results:
            yield results
    except TerminatedWorkerError as error:
        raise InputError(
            'the system stopped a worker, probably for lack of memory; run again with fewer --workers than '
            f'{workers}, finished clips are kept'
        ) from error
