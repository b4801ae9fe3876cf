"""The runs of a sweep on Ray: the folds of many runs share one queue, and the driver saves the folds that come back.

A run folder has the same files as that of a local run. Its lock is held from the first task to the last.
"""

import shutil
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import choose_precision, source_digest
from mer_bench.experiment.provenance import (
    describe_device,
    describe_pretrained,
    record_of_folds,
    start_record,
    with_decision,
)
from mer_bench.files import FolderInUse, locked
from mer_bench.protocols.folds import Fold
from mer_bench.runs.command import train_command
from mer_bench.runs.model import fall_back, needs_check
from mer_bench.runs.run import RunSettings, begin_run, finish_run, refuse_unaudited
from mer_bench.runs.run_folder import refuse_other_folds
from mer_bench.runs.selection import with_choice
from mer_bench.sweeps.local import SECONDS_BETWEEN_TRIES, Outcome, failed, open_planned, settled
from mer_bench.sweeps.plan import PlannedRun, SweepOptions, in_one_line, options_of
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.ray.node import Files, RunJob, TaskResult, places_of, relocate
from mer_bench.sweeps.ray.pool import Hardware, RayPool
from mer_bench.sweeps.status import failure_stamp, remove_failure
from mer_bench.training.fold_folder import finished_folders
from mer_bench.training.stacking.strategy import StackChoice, plan_groups

RUNS_AT_A_TIME = 200  # whose locks the driver holds, an open file each
SECONDS_BETWEEN_LOOKS = 0.5
CHECK = -1  # number of the task that checks the precision of a run before its folds are planned


@dataclass(eq=False)
class OpenRun:
    """A run whose tasks are in the queue.

    Attributes:
        run: As planned.
        experiment: Opened, with the device of the tasks.
        lock: Holds the run folder.
        record: Before the first fold; None before the precision is known.
        choice: How folds are trained; None likewise.
        groups: Unfinished groups of folds by the number of their task. The group of CHECK is empty.
    """

    run: PlannedRun
    experiment: Experiment
    lock: ExitStack
    record: dict | None = None
    choice: StackChoice | None = None
    groups: dict[int, list[Fold]] = field(default_factory=dict)


