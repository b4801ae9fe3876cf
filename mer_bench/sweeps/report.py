"""What a sweep prints: its plan, and at the end the outcome of every method."""

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import mean

from tabulate import tabulate

from mer_bench.errors import command
from mer_bench.sweeps.plan import PlannedRun, by_method
from mer_bench.sweeps.status import (
    STATES,
    count_folds,
    has_failed,
    holds_other_settings,
    is_complete,
    read_reason,
    score_of,
    state_of,
)


def format_plan(runs: Sequence[PlannedRun], times: Sequence[float | None]) -> str:
    """Return the folds of every method by state, what is known to fail, and the remaining time.

    Args:
        runs: Of the sweep.
        times: Estimate of each run in seconds; None if nothing was measured.
    """
    rows, totals = [], Counter()
    known = dict(zip(runs, times, strict=True))
    for seeds in by_method(runs):
        counts = sum((count_folds(run) for run in seeds), Counter())
        totals += counts
        ours = [known[run] for run in seeds]
        left = 'failed' if seeds[0].fault else 'unknown' if None in ours else format_duration(sum(ours))
        rows.append([seeds[0].method, _place(seeds[0]), len(seeds), *(counts[state] for state in STATES), left])
    table = tabulate(rows, ['method', 'config', 'seeds', *STATES, 'time'], disable_numparse=True, stralign='left')
    folds = ', '.join(f'{totals[state]} {state}' for state in STATES)
    rest = [time for run, time in known.items() if not run.fault]
    left = format_rest(rest) + ('; --measure times a few steps of them' if None in rest else '')
    return '\n'.join([table, '', f'{len(runs)} runs; folds: {folds}', left, *_notes(runs)])


def format_outcomes(runs: Sequence[PlannedRun]) -> str:
    """Return UF1 and state of every method, the reason of every failure, and the commands to run next."""
    states = {run: state_of(run) for run in runs}
    rows = []
    for seeds in by_method(runs):
        scores = [score_of(run) for run in seeds if states[run] == 'finished']
        state = joint_state([states[run] for run in seeds])
        rows.append([seeds[0].method, _place(seeds[0]), f'{mean(scores):.3f}' if scores else '', state])
    lines = [tabulate(rows, ['method', 'config', 'UF1', 'state'], disable_numparse=True)]
    if failures := [f'failed: {run}: {read_reason(run)}' for run in runs if states[run] == 'failed']:
        lines += ['', *failures, 'add --only-failed to try them again']
    return '\n'.join([*lines, *leaderboard_commands(runs)])


def joint_state(states: list[str]) -> str:
    """Sum up the states of the seeds of a method: `finished`, or `1 finished, 2 waiting`."""
    if len({*states}) == 1:
        return states[0]
    return ', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))


def leaderboard_commands(runs: Sequence[PlannedRun]) -> list[str]:
    """Return one command for each config with a finished run."""
    commands = {}
    for run in filter(is_complete, runs):
        name = run.config_name.removeprefix('mer_')
        out = Path('my_tables', f'synthetic_{name}.md' if run.synthetic else f'{name}.md')
        folder = shlex.quote(str(run.folder.parent.parent))
        commands[f'{command("leaderboard")} {folder} --out {out}'] = None
    return ['', 'next:', *commands] if commands else []


def format_duration(seconds: float) -> str:
    """Return h:mm:ss, from a day on with the number of days."""
    return str(timedelta(seconds=round(seconds)))


def format_rest(times: Sequence[float | None]) -> str:
    """Return the sum of estimates and how many are unknown."""
    known = [time for time in times if time is not None]
    unknown = len(times) - len(known)
    if not unknown:
        return f'about {format_duration(sum(known))} left'
    runs = f'{unknown} run{"s" * (unknown > 1)} of methods not measured yet'
    return f'about {format_duration(sum(known))} and {runs} left' if any(known) else f'time unknown: {runs}'


def _place(run: PlannedRun) -> str:
    """The config, with its data set if that has another name."""
    same = run.config_name.removeprefix('mer_') == run.dataset
    return run.config_name if same else f'{run.config_name} ({run.dataset})'


def _notes(runs: Sequence[PlannedRun]) -> list[str]:
    faults = [f'cannot be opened: {run.method} on {run.config_name}: {run.fault}' for run in runs if run.fault]
    notes = list(dict.fromkeys(faults))
    for run in runs:
        if has_failed(run) and not run.fault:
            notes.append(f'failed before: {run}: {read_reason(run)}')
        if holds_other_settings(run):
            notes.append(
                f'{run.folder} holds folds of another config or other data, so this run will fail; '
                'choose another --work-dir or remove that folder'
            )
    return ['', *notes] if notes else []
