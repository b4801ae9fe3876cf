"""The runs of a sweep on Ray: the folds of many runs are in the queue together, and the driver keeps what comes back.

A run folder has the same files as that of a run on this machine. Its lock is held from the first task to the last.
"""

import shutil
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import choose_precision
from mer_bench.experiment.provenance import describe_device, describe_pretrained, with_decision
from mer_bench.files import FolderInUse, locked
from mer_bench.protocols.folds import Fold
from mer_bench.runs.precision_check import fall_back, needs_check
from mer_bench.runs.record import build_model, describe_model, start_record
from mer_bench.runs.run import begin_run, update_record
from mer_bench.sweeps.local import SECONDS_BETWEEN_TRIES, Outcome, failed, open_planned, settled
from mer_bench.sweeps.plan import PlannedRun, SweepOptions, in_one_line
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.ray.node_files import moved, places_of
from mer_bench.sweeps.ray.node_task import Files, RunJob, TaskResult, source_digest
from mer_bench.sweeps.ray.pool import Hardware, RayPool
from mer_bench.sweeps.status import failure_stamp, remove_failure
from mer_bench.training.device import activate
from mer_bench.training.fold import finished_folder
from mer_bench.training.stacking.strategy import Stack, StackChoice, choose_for_run, plan_groups

RUNS_AT_A_TIME = 200  # of which the driver holds the lock, an open file each
SECONDS_BETWEEN_LOOKS = 0.5
CHECK = -1  # number of the task that checks the precision of a run, before the others are planned


@dataclass(frozen=True)
class RayOptions:
    """How the trainings of a sweep run in the cluster.

    Attributes:
        hardware: Of the nodes.
        stack: As `--stack`.
        jobs: Trainings in the queue at a time; None: as many as there are.
    """

    hardware: Hardware
    stack: Stack = 'auto'
    jobs: int | None = None


@dataclass(eq=False)
class OpenRun:
    """A run whose tasks are in the queue.

    Attributes:
        run: As planned.
        experiment: Opened, with the device of the tasks.
        lock: Holds the run folder.
        record: As it stands before the first fold; None before the precision is known.
        choice: How folds are trained; None likewise.
        groups: Of folds, one a task, by number; those that are not finished. That of CHECK is empty.
    """

    run: PlannedRun
    experiment: Experiment
    lock: ExitStack
    record: dict | None = None
    choice: StackChoice | None = None
    groups: dict[int, list[Fold]] = field(default_factory=dict)


def run_sweep_on_ray(
    runs: Sequence[PlannedRun], args: SweepOptions, progress: SweepProgress, pool: RayPool, options: RayOptions
) -> dict[PlannedRun, Outcome]:
    """Do all runs; those that another process holds are looked at again until it is done.

    Args:
        runs: Of the sweep.
        args: As for planning, which needs no GPU.
        progress: Is told of every run.
        pool: Of the cluster.
        options: How trainings run.

    Raises:
        InputError: A node cannot run the trainings of this machine.
    """
    sweep = RaySweep(runs, args, progress, pool, options)
    try:
        while sweep.is_busy():
            sweep.open_next()
            sweep.fill_queue()
            for key, result in pool.done(0 if sweep.can_open() else SECONDS_BETWEEN_LOOKS):
                sweep.receive(*key, result)
    finally:
        for opened in sweep.opened:
            opened.lock.close()
    return sweep.outcomes