class RaySweep:
    """A sweep on Ray.

    Args:
        runs: Of the sweep.
        options: As for planning, which needs no GPU.
        progress: Shows every run.
        pool: Of the cluster.
        hardware: Of the nodes.
        jobs: Trainings in the queue at a time; None: all.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        options: SweepOptions,
        progress: SweepProgress,
        pool: RayPool,
        hardware: Hardware,
        jobs: int | None = None,
    ) -> None:
        self.options, self.progress, self.pool, self.hardware, self.jobs = options, progress, pool, hardware, jobs
        self.stamps = {run: failure_stamp(run) for run in runs}
        self.outcomes: dict[PlannedRun, Outcome] = {}
        self.waiting = deque(runs)
        self.busy: list[PlannedRun] = []  # in use by another process
        self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES  # of these
        self.opened: set[OpenRun] = set()
        self.queue: deque[tuple[OpenRun, object, int]] = deque()  # not submitted to Ray yet

    def run(self) -> dict[PlannedRun, Outcome]:
        """Train all runs; one that another process is using is tried again until that process is done.

        Raises:
            InputError: A node cannot run the trainings of this machine.
        """
        try:
            while self.waiting or self.busy or self.opened:
                if self._can_open():
                    self._open(self.waiting.popleft())
                self._fill_queue()
                for key, result in self.pool.done(0 if self._can_open() else SECONDS_BETWEEN_LOOKS):
                    self._receive(*key, result)
        finally:
            for opened in self.opened:
                opened.lock.close()
        return self.outcomes

    def _can_open(self) -> bool:
        """Whether a run should be opened now."""
        if self.busy and not self.waiting and time.monotonic() >= self.next_try:
            self.waiting.extend(self.busy)
            self.busy.clear()
            self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
        return bool(self.waiting) and not self.queue and len(self.opened) < RUNS_AT_A_TIME

    def _open(self, run: PlannedRun) -> None:
        """Queue the tasks of a run, unless it is finished, failed elsewhere or in use by another process."""
        self.progress.begin(run)
        if outcome := settled(run, self.stamps[run]):
            self._end(run, outcome)
            return
        try:
            with ExitStack() as lock:
                experiment = open_planned(run, self.options).with_each(lambda one: on_hardware(one, self.hardware))
                refuse_other_weights(experiment)
                lock.enter_context(locked(run.folder, 'in use'))
                opened = OpenRun(run, experiment, lock.pop_all())
        except FolderInUse:
            self._end(run, Outcome('busy'))
            return
        except Exception as error:  # a method can fail in any way
            self._end(run, failed(run, in_one_line(error)))
            return
        self.opened.add(opened)
        if needs_check(experiment, run.folder):
            opened.groups = {CHECK: []}
            self._queue(opened)
        else:
            opened.experiment = with_decision(experiment, record_of_folds(run.folder))
            self._plan(opened)

    def _plan(self, opened: OpenRun) -> None:
        """Queue the trainings of a run."""
        try:
            plan_run(opened, self.options, self.hardware)
        except Exception as error:  # as above
            self._fail(opened, in_one_line(error))
            return
        if opened.groups:
            self._queue(opened)
        else:
            self._finish(opened)

    def _queue(self, opened: OpenRun) -> None:
        job = self.pool.share(make_job(opened))
        self.queue.extend((opened, job, number) for number in opened.groups)

    def _fill_queue(self) -> None:
        """Submit tasks to Ray: all, unless the user set a limit, because a cluster can grow with its queue."""
        while self.queue and (self.jobs is None or len(self.pool.running) < self.jobs):
            opened, job, number = self.queue.popleft()
            self.pool.submit((opened, number), job, opened.groups[number])

    def _receive(self, opened: OpenRun, number: int, result: TaskResult) -> None:
        """Save the folds of a task; end its run if this was its last task, or one that could not train all folds."""
        if opened not in self.opened:  # another task of the run has failed
            return
        del opened.groups[number]
        if number == CHECK:
            found = result.check or fall_back(opened.experiment, result.fault)
            opened.experiment = with_decision(opened.experiment, record_of_folds(opened.run.folder), found)
            self._plan(opened)
            return
        save_folds(opened.run.folder, result.files)
        self.progress.advance(opened.run)
        if result.fault:
            self._fail(opened, result.fault)
        elif not opened.groups:
            self._finish(opened)

    def _finish(self, opened: OpenRun) -> None:
        """Score a run whose folds are all finished."""
        try:
            track = None if opened.experiment.method.is_estimator else self.options.track
            settings = RunSettings(opened.run.seed, opened.run.folder, track=track)
            finish_run(opened.experiment, settings, opened.record)
        except Exception as error:  # as above
            self._fail(opened, in_one_line(error))
            return
        remove_failure(opened.run)
        self._close(opened)
        self._end(opened.run, Outcome('finished'))

    def _fail(self, opened: OpenRun, reason: str) -> None:
        self._close(opened)  # failure.json is written under the same lock
        self._end(opened.run, failed(opened.run, reason))

    def _close(self, opened: OpenRun) -> None:
        """Release a run folder and cancel its remaining tasks."""
        self.opened.remove(opened)
        self.queue = deque(entry for entry in self.queue if entry[0] is not opened)
        self.pool.cancel([(opened, number) for number in opened.groups])
        opened.lock.close()

    def _end(self, run: PlannedRun, outcome: Outcome) -> None:
        self.outcomes[run] = outcome
        if outcome.state == 'busy':
            self.busy.append(run)
        self.progress.end(run, outcome.state, outcome.reason)


def plan_run(opened: OpenRun, options: SweepOptions, hardware: Hardware) -> None:
    """Write the files that a run folder has before its first fold, and divide the missing folds into tasks.

    Raises:
        InputError: As :func:`mer_bench.runs.run.run_folds`.
    """
    run, experiment = opened.run, opened.experiment
    device = describe_device(experiment, hardware.gpu)
    done = finished_folders(run.folder, experiment.folds)
    missing = [fold for fold in experiment.folds if fold.name not in done]
    settings = RunSettings(run.seed, run.folder, stack=options.stack, audit_epochs=run.audited)
    settings = with_choice(settings, experiment)
    command = train_command(options_of(run, replace(options, device=hardware.device)), settings)
    record = start_record(replace(experiment, device='cpu'), run.seed, command)  # there may be no GPU here
    begun = refuse_other_folds(run.folder, record, continued=False)
    if missing:
        if run.audited:
            refuse_unaudited(experiment.folds, done)
        _, opened.choice, opened.record = begin_run(experiment, settings, record, begun, elsewhere=device)
        opened.groups = dict(enumerate(plan_tasks(experiment, missing, opened.choice)))
    else:
        refuse_other_folds(run.folder, record | dict(device=device), continued=True, begun=begun)
        opened.record, opened.groups = begun, {}


def on_hardware(experiment: Experiment, hardware: Hardware) -> Experiment:
    """Return an experiment that was opened here with the device and precision of the nodes."""
    place = dict(device=hardware.device, gpu_share=hardware.gpu_share)
    if not experiment.method.is_estimator:
        place['precision'] = choose_precision(experiment.method.cfg, hardware.device, hardware.mixed)
    return replace(experiment, **place)


def refuse_other_weights(experiment: Experiment) -> None:
    """Refuse candidates that start from other weights than the first: a node gets one file of them."""
    weights = [describe_pretrained(candidate.experiment.method.cfg) for candidate in experiment.candidates]
    if any(found != weights[0] for found in weights):
        raise InputError(
            '--engine ray: expected candidates that start from one file of weights, found several; sweep this method '
            'with --engine local'
        )


def plan_tasks(experiment: Experiment, missing: list[Fold], choice: StackChoice) -> list[list[Fold]]:
    """Return the folds of each task; all folds of scikit-learn are one task, because they share their features.

    The folds of a network that choose are tasks of their own, which also train their inner folds.
    """
    if experiment.method.is_estimator:
        return [missing] if missing else []
    return [[fold] for fold in missing] if experiment.candidates else plan_groups(experiment, missing, choice)


def make_job(opened: OpenRun) -> RunJob:
    """Return what the tasks of a run share."""
    places = places_of(opened.experiment)
    return RunJob(
        experiment=relocate(opened.experiment, places),
        places=places,
        seed=opened.run.seed,
        choice=opened.choice,
        pretrained=describe_pretrained(opened.experiment.method.cfg),
        code=source_digest(),
        audit_epochs=opened.run.audited,
    )


def save_folds(work_dir: Path, files: Files) -> None:
    """Write finished folds in place of unfinished ones; each appears by a rename, like a fold that was trained here."""
    for name, contents in files.items():
        folder = work_dir / 'folds' / f'.{name}'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        folder.rename(folder.with_name(name))
