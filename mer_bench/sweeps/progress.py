"""The live table of a sweep: method x config, folds done, state, time; without a terminal one line per run."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mer_bench.protocols.folds import Fold
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.plan import PlannedRun, by_method
from mer_bench.sweeps.report import format_duration, format_rest, joint_state
from mer_bench.sweeps.status import count_finished, score_of
from mer_bench.training.fold_folder import read_epochs

ENDED = ('finished', 'failed')
LINES_AROUND = 8  # head, foot and frame of the table, and the lines above it


class SweepProgress:
    """Shows the runs of a sweep on stderr while the context is open.

    Args:
        runs: In their order; the seeds of a method on a config share a row.
        estimate: Of the remaining time.
        console: By default stderr.
    """

    def __init__(self, runs: Sequence[PlannedRun], estimate: TimeEstimate, console: Console | None = None) -> None:
        self.runs = list(runs)
        self.estimate = estimate
        self.console = console or Console(stderr=True)
        self.rows = by_method(self.runs)
        self.states = dict.fromkeys(self.runs, 'waiting')
        self.done = {run: count_finished(run) for run in self.runs}
        self.seconds = dict.fromkeys(self.runs, 0.0)
        self.rest = {run: estimate.seconds(run) for run in self.runs}
        self.running: dict[PlannedRun, float] = {}  # since when
        self.share: Callable[[], float] | None = None  # of the finished epochs of the only running run
        self.share_before, self.share_since = 0.0, 0.0  # of the epochs, and when, as its training began
        self.start = time.monotonic()

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
        self.running[run] = time.monotonic()
        self.states[run] = 'running'

    def advance(self, run: PlannedRun) -> None:
        """More folds of a running run are finished."""
        self.done[run] = count_finished(run)
        self.rest[run] = self.estimate.seconds(run)

    def end(self, run: PlannedRun, state: str, reason: str) -> None:
        """A run has ended, or was skipped."""
        now = time.monotonic()
        seconds = now - self.running.pop(run, now)
        self.seconds[run] += seconds
        self.states[run] = {'busy': 'elsewhere'}.get(state, state)
        self.done[run] = count_finished(run)
        self._estimate_again(run)
        if state != 'busy' and not self.console.is_terminal:
            ended = sum(self.states[run] in ENDED for run in self.runs)
            score = score_of(run)
            outcome = f': {reason}' if reason else '' if score is None else f', UF1 {score:.3f}'
            line = f'[{ended}/{len(self.runs)}] {run}: {state}{outcome} ({format_duration(seconds)})'
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def follow(self, folds: list[Fold], work_dir: Path, max_epochs: int) -> Iterator[Console]:
        """Take the place of the bar of a single run, without its lines."""

        def share() -> float:
            return sum(read_epochs(work_dir, folds, max_epochs)) / (max_epochs * len(folds))

        self.share, self.share_before, self.share_since = share, share(), time.monotonic()
        try:
            yield Console(quiet=True)
        finally:
            self.share = None

    def render(self) -> Group:
        """Return the rows around the first running one, as many as fit the terminal, and the total."""
        running, share = dict(self.running), self.share  # the other thread may change them
        done = share() if share else None
        table = Table()
        for name, justify in dict(method='left', config='left', folds='right', state='left', time='right').items():
            table.add_column(name, justify=justify, no_wrap=True)
        for runs in self._visible(running):
            table.add_row(*map(Text, self._row(runs, running, done)))  # a str is markup: [red] in the name of a file
        return Group(table, self._total(running, done))

    def _visible(self, running: dict[PlannedRun, float]) -> list[list[PlannedRun]]:
        rows, height = self.rows, max(3, self.console.height - LINES_AROUND)
        at = next((i for i, runs in enumerate(rows) if not running.keys().isdisjoint(runs)), 0)
        first = max(0, min(at - height // 2, len(rows) - height))
        return rows[first : first + height]

    def _row(self, runs: list[PlannedRun], running: dict[PlannedRun, float], done: float | None) -> tuple[str, ...]:
        """The row of a method; `done` is the share of finished epochs of the only running run."""
        ours = [run for run in runs if run in running]
        seconds = sum(self.seconds[run] for run in runs) + sum(time.monotonic() - running[run] for run in ours)
        state = joint_state([self.states[run] for run in runs])
        if len(running) == len(ours) == 1:
            self.done[ours[0]] = count_finished(ours[0])
            state = f'seed {ours[0].seed}' + ('' if done is None else f', {done:.0%}')
        folds = f'{sum(self.done[run] for run in runs)}/{sum(len(run.folds) for run in runs) or "?"}'
        return runs[0].method, runs[0].config_name, folds, state, format_duration(seconds) if seconds >= 1 else ''

    def _total(self, running: dict[PlannedRun, float], done: float | None) -> str:
        now = time.monotonic()
        rest = {run: self.rest[run] for run in self.runs if self.states[run] not in ENDED}
        if done and done > self.share_before:  # this run gives its own estimate
            for run in running:
                rest[run] = (now - self.share_since) * (1 - done) / (done - self.share_before)
        failed = [*self.states.values()].count('failed')
        return (
            f'{len(self.runs) - len(rest)} of {len(self.runs)} runs, {failed} failed; '
            f'{format_duration(now - self.start)} so far, {format_rest([*rest.values()])}'
        )

    def _estimate_again(self, run: PlannedRun) -> None:
        self.estimate.forget(run)
        for other in self.runs:
            if other.method == run.method and self.states[other] not in ENDED:
                self.rest[other] = self.estimate.seconds(other)
