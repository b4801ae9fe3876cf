"""Figures of predictions in the style of evaluation/style.py: a new kind is a function and its entry in KINDS."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.calibration import BINS, bins_of, measure, probabilities_of
from mer_bench.evaluation.metrics import SubjectCounts, class_recall
from mer_bench.evaluation.ranking import rank_methods
from mer_bench.evaluation.style import BLUE, GREY, LIGHT, ORANGE, new_figure

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
    """

    name: str
    table: pd.DataFrame
    classes: Sequence[str]
    temperatures: Mapping[str, dict] | None = None


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


def draw_reliability(runs: Sequence[Drawn]):
    """Draw how often a method is right against how sure it is, in 15 bins; below, how many clips a bin has."""
    found = [probabilities_of(run.table, run.classes, run.temperatures) for run in runs]
    for run, each in zip(runs, found, strict=True):
        if each is None:
            raise InputError(f'reliability: expected columns of class scores, but {run.name} has none; leave it out')
        if each[0] is None and each[1] is None:
            raise InputError(
                f'reliability: expected probabilities, but the class scores of {run.name} are none; train it again '
                'with --select inner, which fits temperatures, or leave it out'
            )
    figure, axes = panels(runs, 'reliability', PANEL * 1.2)
    for axis, (raw, scaled, truth) in zip(axes, found, strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=':')
        shares = bins_of(raw if scaled is None else scaled, truth)['clips'] / len(truth)
        look = dict(color=LIGHT, edgecolor='white', linewidth=0.5, label='share of the clips')
        axis.bar(np.arange(BINS) / BINS, shares, 1 / BINS, align='edge', **look)
        looks = ((raw, 'as they are', BLUE, 'o', '-'), (scaled, 'after scaling', ORANGE, 's', '--'))
        drawn = [look for look in looks if look[0] is not None]
        for probabilities, words, colour, marker, line in drawn:
            bins = bins_of(probabilities, truth)
            kept = bins['clips'] > 0
            points = [bins[key][kept] / bins['clips'][kept] for key in ('confidence', 'correct')]
            label = f'{words}: ECE {measure(probabilities, truth)["ece"]:.3f}'
            axis.plot(*points, color=colour, linestyle=line, linewidth=0.9, marker=marker, markersize=2, label=label)
            sizes = 6 + 120 * bins['clips'][kept] / len(truth)
            axis.scatter(*points, sizes, color=colour, marker=marker, clip_on=False, zorder=3)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect='equal')
        axis.set_xlabel('how sure (probability)')
        axis.set_ylabel('how often right')
        axis.legend(loc='lower left', bbox_to_anchor=(-0.05, 1), handlelength=1.8)
        axis.set_title(axis.get_title(), pad=25 + 13 * len(drawn), parse_math=False, fontsize=8)
    return figure


def draw_confusion(runs: Sequence[Drawn]):
    """Draw the clips of each true class by predicted class: numbers, shaded by their share of the class."""
    figure, axes = panels(runs, 'confusion')
    for axis, run in zip(axes, runs, strict=True):
        counts = SubjectCounts.of(run.table, [*run.classes]).total
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axis.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        for (row, column), number in np.ndenumerate(counts):
            dark = shares[row, column] > 0.6
            text = f'{number}\n{shares[row, column]:.0%}'
            axis.text(column, row, text, ha='center', va='center', color='white' if dark else 'black', fontsize=8)
        names = [str(name) for name in run.classes]
        axis.set_xticks(range(len(names)), names, rotation=45, ha='right', rotation_mode='anchor', parse_math=False)
        axis.set_yticks(range(len(names)), names, parse_math=False)
        axis.set(xlabel='predicted', ylabel='true (a row: 100%)')
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        axis.set_title(f'{axis.get_title()}\nUAR {class_recall(counts).mean():.3f}', parse_math=False, fontsize=8)
    return figure


def draw_intervals(runs: Sequence[Drawn]):
    """Draw UF1 of each method with its 95 % interval over the subjects, best first."""
    if len(runs) > MOST_ROWS:
        raise InputError(f'intervals: expected at most {MOST_ROWS} runs in one figure, got {len(runs)}; give fewer')
    counts = [SubjectCounts.of(run.table, [*run.classes]) for run in runs]
    rows = [
        (float(each.scores['uf1']), each.intervals()['uf1'], run.name) for each, run in zip(counts, runs, strict=True)
    ]
    rows.sort(key=lambda row: row[0])
    longest = max(len(run.name) for run in runs)
    figure = new_figure(6.3 + 0.06 * max(0, longest - LONGEST), 0.7 + 0.24 * len(rows))
    axis = figure.subplots()
    for place, (value, ends, _) in enumerate(rows):
        if ends:
            axis.plot(ends, [place, place], color=GREY)
        axis.plot(value, place, 'o', color=BLUE)
        text = f'{value:.3f}' + (' [{:.3f}, {:.3f}]'.format(*ends) if ends else '')
        axis.text(1.02, place, text, transform=axis.get_yaxis_transform(), va='center', fontsize=8)
    axis.set_yticks(range(len(rows)), [name for *_, name in rows], parse_math=False)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(axis='x', color=LIGHT, linewidth=0.6)
    axis.set_axisbelow(True)
    same = len({(len(run.table), run.table['subject'].nunique()) for run in runs}) == 1
    whom = f'{runs[0].table["subject"].nunique()} subjects ({len(runs[0].table)} clips)' if same else 'the subjects'
    axis.set_xlabel(f'UF1 with its 95 % interval over {whom}')
    return figure


def draw_critical_difference(runs: Sequence[Drawn]):
    """Draw the average ranks of three methods or more; a bar joins those that Nemenyi's test does not tell apart."""
    ranking = rank_methods([run.table for run in runs], runs[0].classes, [run.name for run in runs])
    return ranking.draw()


KINDS: dict[str, Callable] = {
    'reliability': draw_reliability,
    'critical-difference': draw_critical_difference,
    'confusion': draw_confusion,
    'intervals': draw_intervals,
}
