"""All folds of an experiment: skip the finished ones, train the others in worker processes, under one bar."""

import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mer_bench.errors import InputError, visible
from mer_bench.evaluation.epoch_audit import AUDIT, LETTERS
from mer_bench.experiment.experiment import Experiment, refuse_count, refuse_settings
from mer_bench.experiment.provenance import decided, start_record, with_decision
from mer_bench.files import locked
from mer_bench.processes import in_workers, quick_ones_here, usable_memory
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import RECORD, refuse_changed_files
from mer_bench.runs.run_folder import MADE_ONCE, refuse_other_folds, update_record, write_scheme
from mer_bench.runs.track import refuse_tool, track_folds
from mer_bench.training.fold import run_fold
from mer_bench.training.fold_folder import (
    CHECKPOINT,
    describe_result,
    finished_folders,
    mend_folder,
    read_epochs,
    run_title,
)
from mer_bench.training.stacking.strategy import Stack, StackChoice, choose, plan_groups

# a training of the full model at 3x16x112x112 and batch 16 takes 4.4 GiB in fp32 and 3.9 GiB in bf16 (largest resident
# set), and needs some room
BYTES_PER_JOB = 5 * 2**30
SECONDS_BETWEEN_LOOKS = 0.5
LOG = 'train.log'  # of a run: a title each time it starts, and one line for each finished fold
# called with the folds, the run folder and the epochs of a fold; yields the console for lines
Show = Callable[[list[Fold], Path, int], AbstractContextManager[Console]]
# trains groups of folds, as fit_missing and run_missing do
TrainGroups = Callable[[Experiment, list[list[Fold]], 'RunSettings', StackChoice, str], None]


