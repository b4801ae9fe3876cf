"""What a sweep prints: its plan, and at its end what came of every method."""

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import mean

from tabulate import tabulate

from mer_bench.sweeps.plan import PlannedRun
from mer_bench.sweeps.status import (
    STATES,
    count_folds,
    has_failed,
    holds_other_settings,
    is_complete,
    read_reason,
    stored_record,
)


def format_plan(runs: Sequence[PlannedRun], times: Sequence[float | None]) -> str:
    """Return the folds of every method by state, what is known to fail, and the time that is left.

    Args:
        runs: Of the sweep.
        times: Estimate of each run in seconds; None where nothing was measured.
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
    left = format_rest([time for run, time in known.items() if not run.fault])
    return '\n'.join([table, '', f'{len(runs)} runs; folds: {folds}', left, *_notes(runs)])


def format_outcomes(runs: Sequence[PlannedRun]) -> str:
    """Return UF1 and state of every method, the reason of every failure, and the commands to run next."""
    rows = []
    for seeds in by_method(runs):
        complete = [run for run in seeds if is_complete(run)]
        scores = [stored_record(run)['scores']['full']['uf1'] for run in complete]
        state = joint_state([state_of(run) for run in seeds])
        rows.append([seeds[0].method, _place(seeds[0]), f'{mean(scores):.3f}' if scores else '', state])
    lines = [tabulate(rows, ['method', 'config', 'UF1', 'state'], disable_numparse=True)]
    failed = [run for run in runs if state_of(run) == 'failed']
    if failed:
        lines += [
            '',
            *(f'failed: {run.method} on {run.config_name}, seed {run.seed}: {read_reason(run)}' for run in failed),
        ]
        lines.append('try them again with --only-failed')
    return '\n'.join([*lines, *leaderboard_commands(runs)])


def state_of(run: PlannedRun) -> str:
    """Return finished, failed or unfinished."""
    return 'finished' if is_complete(run) else 'failed' if has_failed(run) else 'unfinished'


def joint_state(states: list[str]) -> str:
    """Sum up the states of the seeds of a method: `finished`, or `1 finished, 2 waiting`."""
    if len({*states}) == 1:
        return states[0]
    return ', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))


def leaderboard_commands(runs: Sequence[PlannedRun]) -> list[str]:
    """Return one command for each config with a finished run."""
    complete = [run for run in runs if is_complete(run)]
    commands = {}
    for run in complete:
        name = run.config_name.removeprefix('mer_')
        out = Path('my_tables', f'synthetic_{name}.md' if run.synthetic else f'{name}.md')
        folder = shlex.quote(str(run.folder.parent.parent))
        commands[f'python tools/leaderboard.py {folder} --out {out}'] = None
    return ['', 'next:', *commands] if commands else []


def by_method(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Group the seeds of each method on each config."""
    groups: dict[Path, list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault(run.folder.parent, []).append(run)
    return list(groups.values())


def format_duration(seconds: float) -> str:
    """Return h:mm:ss, after a day with the number of days."""
    return str(timedelta(seconds=round(seconds)))


def format_rest(times: Sequence[float | None]) -> str:
    """Tell the sum of estimates, and how many are unknown."""
    known = [time for time in times if time is not None]
    unknown = len(times) - len(known)
    if not unknown:
        return f'about {format_duration(sum(known))} left'
    runs = f'{unknown} run{"s" * (unknown > 1)} of methods not measured yet'
    return f'about {format_duration(sum(known))} and {runs} left' if any(known) else f'time unknown: {runs}'


def _place(run: PlannedRun) -> str:
    """The config with its data set, where that has another name."""
    same = run.config_name.removeprefix('mer_') == run.dataset
    return run.config_name if same else f'{run.config_name} ({run.dataset})'


def _notes(runs: Sequence[PlannedRun]) -> list[str]:
    faults = [f'cannot be opened: {run.method} on {run.config_name}: {run.fault}' for run in runs if run.fault]
    notes = list(dict.fromkeys(faults))
    for run in runs:
        if has_failed(run) and not run.fault:
            notes.append(f'failed before: {run.method} on {run.config_name}, seed {run.seed}: {read_reason(run)}')
        if holds_other_settings(run):
            notes.append(
                f'{run.folder} holds folds of another config or other data, and this run will fail; '
                'give another --work-dir or remove that folder'
            )
    return ['', *notes] if notes else []
