"""The clips of a build over worker processes; a stop at any point leaves a build that can be continued."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import joblib
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mer_bench.preparation.store_build import DoneClip, append_done, read_done, write_clip
from mer_bench.processes import follow_parent

ClipFunction = Callable[..., tuple[np.ndarray, int | None]]


def compute_clips(build: Path, function: ClipFunction, arguments: Sequence[tuple], workers: int) -> None:
    """Fill every row of the build that is not done yet, with a progress bar.

    Args:
        build: folder made by :func:`mer_bench.preparation.store_build.start_build`.
        function: returns a clip's array and apex.
        arguments: for each row, the arguments of `function`.
        workers: number of processes; OpenCV's own threads scale worse and are switched off.
    """
    done = read_done(build)
    todo = [row for row in range(len(arguments)) if row not in done]
    tasks = (joblib.delayed(compute_row)(build, row, function, arguments[row]) for row in todo)
    results = joblib.Parallel(
        n_jobs=workers,
        batch_size=1,
        return_as='generator_unordered',
        initializer=follow_parent,
        initargs=(os.getpid(),),
    )(tasks)
    with closing(results), progress_bar() as bar:
        shown = bar.add_task('clips', total=len(arguments), completed=len(done))
        for clip in results:
            append_done(build, clip)
            bar.advance(shown)


def progress_bar() -> Progress:
    """Return a bar of clips and time left, on stderr."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def compute_row(build: Path, row: int, function: ClipFunction, arguments: tuple) -> DoneClip:
    """Compute one clip and write it into its row; runs in a worker."""
    cv2.setNumThreads(1)
    start = time.perf_counter()
    clip, apex = function(*arguments)
    write_clip(build, row, clip)
    return DoneClip(row, apex, time.perf_counter() - start)
