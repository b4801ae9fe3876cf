"""The clips of a build over worker processes; a stop at any point leaves a build that can be continued."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mer_bench.errors import InputError
from mer_bench.preparation.store.build import DoneClip, append_done, read_done, write_clip
from mer_bench.processes import follow_parent

ClipFunction = Callable[..., tuple[np.ndarray, int | None, str]]


def compute_clips(build: Path, function: ClipFunction, arguments: Sequence[tuple], workers: int) -> None:
    """Fill every row of the build that is not done yet, with a progress bar.

    Args:
        build: folder made by :func:`mer_bench.preparation.store.build.start_build`.
        function: returns a clip's array, its apex and a remark 'kind: detail', '' for none.
        arguments: for each row, the arguments of `function`.
        workers: number of processes; OpenCV's own threads scale worse and are switched off.
    """
    done = read_done(build)
    todo = [row for row in range(len(arguments)) if row not in done]
    tasks = [(build, row, function, arguments[row]) for row in todo]
    with in_parallel(compute_row, tasks, workers) as results, progress_bar() as bar:
        shown = bar.add_task('clips', total=len(arguments), completed=len(done))
        for clip in results:
            append_done(build, clip)
            bar.advance(shown)


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
        with closing(parallel(joblib.delayed(function)(*task) for task in tasks)) as results:
            yield results
    except TerminatedWorkerError as error:
        raise InputError(
            'a worker was ended by the system, probably for lack of memory; run again with fewer --workers than '
            f'{workers}, finished clips stay'
        ) from error


def progress_bar() -> Progress:
    """Return a bar of clips and time left, on stderr."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def compute_row(build: Path, row: int, function: ClipFunction, arguments: tuple) -> DoneClip:
    """Compute one clip and write it into its row; runs in a worker."""
    cv2.setNumThreads(1)
    start = time.perf_counter()
    clip, apex, remark = function(*arguments)
    write_clip(build, row, clip)
    return DoneClip(row, apex, time.perf_counter() - start, remark)
