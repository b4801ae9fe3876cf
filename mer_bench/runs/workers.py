"""Many folds over worker processes, under one progress bar of folds and epochs."""

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mer_bench.errors import InputError, visible
from mer_bench.experiment.experiment import Experiment
from mer_bench.protocols.folds import Fold
from mer_bench.runs.worker_pool import in_workers
from mer_bench.training.fold import CHECKPOINT, finished_folder, mend_folder, read_epoch
from mer_bench.training.stacking.group import run_group
from mer_bench.training.stacking.strategy import StackChoice, plan_groups

# a training of the full model at 3x16x112x112 and batch 16 takes 4.4 GiB in fp32 and 3.9 GiB in bf16 (largest resident
# set), and needs some room
BYTES_PER_JOB = 5 * 2**30
SECONDS_BETWEEN_LOOKS = 0.5
# called with the folds, the run folder and the epochs of a fold; yields where the lines about finished folds go
Show = Callable[[list[Fold], Path, int], AbstractContextManager[Console]]


def default_jobs(device: str) -> int:
    """One training per CPU core, as far as the memory reaches; one per GPU, of `cuda:N` one."""
    if device != 'cpu':
        return torch.cuda.device_count() if device == 'cuda' else 1
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    limit = Path('/sys/fs/cgroup/memory.max')  # of a container
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return max(1, min(joblib.cpu_count(), memory // BYTES_PER_JOB))


def run_missing(
    experiment: Experiment,
    seed: int,
    work_dir: Path,
    jobs: int,
    save_checkpoints: bool,
    choice: StackChoice,
    note: str | None = None,
    show: Show | None = None,
    isolated: bool = False,
) -> None:
    """Train the chosen folds that are not finished, `jobs` at a time.

    Args:
        choice: Which of them are trained together, and how.
        note: A line to show before the first of them.
        show: Shows what is going on, in place of a bar over the epochs of these folds.
        isolated: Use a process of its own also for one fold at a time, whose crash does not end this one.

    Raises:
        InputError: The system ended the worker of one fold twice.
    """
    folds = experiment.chosen
    missing = [fold for fold in folds if not finished_folder(work_dir, fold).exists()]
    for fold in folds:
        if save_checkpoints and fold not in missing and not (finished_folder(work_dir, fold) / CHECKPOINT).exists():
            raise InputError(
                f'{fold.name} is finished without a checkpoint; give another --work-dir with --save-checkpoints'
            )
    groups = plan_groups(experiment, missing, choice)
    jobs = max(1, min(jobs, len(groups)))
    mended = [mend_folder(work_dir, fold) for fold in missing]
    if count := gpus(experiment):
        experiment = replace(experiment, gpu_share=1 / math.ceil(jobs / count))
    tasks = [partial(run_at_place, experiment, group, seed, work_dir, save_checkpoints, choice) for group in groups]
    try:
        with (show or show_bar)(folds, work_dir, experiment.method.cfg.train_cfg.max_epochs) as console:
            if note and missing:
                console.print(note, soft_wrap=True, markup=False, highlight=False)
            for line in filter(None, mended):
                console.print(line, soft_wrap=True, markup=False, highlight=False)
            if len(missing) < len(folds):
                console.print(f'{len(folds) - len(missing)} of {len(folds)} folds are finished already')
            apart = isolated or jobs > 1
            running = in_workers(tasks, jobs, experiment.threads, console.print) if apart else in_turn(tasks)
            with closing(running) as groups_done:
                for results in groups_done:
                    for result in results:
                        console.print(visible(format_result(result)), markup=False, highlight=False)
    except TerminatedWorkerError as error:
        raise InputError(
            'the system ended a training process, mostly for want of memory; finished folds stay: run the same command '
            + (f'again with fewer --jobs than {jobs}' if jobs > 1 else 'again with more free memory')
        ) from error


def in_turn(tasks: Sequence[Callable[[int], list[dict]]]) -> Iterator[list[dict]]:
    """Run one task after another in this process."""
    for task in tasks:
        yield task(0)


def run_at_place(
    experiment: Experiment,
    folds: list[Fold],
    seed: int,
    work_dir: Path,
    save_checkpoints: bool,
    choice: StackChoice,
    place: int,
) -> list[dict]:
    """Run those of a group of folds that are not finished, which are all unless a worker was killed at them.

    Args:
        place: Number of the worker; several GPUs are dealt to the workers in turn.
    """
    missing = [fold for fold in folds if not finished_folder(work_dir, fold).exists()]
    if (count := gpus(experiment)) > 1:
        experiment = replace(experiment, device=f'cuda:{place % count}')
    return run_group(experiment, missing, seed, work_dir, save_checkpoints, choice) if missing else []


def gpus(experiment: Experiment) -> int:
    """Return how many GPUs the workers share: all of `cuda`, that of `cuda:N`, none on the CPU."""
    return torch.cuda.device_count() if experiment.device == 'cuda' else int(experiment.device != 'cpu')


def format_result(result: dict) -> str:
    """The line about a finished fold."""
    seconds = result['train_seconds']
    time = 'continued' if seconds is None else f'{seconds:.0f} s'
    return f'{result["fold"]}: {result["n_train"]} clips to train, {result["n_test"]} to test, {time}'


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
