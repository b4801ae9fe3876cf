"""Many folds over worker processes, under one progress bar of folds and epochs."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mer_bench.errors import InputError
from mer_bench.processes import follow_parent
from mer_bench.protocols.folds import Fold
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold import CHECKPOINT, finished_folder, read_epoch, run_fold

# a training of the full model at 3x16x112x112 and batch 16 takes 2.8 GiB (largest resident set), and needs some room
BYTES_PER_JOB = 4 * 2**30
SECONDS_BETWEEN_LOOKS = 0.5
# called with the folds, the run folder and the epochs of a fold; yields where the lines about finished folds go
Show = Callable[[list[Fold], Path, int], AbstractContextManager[Console]]


def default_jobs(device: str) -> int:
    """One training per CPU core, as far as the memory reaches; one on a GPU."""
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    limit = Path('/sys/fs/cgroup/memory.max')  # of a container
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return max(1, min(joblib.cpu_count(), memory // BYTES_PER_JOB)) if device == 'cpu' else 1


def run_missing(
    experiment: Experiment,
    seed: int,
    work_dir: Path,
    jobs: int,
    save_checkpoints: bool,
    show: Show | None = None,
    isolated: bool = False,
) -> None:
    """Train the chosen folds that are not finished, `jobs` at a time.

    Args:
        show: Shows what is going on, in place of a bar over the epochs of these folds.
        isolated: Use a process of its own also for one fold at a time, whose crash does not end this one.

    Raises:
        InputError: The system ended a worker.
    """
    folds = experiment.chosen
    missing = [fold for fold in folds if not finished_folder(work_dir, fold).exists()]
    for fold in folds:
        if save_checkpoints and fold not in missing and not (finished_folder(work_dir, fold) / CHECKPOINT).exists():
            raise InputError(
                f'{fold.name} is finished without a checkpoint; give another --work-dir with --save-checkpoints'
            )
    tasks = [joblib.delayed(run_fold)(experiment, fold, seed, work_dir, save_checkpoints) for fold in missing]
    jobs = max(1, min(jobs, len(missing)))
    try:
        with (show or show_bar)(folds, work_dir, experiment.method.cfg.train_cfg.max_epochs) as console:
            if len(missing) < len(folds):
                console.print(f'{len(folds) - len(missing)} of {len(folds)} folds are finished already')
            with closing(in_one_worker(tasks) if isolated and jobs == 1 else in_workers(tasks, jobs)) as results:
                for result in results:
                    seconds = result['train_seconds']
                    console.print(
                        f'{result["fold"]}: {result["n_train"]} clips to train, {result["n_test"]} to test, '
                        f'{"continued" if seconds is None else f"{seconds:.0f} s"}'
                    )
    except TerminatedWorkerError as error:
        raise InputError(
            'the system ended a training process, mostly for want of memory; finished folds stay: run the same command '
            + (f'again with fewer --jobs than {jobs}' if jobs > 1 else 'again with more free memory')
        ) from error


def in_workers(tasks: list[tuple], jobs: int) -> Iterator[dict]:
    """Run tasks `jobs` at a time, a single one at a time in this process; yield each result as it comes."""
    parallel = joblib.Parallel(
        n_jobs=jobs,
        batch_size=1,
        pre_dispatch='n_jobs',
        return_as='generator_unordered',
        initializer=follow_parent,
        initargs=(os.getpid(),),
    )
    return parallel(tasks)


def in_one_worker(tasks: list[tuple]) -> Iterator[dict]:
    """Run one task after another in one other process, which stays for the next run; joblib would run them here."""
    try:
        for function, args, kwargs in tasks:
            yield one_worker().submit(function, *args, **kwargs).result()
    except BaseException:  # also Ctrl-C, of which the worker knows nothing
        one_worker().shutdown(kill_workers=True)
        one_worker.cache_clear()
        raise


@cache
def one_worker() -> ProcessPoolExecutor:
    """Start the process of :func:`in_one_worker`."""
    return ProcessPoolExecutor(max_workers=1, initializer=follow_parent, initargs=(os.getpid(),))


@contextmanager
def show_bar(folds: list[Fold], work_dir: Path, max_epochs: int) -> Iterator[Console]:
    """Show a bar over the epochs of all folds, and yield the console above it."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('epochs'))
    bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    task = bar.add_task('', total=len(folds) * max_epochs)
    stop = threading.Event()

    def look() -> None:
        epochs = [read_epoch(work_dir, fold, max_epochs) for fold in folds]
        bar.update(task, completed=sum(epochs), description=f'{epochs.count(max_epochs)} of {len(folds)} folds')

    def watch() -> None:
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            look()

    look()
    watcher = threading.Thread(target=watch, daemon=True)
    with bar:
        watcher.start()
        try:
            yield bar.console
        finally:
            stop.set()
            watcher.join()
            look()
