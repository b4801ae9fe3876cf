"""Figures of methods in the style of evaluation/style.py: a new kind is a function and its entry in KINDS."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.calibration import BINS, bins_of, measure, probabilities_of
from mer_bench.evaluation.drawn import LONGEST, PANEL, Drawn, by_method, panels, refuse_many, refuse_without, uf1_of
from mer_bench.evaluation.metrics import class_recall
from mer_bench.evaluation.ranking import rank_methods
from mer_bench.evaluation.scatter import draw_cost, draw_parameters
from mer_bench.evaluation.statistics import Estimate, contrast
from mer_bench.evaluation.style import BLUE, GREY, LIGHT, ORANGE, new_figure


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
        looks = ((raw, 'scores as they are', BLUE, 'o', '-'), (scaled, 'after scaling', ORANGE, 's', '--'))
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
        counts = run.counts.total
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axis.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        for (row, column), number in np.ndenumerate(counts):
            dark = shares[row, column] > 0.6
            text = f'{number}\n{shares[row, column]:.0%}'
            axis.text(column, row, text, ha='center', va='center', color='white' if dark else 'black', fontsize=8)
        names = [str(name) for name in run.classes]
        axis.set_xticks(range(len(names)), names, rotation=45, ha='right', rotation_mode='anchor', parse_math=False)
        axis.set_yticks(range(len(names)), names, parse_math=False)
        axis.set(xlabel='predicted', ylabel='true (each row: 100%)')
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        axis.set_title(f'{axis.get_title()}\nUAR {class_recall(counts).mean():.3f}', parse_math=False, fontsize=8)
    return figure


def draw_rows(kind: str, rows: Mapping[str, Estimate], form: str):
    """Return a figure with one row for each estimate, the highest on top, with its interval and both in numbers."""
    refuse_many(kind, len(rows))
    figure = new_figure(6.3 + 0.06 * max(0, max(map(len, rows)) - LONGEST), 0.7 + 0.24 * len(rows))
    axis = figure.subplots()
    ordered = sorted(rows.items(), key=lambda row: row[1].value)
    for place, (_, (value, *ends)) in enumerate(ordered):
        known = None not in ends
        if known:
            axis.plot(ends, [place, place], color=GREY)
        axis.plot(value, place, 'o', color=BLUE)
        text = format(value, form) + (f' [{ends[0]:{form}}, {ends[1]:{form}}]' if known else '')
        axis.text(1.02, place, text, transform=axis.get_yaxis_transform(), va='center', fontsize=8)
    axis.set_yticks(range(len(rows)), [name for name, _ in ordered], parse_math=False)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(axis='x', color=LIGHT, linewidth=0.6)
    axis.set_axisbelow(True)
    return figure, axis


def draw_intervals(runs: Sequence[Drawn]):
    """Draw UF1 of each method with its 95 % interval over the subjects, best first."""
    rows = {name: uf1_of(seeds) for name, seeds in by_method(runs).items()}
    figure, axis = draw_rows('intervals', rows, '.3f')
    same = len({(len(run.table), run.table['subject'].nunique()) for run in runs}) == 1
    whom = f'{runs[0].table["subject"].nunique()} subjects ({len(runs[0].table)} clips)' if same else 'the subjects'
    axis.set_xlabel(f'UF1 with its 95 % interval over {whom}')
    return figure


def draw_critical_difference(runs: Sequence[Drawn]):
    """Draw the average ranks of three methods or more; a bar joins those that Nemenyi's test does not tell apart."""
    ranking = rank_methods([run.table for run in runs], runs[0].classes, [run.name for run in runs])
    return ranking.draw()


def draw_ablations(runs: Sequence[Drawn]):
    """Draw how UF1 changes by each ablation of a model, with the 95 % interval over the subjects, paired."""
    refuse_without('ablations', runs, 'record', 'the records of runs, which name the overrides')
    methods = by_method(runs)
    parts = {name: parts_of(seeds[0].record) for name, seeds in methods.items()}
    full = min(methods, key=lambda name: len(parts[name]))
    if len(methods) < 2:
        raise InputError('ablations: expected a full model and its ablations, got one method; give both')
    rows, whole = {}, methods.pop(full)
    model = base_of(whole[0])
    own = {name: seeds for name, seeds in methods.items() if base_of(seeds[0]) == model}
    if not own:
        raise InputError(f'ablations: expected ablations of {full} too, but the others are of other models; add them')
    for name, seeds in own.items():
        if not parts[full] < parts[name] or any(not clips_of(run).equals(clips_of(whole[0])) for run in seeds):
            raise InputError(
                f'ablations: expected {full} and methods with more overrides than it on the same clips, but {name} is '
                'no such method; leave it out'
            )
        label = ', '.join(part for part in name.split(', ') if part not in full.split(', ')) or name
        rows[label] = contrast([[run.counts for run in each] for each in (seeds, whole)], [1, -1], 'uf1')
    figure, axis = draw_rows('ablations', rows, '+.3f')
    axis.axvline(0, color=GREY, linewidth=0.8, linestyle=':')
    axis.set_title(fill(full, 2 * LONGEST), parse_math=False)
    before = f'change of UF1 from {uf1_of(whole).value:.3f}'
    out = len(methods) - len(own)
    left = f'\n({out} {"method" if out == 1 else "methods"} of other models left out)' if out else ''
    axis.set_xlabel(f'{before}, with its 95 % interval, paired over the subjects{left}')
    return figure


