"""What a figure draws: the runs of methods, with what their folders hold beside the predictions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import fill

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import SubjectCounts
from mer_bench.evaluation.statistics import Estimate, contrast
from mer_bench.evaluation.style import new_figure

PANEL = 2.5  # inches
MOST_PANELS = 12
MOST_ROWS = 60
LONGEST = 32  # letters in a line of a title


@dataclass(frozen=True)
class Drawn:
    """The predictions of a method in a figure.

    Attributes:
        name: its label.
        table: as of :func:`mer_bench.evaluation.predictions.load_predictions`.
        classes: names of the classes.
        temperatures: of each fold, None where none were fitted.
        record: the content of record.json; None of predictions without one.
        curves: as of :func:`mer_bench.evaluation.curves.read_curves`; None where there are none.
        method: the label of its method, which the seeds of one share; empty: its own.
        kind: what the method is, such as 'small network'.
    """

    name: str
    table: pd.DataFrame
    classes: Sequence[str]
    temperatures: Mapping[str, dict] | None = None
    record: dict | None = None
    curves: pd.DataFrame | None = None
    method: str = ''
    kind: str = ''

    @cached_property
    def counts(self) -> SubjectCounts:
        return SubjectCounts.of(self.table, [*self.classes])


def by_method(runs: Sequence[Drawn]) -> dict[str, list[Drawn]]:
    """Return the runs of each method, one for each seed, by its label."""
    groups: dict[str, list[Drawn]] = {}
    for run in runs:
        groups.setdefault(run.method or run.name, []).append(run)
    return groups


def uf1_of(seeds: Sequence[Drawn]) -> Estimate:
    """Return UF1 of a method, mean over its seeds, with its interval over the subjects."""
    return contrast([[run.counts for run in seeds]], [1], 'uf1')


def refuse_many(kind: str, number: int) -> None:
    """Refuse more rows than a page has."""
    if number > MOST_ROWS:
        raise InputError(f'{kind}: expected at most {MOST_ROWS} methods in one figure, got {number}; give fewer')


def refuse_without(kind: str, runs: Sequence[Drawn], part: str, words: str) -> None:
    """Refuse runs that lack what a figure shows."""
    for run in runs:
        if getattr(run, part) is None:
            raise InputError(f'{kind}: expected {words}, but {run.name} has none; leave it out')


def panels(runs: Sequence[Drawn], kind: str, height: float = PANEL):
    """Return a figure with one panel for each method, and the panels."""
    if len(runs) > MOST_PANELS:
        raise InputError(f'{kind}: expected at most {MOST_PANELS} runs in one figure, got {len(runs)}; give fewer')
    columns = min(len(runs), 4 if len(runs) > 6 else 3)
    rows = math.ceil(len(runs) / columns)
    figure = new_figure(max(columns, 1.2) * PANEL, rows * height)
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    for axis, run in zip(axes, runs, strict=False):
        name = run.name if len(run.name) <= LONGEST else fill(run.name.replace('+', ' +'), LONGEST)
        axis.set_title(name, parse_math=False, fontsize=8)
    return figure, axes[: len(runs)]
