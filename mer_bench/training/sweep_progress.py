"""The live table of a sweep: method x config, folds done, state, time; one line a run where nobody watches."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mer_bench.protocols.folds import Fold
from mer_bench.training.fold import finished_folder, read_epoch
from mer_bench.training.sweep_estimate import TimeEstimate
from mer_bench.training.sweep_plan import PlannedRun
from mer_bench.training.sweep_report import format_duration, format_rest
from mer_bench.training.sweep_state import stored_record

LINES_AROUND = 8  # head, foot and frame of the table, and what stands above it


class SweepProgress:
    """Shows the runs of a sweep on stderr while the context is open.

    Args:
        runs: In their order; the seeds of a method on a config share a row.
        estimate: Of the time that is left.
        console: By default stderr.
    """

    def __init__(self, runs: Sequence[PlannedRun], estimate: TimeEstimate, console: Console | None = None) -> None:
        self.runs = list(runs)
        self.estimate = estimate
        self.console = console or Console(stderr=True)
        self.rows: dict[Path, list[PlannedRun]] = {}
        for run in self.runs:
            self.rows.setdefault(run.folder.parent, []).append(run)
        self.states = {run: 'waiting' for run in self.runs}
        self.done = {run: self._count_done(run) for run in self.runs}
        self.seconds = dict.fromkeys(self.runs, 0.0)
        self.rest = {run: estimate.seconds(run) for run in self.runs}
        self.current: PlannedRun | None = None
        self.epochs = ''
        self.start = self.run_start = time.monotonic()

    def __enter__(self) -> 'SweepProgress':
        self.live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2, transient=True)
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def begin(self, run: PlannedRun) -> None:
        """A run begins."""
        self.current, self.run_start, self.epochs = run, time.monotonic(), ''
        self.states[run] = f'seed {run.seed}'

    def end(self, run: PlannedRun, state: str, reason: str) -> None:
        """A run has ended, or was passed over."""
        seconds = time.monotonic() - self.run_start
        self.current = None
        self.seconds[run] += seconds
        self.states[run] = {'busy': 'elsewhere'}.get(state, state)
        self.done[run] = self._count_done(run)
        self._estimate_again(run)
        if state != 'busy' and not self.console.is_terminal:
            ended = sum(self.states[run] in ('finished', 'failed') for run in self.runs)
            name = f'{run.method} on {run.config_name}, seed {run.seed}'
            outcome = reason and f': {reason}' or self._score(run)
            line = f'[{ended}/{len(self.runs)}] {name}: {state}{outcome} ({format_duration(seconds)})'
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def follow(self, folds: list[Fold], work_dir: Path, max_epochs: int) -> Iterator[Console]:
        """Stand in for the bar of a single run; what it would print is left out."""
        self.watched = folds, work_dir, max_epochs
        try:
            yield Console(quiet=True)
        finally:
            del self.watched

    def render(self) -> Table:
        """Return the rows around the current one, as many as the terminal has lines for."""
        table = Table(caption=self._caption(), caption_justify='left')
        for name, justify in (
            ('method', 'left'),
            ('config', 'left'),
            ('folds', 'right'),
            ('state', 'left'),
            ('time', 'right'),
        ):
            table.add_column(name, justify=justify, no_wrap=True)
        for runs in self._visible():
            table.add_row(*self._row(runs))
        return table

    def _visible(self) -> list[list[PlannedRun]]:
        rows = list(self.rows.values())
        height = max(3, self.console.height - LINES_AROUND)
        at = next((i for i, runs in enumerate(rows) if self.current in runs), 0)
        first = max(0, min(at - height // 2, len(rows) - height))
        return rows[first : first + height]

    def _row(self, runs: list[PlannedRun]) -> tuple[str, ...]:
        running = self.current in runs
        if running:
            self.done[self.current] = self._count_done(self.current)
        seconds = sum(self.seconds[run] for run in runs) + running * (time.monotonic() - self.run_start)
        states = [self.states[run] for run in runs]
        state = f'{self.states[self.current]}{self._epochs()}' if running else joint_state(states)
        folds = f'{sum(self.done[run] for run in runs)}/{sum(len(run.folds) for run in runs) or "?"}'
        return runs[0].method, runs[0].config_name, folds, state, format_duration(seconds) if seconds >= 1 else ''

    def _epochs(self) -> str:
        """Tell the epochs of the folds in work."""
        try:
            folds, work_dir, max_epochs = self.watched
        except AttributeError:
            return ''
        epochs = sum(read_epoch(work_dir, fold, max_epochs) for fold in folds)
        return f', {100 * epochs // (max_epochs * len(folds))} %'

    def _caption(self) -> str:
        ended = [self.states[run] for run in self.runs if self.states[run] in ('finished', 'failed')]
        elapsed = time.monotonic() - self.start
        rest = [self.rest[run] for run in self.runs if self.states[run] not in ('finished', 'failed')]
        return (
            f'{len(ended)} of {len(self.runs)} runs, {ended.count("failed")} failed; '
            f'{format_duration(elapsed)} so far, {format_rest(rest)}'
        )

    def _estimate_again(self, run: PlannedRun) -> None:
        self.estimate.forget(run)
        for other in self.runs:
            if other.method == run.method and self.states[other] not in ('finished', 'failed'):
                self.rest[other] = self.estimate.seconds(other)

    @staticmethod
    def _count_done(run: PlannedRun) -> int:
        return sum(finished_folder(run.folder, fold).exists() for fold, _ in run.folds)

    @staticmethod
    def _score(run: PlannedRun) -> str:
        record = stored_record(run)
        return f', UF1 {record["scores"]["full"]["uf1"]:.3f}' if record and record['scores'] else ''


def joint_state(states: list[str]) -> str:
    """Sum up the states of the seeds of a method: `finished`, or `1 finished, 2 waiting`."""
    if len({*states}) == 1:
        return states[0]
    return ', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))
