"""A sweep on this machine: one run after another; a failed run is noted and does not stop the others."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import start_record
from mer_bench.files import FolderInUse
from mer_bench.runs.command import train_command
from mer_bench.runs.run import RunSettings
from mer_bench.runs.selection import with_choice
from mer_bench.runs.train import run_opened
from mer_bench.sweeps.plan import PlannedRun, SweepOptions, in_one_line, options_of, reopen, settings_of
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.status import failure_stamp, is_complete, read_reason, remove_failure, write_failure

SECONDS_BETWEEN_TRIES = 5.0  # at runs that another sweep is using


@dataclass(frozen=True)
class Outcome:
    """`finished`, `failed` with its reason, or `busy`: another process is using the run folder."""

    state: str
    reason: str = ''


def run_sweep(
    runs: Sequence[PlannedRun],
    jobs: int,
    options: SweepOptions,
    progress: SweepProgress,
    wait: Callable[[float], None] = time.sleep,
) -> dict[PlannedRun, Outcome]:
    """Train all runs; one that another process is using is tried again until that process is done."""
    stamps = {run: failure_stamp(run) for run in runs}
    outcomes: dict[PlannedRun, Outcome] = {}
    waiting = list(runs)
    while waiting:
        for run in waiting:
            progress.begin(run)
            outcomes[run] = attempt(run, stamps[run], jobs, options, progress)
            progress.end(run, outcomes[run].state, outcomes[run].reason)
        again = [run for run in waiting if outcomes[run].state == 'busy']
        if len(again) == len(waiting):
            wait(SECONDS_BETWEEN_TRIES)
        waiting = again
    return outcomes


def attempt(run: PlannedRun, stamp: int | None, jobs: int, options: SweepOptions, progress: SweepProgress) -> Outcome:
    """Train one run, unless it is finished, or failed in another sweep after this one started.

    Args:
        stamp: :func:`failure_stamp` of the run when this sweep started.
    """
    if outcome := settled(run, stamp):
        return outcome
    try:
        experiment = open_planned(run, options)
        track = None if experiment.method.is_estimator else options.track
        how = dict(stack=options.stack, audit_epochs=run.audited, track=track)
        settings = RunSettings(run.seed, run.folder, jobs, show=progress.follow, isolated=True, **how)
        settings = with_choice(settings, experiment)
        command = train_command(options_of(run, options), settings)
        run_opened(experiment, settings, start_record(experiment, run.seed, command))
    except FolderInUse:
        return Outcome('busy')
    except Exception as error:  # a method can fail in any way
        return failed(run, in_one_line(error))
    remove_failure(run)
    return Outcome('finished')


def settled(run: PlannedRun, stamp: int | None) -> Outcome | None:
    """Return the outcome of a run that is finished, or that failed elsewhere after this sweep started; else None."""
    if is_complete(run):
        remove_failure(run)
        return Outcome('finished')
    if failure_stamp(run) not in (None, stamp):
        return Outcome('failed', read_reason(run))
    return None


def failed(run: PlannedRun, reason: str) -> Outcome:
    """Write down why a run failed."""
    write_failure(run, reason)
    return Outcome('failed', reason)


def open_planned(run: PlannedRun, options: SweepOptions) -> Experiment:
    """Open the experiment of a run again.

    Raises:
        InputError: It cannot be opened, or differs from what was planned.
    """
    if run.fault:
        raise InputError(run.fault)
    experiment = reopen(run, options)
    if settings_of(experiment) != run.settings:
        raise InputError('config, override, label scheme or data changed after the sweep started; start it again')
    return experiment