@dataclass(frozen=True)
class RunSettings:
    """How the folds of a run are trained.

    Attributes:
        seed: Of weights, order and augmentation.
        work_dir: The run folder; None only for :func:`mer_bench.runs.train.train`, as for jobs.
        jobs: Number of folds, or groups of them, at a time.
        save_checkpoints: Whether to keep the weights of each fold.
        stack: How many folds of a small network are trained together: 'auto', 'off' or a number.
        show: Shows the progress instead of :func:`show_bar`.
        isolated: Train in another process even if it is one fold at a time, so that its crash does not end this one.
        verbose: Whether to show a line about each fold; train.log of the run has them in any case.
        audit_epochs: Whether to write audit.csv, the predictions after every epoch, which no training reads.
        select: 'inner': each fold chooses among candidates, and the epoch of a network, by scores on its training
            subjects; None: nothing to choose.
        candidates: Overrides to choose from; none: the list `candidates` of the config, or the method itself.
        inner_folds: Of the training subjects of each fold.
        audit_candidates: Whether to write candidates.csv, the predictions of every candidate, which no choice reads.
        track: 'tensorboard', 'wandb' or 'mlflow': also writes the learning curves of each finished fold for it.
    """

    seed: int
    work_dir: Path | None
    jobs: int | None = 1
    save_checkpoints: bool = False
    stack: Stack = 'auto'
    show: Show | None = None
    isolated: bool = False
    verbose: bool = False
    audit_epochs: bool = False
    select: str | None = None
    candidates: Sequence[str] = ()
    inner_folds: int = 5
    audit_candidates: bool = False
    track: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that the command line would refuse as well, before anything is read or written."""
        refuse_settings(self.seed, self.jobs, self.stack)
        if self.select not in (None, 'inner'):
            raise InputError(f"select {self.select!r}: expected 'inner', or nothing; correct it")
        if not self.select and (self.candidates or self.audit_candidates):
            raise InputError('candidates: expected --select inner with them; add it or leave them out')
        if self.select and self.audit_epochs:
            raise InputError(
                '--audit-epochs: expected a run without --select, whose folds share one schedule; leave it out'
            )
        refuse_count('inner_folds', self.inner_folds, least=2)
        if self.track:
            refuse_tool(self.track)


def run_folds(
    experiment: Experiment,
    settings: RunSettings,
    record: dict | None = None,
    train: TrainGroups | None = None,
) -> dict:
    """Run the chosen folds of an experiment, and return the record of the run.

    A finished fold is a folder `folds/<name>`, which appears by a rename and never changes; `folds/.<name>` is an
    unfinished one. Of a finished run no model is built, and nothing is scored or written unless a fold differs from
    what was scored.

    Args:
        experiment: Method, data and device.
        settings: How to train.
        record: What :func:`start_record` returns, if the caller has it.
        train: Trains the missing folds, in place of :func:`fit_missing` or :func:`run_missing`.

    Raises:
        FolderInUse: Another run is using the run folder.
        InputError: It holds folds of other settings or data, or the method cannot be stacked as asked.
    """
    work_dir = settings.work_dir
    if settings.save_checkpoints and experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no checkpoints to keep; leave --save-checkpoints out')
    if settings.audit_epochs and experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no epochs to audit; leave --audit-epochs out')
    if settings.track and experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no epochs, so no learning curves; leave --track out')
    if settings.audit_epochs and (classes := len(experiment.method.cfg.classes)) > len(LETTERS):
        raise InputError(
            f'--audit-epochs or --select inner: expected at most {len(LETTERS)} classes, got {classes}; leave it out'
        )
    done = finished_folders(work_dir, experiment.folds)
    missing = [fold for fold in experiment.chosen if fold.name not in done]
    record = record or start_record(experiment, settings.seed)
    read_only = not missing and not os.access(work_dir, os.W_OK)
    busy = f'another run is using {work_dir}; wait for it or give another --work-dir'
    with nullcontext() if read_only else locked(work_dir, busy):
        begun = refuse_other_folds(work_dir, record, continued=False)
        if settings.save_checkpoints:
            refuse_lost(CHECKPOINT, 'a checkpoint', '--save-checkpoints', experiment.chosen, done)
        if settings.audit_epochs:
            refuse_unaudited(experiment.chosen, done)
        if not missing:
            refuse_changed_files(work_dir / RECORD, begun, MADE_ONCE)
            experiment = with_decision(experiment, begun)
            refuse_other_folds(work_dir, record | decided(experiment), continued=True, begun=begun)
            return finish_run(experiment, settings, begun)
        experiment, choice, record = begin_run(experiment, settings, record, begun)
        note = '\n'.join(filter(None, (record['note_on_model'], experiment.check and experiment.check.line)))
        train = train or (fit_missing if experiment.method.is_estimator else run_missing)
        train(experiment, plan_groups(experiment, missing, choice), settings, choice, note)
        return finish_run(experiment, settings, record)


def finish_run(experiment: Experiment, settings: RunSettings, record: dict) -> dict:
    """Write the record of a run with its finished folds, and track those that are not tracked yet."""
    record = update_record(settings.work_dir, record, experiment)
    if settings.track and (
        fault := track_folds(experiment, settings.seed, settings.work_dir, settings.track, experiment.folds)
    ):
        print(visible(fault), file=sys.stderr)
    return record


def begin_run(
    experiment: Experiment, settings: RunSettings, record: dict, begun: dict | None, elsewhere: str | None = None
) -> tuple[Experiment, StackChoice, dict]:
    """Settle how the missing folds are trained, and write what the run folder has before the first of them.

    Args:
        experiment: As it was opened.
        settings: Of the run, whose folder the caller holds.
        record: Of the run, without its model.
        begun: The record of the folds that were trained before, if any.
        elsewhere: The device, described, if other machines train; then the precision is settled already.

    Returns:
        The experiment with its precision, how its folds are trained, and the record.

    Raises:
        InputError: The folds began with other settings, or the method cannot be trained or stacked as asked.
    """
    here = experiment if elsewhere is None else replace(experiment, device='cpu')  # there may be no GPU here
    if experiment.method.is_estimator:
        choice, described = choose(experiment, None, settings.seed, settings.stack, begun), {}
    else:
        from mer_bench.runs.model import settle_training

        apart = settings.jobs > 1 or settings.isolated
        experiment, choice, described = settle_training(
            experiment, begun, settings.seed, settings.stack, here=elsewhere and here, apart=apart
        )
    place = decided(experiment) if elsewhere is None else dict(decided(here), device=elsewhere)
    record |= described | place | dict(stack=asdict(choice))
    refuse_other_folds(settings.work_dir, record, continued=True, begun=begun)
    record = update_record(settings.work_dir, record, experiment)
    write_scheme(experiment, settings.work_dir)
    return experiment, choice, record


def fit_missing(
    experiment: Experiment, groups: list[list[Fold]], settings: RunSettings, choice: StackChoice, note: str
) -> None:
    """Train the folds of a method of scikit-learn: compute the features of all clips once, then :func:`run_missing`."""
    from mer_bench.training.sklearn.estimator_fold import describe_clips, forget_features

    seed, work_dir, quiet = settings.seed, settings.work_dir, bool(settings.show)
    try:
        jobs = describe_clips(experiment, seed, work_dir, settings.jobs, quiet, shared=settings.stack != 'off')
        run_missing(experiment, groups, replace(settings, jobs=jobs), choice, note)
    finally:
        forget_features(work_dir)


def refuse_lost(name: str, what: str, option: str, folds: list[Fold], done: dict[str, Path]) -> None:
    """Refuse to add to a run what folds that are finished have not kept."""
    for fold in folds:
        if fold.name in done and not (done[fold.name] / name).exists():
            raise InputError(f'{fold.name} is finished without {what}; give another --work-dir with {option}')


def refuse_unaudited(folds: list[Fold], done: dict[str, Path]) -> None:
    """Refuse to audit the epochs of a run of which finished folds have no audit."""
    refuse_lost(AUDIT, 'an audit of its epochs', '--audit-epochs', folds, done)


def default_jobs(device: str) -> int:
    """One training for each CPU core as far as memory allows, or one for each GPU; one for `cuda:N`."""
    if device == 'cpu':
        return max(1, min(joblib.cpu_count(), usable_memory()[0] // BYTES_PER_JOB))
    return _count_gpus() if device == 'cuda' else 1


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def run_missing(
    experiment: Experiment, groups: list[list[Fold]], settings: RunSettings, choice: StackChoice, note: str
) -> None:
    """Train groups of folds, `settings.jobs` at a time, and write a line about each to train.log of the run folder.

    Args:
        experiment: Method, data and device; its chosen folds are those of the bar.
        groups: The folds to train, see :func:`plan_groups`.
        settings: Of the run.
        choice: How the folds of a group are trained.
        note: Lines to show before the first of them.

    Raises:
        InputError: The system ended the worker of one fold twice.
    """
    missing, chosen = [fold for group in groups for fold in group], experiment.chosen
    work_dir, jobs = settings.work_dir, max(1, min(settings.jobs, len(groups)))
    if count := gpus(experiment):
        experiment = replace(experiment, gpu_share=1 / math.ceil(jobs / count))
    to_workers = replace(settings, show=None)  # which cannot be sent to another process
    tasks = [partial(run_at_place, experiment, group, to_workers, choice) for group in groups]
    done = len(chosen) - len(missing)
    alone = jobs == 1 and not settings.isolated
    if experiment.data.view.normalise and not alone and not experiment.method.is_estimator:
        _ = experiment.data.moments  # here and not in every worker
    continued = f'{done} of {len(chosen)} folds are finished already' if done else ''
    try:
        with (
            (settings.show or show_bar)(chosen, work_dir, experiment.method.cfg.train_cfg.max_epochs) as console,
            open(work_dir / LOG, 'a', encoding='utf-8') as log,
        ):

            def tell(line: str) -> None:
                for part in line.split('\n'):
                    console.print(visible(part), soft_wrap=True, markup=False, highlight=False)

            write = partial(print, file=log, flush=True)
            way = '' if choice.way == 'off' else f', {choice.way}'
            write(run_title(experiment, None, settings.seed) + way)
            mended = [mend_folder(work_dir, fold) for fold in missing]
            for line in filter(None, (note, *mended, continued)):
                tell(line)
            if alone:
                running = (task(0) for task in tasks)
            else:
                quick = experiment.method.is_estimator and not settings.isolated
                running = (quick_ones_here if quick else in_workers)(tasks, jobs, experiment.threads, tell)
            with closing(running) as groups_done:
                for result in (result for results in groups_done for result in results):
                    line = visible(describe_result(result))
                    write(f'{datetime.now():%Y-%m-%d %H:%M:%S} {line}')
                    if settings.verbose:
                        tell(line)
                    if settings.track:  # finish_run says what failed
                        fold = [fold for fold in missing if fold.name == result['fold']]
                        track_folds(experiment, settings.seed, work_dir, settings.track, fold)
    except TerminatedWorkerError as error:
        raise InputError(
            'the system killed a training process, usually because memory ran out; finished folds are kept: run the '
            'same command again with ' + (f'fewer --jobs than {jobs}' if jobs > 1 else 'more free memory')
        ) from error
    finally:
        if alone and choice.way != 'off' and not experiment.method.is_estimator:
            from mer_bench.training.stacking.data import forget_shared

            forget_shared()


def run_at_place(
    experiment: Experiment, folds: list[Fold], settings: RunSettings, choice: StackChoice, place: int
) -> list[dict]:
    """Run the unfinished folds of a group, each alone or together; a worker that was killed may have finished some.

    Args:
        experiment, settings, choice: As for :func:`run_missing`.
        folds: The group.
        place: Number of the worker.
    """
    work_dir, kept = settings.work_dir, settings.save_checkpoints
    done = finished_folders(work_dir, folds)
    missing = [fold for fold in folds if fold.name not in done]
    experiment = on_gpu_of(experiment, place)
    if choice.way != 'off':
        from mer_bench.training.stacking.group import run_group

        how = settings.seed, work_dir, kept, choice, settings.audit_epochs
        return run_group(experiment, missing, *how) if missing else []
    return [run_fold(experiment, fold, settings.seed, work_dir, kept, settings.audit_epochs) for fold in missing]


def gpus(experiment: Experiment) -> int:
    """Return how many GPUs the workers share: all for `cuda`, one for `cuda:N`, none on the CPU."""
    return _count_gpus() if experiment.device == 'cuda' else int(experiment.device != 'cpu')


def on_gpu_of(experiment: Experiment, place: int) -> Experiment:
    """Return an experiment on the GPU of a worker: workers take several GPUs in turn, by their number."""
    count = gpus(experiment)
    return replace(experiment, device=f'cuda:{place % count}') if count > 1 else experiment


@contextmanager
def show_bar(folds: list[Fold], work_dir: Path, max_epochs: int) -> Iterator[Console]:
    """Show a bar over the epochs of all folds on a terminal, and yield the console above it."""
    console = Console(stderr=True)
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('epochs'))
    bar = Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
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