class RaySweep:
    """Where a sweep stands; arguments as for :func:`run_sweep_on_ray`."""

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        args: SweepOptions,
        progress: SweepProgress,
        pool: RayPool,
        options: RayOptions,
    ) -> None:
        self.args, self.progress, self.pool, self.options = args, progress, pool, options
        self.stamps = {run: failure_stamp(run) for run in runs}
        self.outcomes: dict[PlannedRun, Outcome] = {}
        self.waiting = deque(runs)
        self.held: list[PlannedRun] = []  # by another process
        self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES  # at these
        self.opened: set[OpenRun] = set()
        self.queue: deque[tuple[OpenRun, object, int]] = deque()  # what is not yet given to Ray

    def is_busy(self) -> bool:
        """Whether there is anything to do or to wait for."""
        return bool(self.waiting or self.held or self.opened)

    def can_open(self) -> bool:
        """Whether a run is to be opened now."""
        if self.held and not self.waiting and time.monotonic() >= self.next_try:
            self.waiting.extend(self.held)
            self.held.clear()
            self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
        return bool(self.waiting) and not self.queue and len(self.opened) < RUNS_AT_A_TIME

    def open_next(self) -> None:
        """Open the next run, unless it is finished, failed elsewhere or held by another process."""
        if not self.can_open():
            return
        run = self.waiting.popleft()
        self.progress.begin(run)
        if outcome := settled(run, self.stamps[run]) or self._open(run):
            self._end(run, outcome)

    def fill_queue(self) -> None:
        """Give Ray what it may have at a time; all, unless the user set a limit: a cluster may grow by its queue."""
        while self.queue and (self.options.jobs is None or len(self.pool.running) < self.options.jobs):
            opened, job, number = self.queue.popleft()
            self.pool.submit((opened, number), job, opened.groups[number])

    def receive(self, opened: OpenRun, number: int, result: TaskResult) -> None:
        """Keep the folds of a task; end its run where it was the last one, or could not train all of them."""
        if opened not in self.opened:  # another task of the run has failed
            return
        if number == CHECK:
            del opened.groups[CHECK]
            found = result.check or fall_back(opened.experiment, result.fault)
            opened.experiment = with_decision(opened.experiment, opened.run.folder, found)
            self._plan(opened)
            return
        keep_folds(opened.run.folder, result.files)
        del opened.groups[number]
        self.progress.advance(opened.run)
        if result.fault:
            self._close(opened)
            self._end(opened.run, failed(opened.run, result.fault))
        elif not opened.groups:
            self._finish(opened)

    def _open(self, run: PlannedRun) -> Outcome | None:
        """Put the tasks of a run into the queue; return an outcome where there is nothing to wait for."""
        try:
            opened = open_run(run, self.args, self.options)
        except FolderInUse:
            return Outcome('busy')
        except Exception as error:  # a method may fail in any way
            return failed(run, in_one_line(error))
        self.opened.add(opened)
        if needs_check(opened.experiment, run.folder):
            opened.groups = {CHECK: []}
            self._queue(opened)
        else:
            opened.experiment = with_decision(opened.experiment, run.folder)
            self._plan(opened)
        return None

    def _plan(self, opened: OpenRun) -> None:
        """Put the trainings of a run into the queue."""
        try:
            plan_run(opened, self.options)
        except Exception as error:  # as above
            self._close(opened)
            self._end(opened.run, failed(opened.run, in_one_line(error)))
            return
        if opened.groups:
            self._queue(opened)
        else:
            self._finish(opened)

    def _queue(self, opened: OpenRun) -> None:
        job = self.pool.share(make_job(opened))
        self.queue.extend((opened, job, number) for number in opened.groups)

    def _finish(self, opened: OpenRun) -> None:
        """Score a run of which all folds are there."""
        try:
            update_record(opened.run.folder, opened.record, opened.experiment)
        except Exception as error:  # as above
            self._close(opened)
            outcome = failed(opened.run, in_one_line(error))
        else:
            remove_failure(opened.run)
            self._close(opened)
            outcome = Outcome('finished')
        self._end(opened.run, outcome)

    def _close(self, opened: OpenRun) -> None:
        """Leave a run folder, and end what is still going on for it."""
        self.opened.remove(opened)
        self.queue = deque(entry for entry in self.queue if entry[0] is not opened)
        self.pool.cancel([(opened, number) for number in opened.groups])
        opened.lock.close()

    def _end(self, run: PlannedRun, outcome: Outcome) -> None:
        self.outcomes[run] = outcome
        if outcome.state == 'busy':
            self.held.append(run)
        self.progress.end(run, outcome.state, outcome.reason)


def open_run(run: PlannedRun, args: SweepOptions, options: RayOptions) -> OpenRun:
    """Open a run and take the lock of its folder.

    Raises:
        FolderInUse: Another process holds the folder.
        InputError: As :func:`mer_bench.experiment.experiment.open_experiment`.
    """
    experiment = on_hardware(open_planned(run, args), options.hardware)
    with ExitStack() as lock:
        lock.enter_context(locked(run.folder, 'in use'))
        return OpenRun(run, experiment, lock.pop_all())


def plan_run(opened: OpenRun, options: RayOptions) -> None:
    """Write what stands in a run folder before the first fold, and divide the missing folds into tasks.

    Raises:
        InputError: As :func:`mer_bench.runs.run.run_folds`.
    """
    run, experiment = opened.run, opened.experiment
    here, model = replace(experiment, device='cpu'), None  # there may be no GPU here
    record = start_record(here, run.seed)
    if not experiment.method.is_estimator:
        activate(here)
        model = build_model(experiment.method.cfg)
        record |= describe_model(here, model)
    opened.choice = choose_for_run(experiment, model, run.seed, run.folder, options.stack)
    record |= dict(device=describe_device(experiment, options.hardware.gpu), stack=opened.choice.record)
    opened.record = begin_run(experiment, run.folder, record)
    missing = [fold for fold in experiment.folds if not finished_folder(run.folder, fold).exists()]
    opened.groups = dict(enumerate(plan_tasks(experiment, missing, opened.choice)))


def on_hardware(experiment: Experiment, hardware: Hardware) -> Experiment:
    """Return an experiment that was opened here as it is trained on a node."""
    precision = experiment.precision
    if not experiment.method.is_estimator:
        precision = choose_precision(experiment.method.cfg, hardware.device, hardware.mixed)
    return replace(experiment, device=hardware.device, precision=precision, gpu_share=hardware.gpu_share)


def plan_tasks(experiment: Experiment, missing: list[Fold], choice: StackChoice) -> list[list[Fold]]:
    """Return the groups of folds that are one task each; those of scikit-learn are one, and share their features."""
    if experiment.method.is_estimator:
        return [missing] if missing else []
    return plan_groups(experiment, missing, choice)


def make_job(opened: OpenRun) -> RunJob:
    """Describe what the tasks of a run share."""
    places = places_of(opened.experiment)
    return RunJob(
        experiment=moved(opened.experiment, places),
        places=places,
        seed=opened.run.seed,
        choice=opened.choice,
        pretrained=describe_pretrained(opened.experiment.method.cfg),
        code=source_digest(),
    )


def keep_folds(work_dir: Path, files: Files) -> None:
    """Write finished folds; each appears by a rename, as one that was trained here. What was begun here is removed."""
    for name, contents in files.items():
        folder = work_dir / 'folds' / f'.{name}'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        folder.rename(folder.with_name(name))
