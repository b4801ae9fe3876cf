"""Many folds over worker processes, under one progress bar of folds and epochs."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mer_bench.errors import InputError, visible
from mer_bench.experiment.experiment import Experiment
from mer_bench.processes import in_workers, quick_ones_here, usable_memory
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold import run_fold
from mer_bench.training.fold_folder import describe_result, finished_folders, mend_folder, read_epochs

if TYPE_CHECKING:
    from mer_bench.training.stacking.strategy import StackChoice

# a training of the full model at 3x16x112x112 and batch 16 takes 4.4 GiB in fp32 and 3.9 GiB in bf16 (largest resident
# set), and needs some room
BYTES_PER_JOB = 5 * 2**30
SECONDS_BETWEEN_LOOKS = 0.5
LOG = 'train.log'  # of a run: one line for each finished fold
# called with the folds, the run folder and the epochs of a fold; yields the console for lines
Show = Callable[[list[Fold], Path, int], AbstractContextManager[Console]]


@dataclass(frozen=True)
class RunSettings:
    """How the folds of a run are trained.

    Attributes:
        seed: Of weights, order and augmentation.
        work_dir: The run folder.
        jobs: Number of folds, or groups of them, at a time.
        save_checkpoints: Whether to keep the weights of each fold.
        stack: How many folds of a small network are trained together: 'auto', 'off' or a number.
        show: Shows the progress, in place of a bar over the epochs of the chosen folds.
        isolated: Use a process of its own even for one fold at a time, so that its crash does not end this one.
        verbose: Whether to show a line about each fold; train.log of the run has them in any case.
        audit: Whether to predict the held-out clips after every epoch, into a file that no training reads.
    """

    seed: int
    work_dir: Path
    jobs: int = 1
    save_checkpoints: bool = False
    stack: str | int = 'auto'
    show: Show | None = None
    isolated: bool = False
    verbose: bool = False
    audit: bool = False


def default_jobs(device: str) -> int:
    """One training for each CPU core as far as memory allows, or one for each GPU; one for `cuda:N`."""
    if device == 'cpu':
        return max(1, min(joblib.cpu_count(), usable_memory()[0] // BYTES_PER_JOB))
    return _count_gpus() if device == 'cuda' else 1


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def run_missing(
    experiment: Experiment,
    missing: list[Fold],
    settings: RunSettings,
    choice: 'StackChoice | None' = None,
    note: str | None = None,
) -> None:
    """Train folds, `settings.jobs` at a time, and write a line about each to train.log of the run folder.

    Args:
        experiment: Method, data and device; its chosen folds are those of the bar.
        missing: The folds to train.
        settings: Of the run.
        choice: Which folds are trained together, and how; None: each on its own.
        note: A line to show before the first of them.

    Raises:
        InputError: The system ended the worker of one fold twice.
    """
    groups, chosen = [[fold] for fold in missing], experiment.chosen
    if choice and choice.way != 'off':
        from mer_bench.training.stacking.strategy import plan_groups

        groups = plan_groups(experiment, missing, choice)
    work_dir, jobs = settings.work_dir, max(1, min(settings.jobs, len(groups)))
    if count := gpus(experiment):
        experiment = replace(experiment, gpu_share=1 / math.ceil(jobs / count))
    to_workers = replace(settings, show=None)  # which cannot be sent to another process
    tasks = [partial(run_at_place, experiment, group, to_workers, choice) for group in groups]
    done = len(chosen) - len(missing)
    continued = f'{done} of {len(chosen)} folds are finished already' if done else ''
    try:
        with (
            (settings.show or show_bar)(chosen, work_dir, experiment.method.cfg.train_cfg.max_epochs) as console,
            open(work_dir / LOG, 'a', encoding='utf-8') as log,
        ):

            def tell(line: str) -> None:
                console.print(line, soft_wrap=True, markup=False, highlight=False)

            mended = [mend_folder(work_dir, fold) for fold in missing]
            for line in filter(None, (note, *mended, continued)):
                tell(line)
            alone = not settings.isolated and (jobs == 1 or experiment.method.is_estimator)
            running = (quick_ones_here if alone else in_workers)(tasks, jobs, experiment.threads, tell)
            with closing(running) as groups_done:
                for result in (result for results in groups_done for result in results):
                    line = visible(describe_result(result))
                    print(f'{datetime.now():%Y-%m-%d %H:%M:%S} {line}', file=log, flush=True)
                    if settings.verbose:
                        tell(line)
    except TerminatedWorkerError as error:
        raise InputError(
            'the system ended a training process, mostly for want of memory; finished folds stay: run the same command '
            + (f'again with fewer --jobs than {jobs}' if jobs > 1 else 'again with more free memory')
        ) from error


def run_at_place(
    experiment: Experiment, folds: list[Fold], settings: RunSettings, choice: 'StackChoice | None', place: int
) -> list[dict]:
    """Run the folds of a group; if a worker was killed at them before, only those that it had not finished.

    Args:
        place: Number of the worker; several GPUs are dealt to the workers in turn.
    """
    work_dir, kept = settings.work_dir, settings.save_checkpoints
    done = finished_folders(work_dir, folds)
    missing = [fold for fold in folds if fold.name not in done]
    if (count := gpus(experiment)) > 1:
        experiment = replace(experiment, device=f'cuda:{place % count}')
    if choice and choice.way != 'off':
        from mer_bench.training.stacking.group import run_group

        return run_group(experiment, missing, settings.seed, work_dir, kept, choice, settings.audit) if missing else []
    return [run_fold(experiment, fold, settings.seed, work_dir, kept, settings.audit) for fold in missing]


def gpus(experiment: Experiment) -> int:
    """Return how many GPUs the workers share: all for `cuda`, one for `cuda:N`, none on the CPU."""
    return _count_gpus() if experiment.device == 'cuda' else int(experiment.device != 'cpu')


@contextmanager
def show_bar(folds: list[Fold], work_dir: Path, max_epochs: int) -> Iterator[Console]:
    """Show a bar over the epochs of all folds, and yield the console above it."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('epochs'))
    bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    task = bar.add_task('', total=len(folds) * max_epochs)
    stop = threading.Event()

    def look() -> None:
        epochs = read_epochs(work_dir, folds, max_epochs)
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
