"""The runs of a sweep one after another; what fails is noted and does not stop the others."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.files import FolderInUse
from mer_bench.runs.run import run_folds
from mer_bench.sweeps.plan import PlannedRun, SweepOptions, in_one_line, reopen, settings_of
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.status import (
    failure_stamp,
    is_complete,
    read_reason,
    remove_failure,
    write_failure,
)

SECONDS_BETWEEN_TRIES = 5.0  # at runs that another sweep holds


@dataclass(frozen=True)
class Outcome:
    """What came of a run: `finished`, `failed` with its reason, or `busy`: another process holds its folder."""

    state: str
    reason: str = ''


def run_sweep(
    runs: Sequence[PlannedRun],
    jobs: int,
    args: SweepOptions,
    progress: SweepProgress,
    wait: Callable[[float], None] = time.sleep,
) -> dict[PlannedRun, Outcome]:
    """Do all runs; those that another process holds are passed over and looked at again until it is done."""
    stamps = {run: failure_stamp(run) for run in runs}
    outcomes: dict[PlannedRun, Outcome] = {}
    waiting = list(runs)
    while waiting:
        for run in waiting:
            progress.begin(run)
            outcomes[run] = attempt(run, stamps[run], jobs, args, progress)
            progress.end(run, outcomes[run].state, outcomes[run].reason)
        again = [run for run in waiting if outcomes[run].state == 'busy']
        if len(again) == len(waiting):
            wait(SECONDS_BETWEEN_TRIES)
        waiting = again
    return outcomes


def attempt(run: PlannedRun, stamp: int | None, jobs: int, args: SweepOptions, progress: SweepProgress) -> Outcome:
    """Do one run, unless it is finished, or another sweep failed at it since this one was planned.

    Args:
        stamp: Of the failure.json that was there when this sweep began.
    """
    if outcome := settled(run, stamp):
        return outcome
    try:
        experiment = open_planned(run, args)
        run_folds(experiment, run.seed, run.folder, jobs, stack=args.stack, show=progress.follow, isolated=True)
    except FolderInUse:
        return Outcome('busy')
    except Exception as error:  # a method may fail in any way
        return failed(run, in_one_line(error))
    remove_failure(run)
    return Outcome('finished')


def settled(run: PlannedRun, stamp: int | None) -> Outcome | None:
    """Return the outcome of a run that is finished, or failed elsewhere since this sweep began; None for the others."""
    if is_complete(run):
        remove_failure(run)
        return Outcome('finished')
    if failure_stamp(run) not in (None, stamp):
        return Outcome('failed', read_reason(run))
    return None


def failed(run: PlannedRun, reason: str) -> Outcome:
    """Note why a run failed."""
    write_failure(run, reason)
    return Outcome('failed', reason)


def open_planned(run: PlannedRun, args: SweepOptions) -> Experiment:
    """Open the experiment of a run again.

    Raises:
        InputError: It cannot be opened, or is not what was planned.
    """
    if run.fault:
        raise InputError(run.fault)
    experiment = reopen(run, args)
    if settings_of(experiment) != run.settings:
        raise InputError('config, override, label scheme or data changed since the sweep began; start it again')
    return experiment