def base_of(run: Drawn) -> str:
    """Return the name of a method in its record without the overrides that change it."""
    return run.record['method'].split('+')[0]


def parts_of(record: dict) -> set[str]:
    """Return the name of the config of a run and those of its overrides; nothing of published predictions."""
    return {'', *(part['name'] for part in (record.get('config', {'name': ''}), *record.get('overrides', ())))}


def clips_of(run: Drawn) -> pd.DataFrame:
    """Return the clips of a run with their subjects and labels, in their order."""
    return run.table[['sample_id', 'subject', 'y_true']].astype(str).sort_values('sample_id', ignore_index=True)


def draw_subjects(runs: Sequence[Drawn]):
    """Draw how many clips of each subject are right; of more than four runs the share, as a map."""
    right = [run.table.assign(right=run.table['y_true'] == run.table['y_pred']) for run in runs]
    found = [table.groupby('subject')['right'].agg(['size', 'sum']) for table in right]
    shares = pd.DataFrame([table['sum'] / table['size'] for table in found])
    shares = shares.groupby([run.method or run.name for run in runs]).mean()  # over the seeds
    refuse_many('subjects', len(shares))
    order = shares.mean().sort_values(ascending=False, kind='stable').index
    width = min(max(3.5, 1.5 + 0.13 * len(order)), 11)
    if len(runs) > 4:
        figure = new_figure(width + 0.8 + 0.06 * max(map(len, shares.index)), 1.3 + 0.2 * len(shares))
        axis = figure.subplots()
        best = shares.mean(1).sort_values(ascending=False, kind='stable').index
        image = axis.imshow(shares.loc[best, order], cmap='Blues', vmin=0, vmax=1, aspect='auto')
        figure.colorbar(image, label='share of the clips that are right', shrink=min(1, 8 / len(shares) + 0.2))
        axis.set_yticks(range(len(best)), best, parse_math=False)
        axis.spines[:].set_visible(False)
        axes = [axis]
    else:
        figure = new_figure(width, 1.1 + 1.3 * len(runs))
        axes = figure.subplots(len(runs), 1, squeeze=False, sharex=True).ravel()
        for axis, run, table in zip(axes, runs, found, strict=True):
            table = table.reindex(order, fill_value=0)
            axis.bar(range(len(order)), table['size'], color=LIGHT, label='clips')
            axis.bar(range(len(order)), table['sum'], color=BLUE, label='right')
            axis.set_title(run.name, parse_math=False, fontsize=8, loc='left')
            axis.set(ylabel='clips', xlim=(-0.7, len(order) - 0.3))
            axis.yaxis.get_major_locator().set_params(integer=True)
        axes[0].legend(loc='lower right', bbox_to_anchor=(1, 1), ncols=2, handlelength=1)
    axes[-1].set_xticks(range(len(order)), order, rotation=90, fontsize=6 if len(order) > 20 else 8, parse_math=False)
    axes[-1].set_xlabel('subject, easiest first')
    return figure


def draw_curves(runs: Sequence[Drawn]):
    """Draw loss and training accuracy of each epoch: median over the folds, and a band from quartile to quartile."""
    refuse_without('curves', runs, 'curves', 'learning curves (curves.csv, which the training of a network writes)')
    figure, axes = panels(runs, 'curves', PANEL * 1.2)
    for axis, run in zip(axes, runs, strict=True):
        both, table = axis.get_subplotspec().subgridspec(2, 1).subplots(sharex=True), run.curves
        both[0].set_title(axis.get_title(), parse_math=False, fontsize=8)
        axis.remove()
        for part, name, colour in zip(both, ('loss', 'train_accuracy'), (BLUE, ORANGE), strict=True):
            ends = table[f'{name}_low'], table[f'{name}_high']
            part.fill_between(table['epoch'], *ends, color=colour, alpha=0.3, linewidth=0)
            part.plot(table['epoch'], table[name], color=colour, linewidth=0.9, marker='o' if len(table) < 3 else None)
        both[0].set_ylim(0, 1.05 * np.nanmax([*table['loss'], *table['loss_high'], 1e-9]))
        both[0].set_ylabel('loss')
        both[1].set(ylim=(0, 1.05), yticks=(0, 0.5, 1), ylabel='training\naccuracy', xlabel='epoch')
        if table['train_accuracy'].isna().all():
            both[1].text(0.5, 0.5, 'unknown', transform=both[1].transAxes, ha='center')
        both[1].xaxis.get_major_locator().set_params(integer=True)
    return figure


KINDS: dict[str, Callable] = {
    'reliability': draw_reliability,
    'critical-difference': draw_critical_difference,
    'confusion': draw_confusion,
    'intervals': draw_intervals,
    'ablations': draw_ablations,
    'subjects': draw_subjects,
    'curves': draw_curves,
    'parameters': draw_parameters,
    'cost': draw_cost,
}
