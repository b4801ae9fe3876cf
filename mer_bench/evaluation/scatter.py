"""Figures of UF1 against what a method costs: its parameters, or the time of its training."""

from collections.abc import Callable, Sequence

import numpy as np

from mer_bench.errors import InputError
from mer_bench.evaluation.drawn import Drawn, by_method, refuse_many, refuse_without, uf1_of
from mer_bench.evaluation.style import BLUE, GREEN, GREY, LIGHT, ORANGE, PURPLE, SKY, YELLOW, new_figure

DIRECTIONS = np.array([(1, 0.3), (-1, 0.3), (0.3, 1), (0.3, -1), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8)])
LOOKS = {  # of a kind of method
    'sanity': (GREY, 'X', 'sanity'),
    'shallow': (GREEN, 's', 'shallow'),
    'small network': (SKY, 'o', 'small network'),
    'video network': (BLUE, 'D', 'video network'),
    'ours': (ORANGE, '^', 'ours'),
    'ablation': (YELLOW, 'v', 'ablation'),
    'other': (PURPLE, 'P', 'other'),
}


def draw_against(kind: str, runs: Sequence[Drawn], cost: Callable[[dict], float | None], label: str, without: str):
    """Draw UF1 of each method with its interval against a number of its record, the mean over its seeds.

    A number at each point leads to the list beside it, best first; methods without a cost are left out of both.
    """
    refuse_without(kind, runs, 'record', 'the records of runs')
    methods, rows = by_method(runs), []
    for name, seeds in methods.items():
        costs = [cost(run.record) for run in seeds]
        if None not in costs and min(costs) > 0:
            rows.append((uf1_of(seeds), float(np.mean(costs)), name, LOOKS.get(seeds[0].kind, LOOKS['other'])))
    if not rows:
        raise InputError(f'{kind}: expected methods with such a number in their record, but {without}; give others')
    refuse_many(kind, len(rows))
    rows.sort(key=lambda row: -row[0].value)
    width, height = 4.0, max(3.0, 0.155 * len(rows))
    words = 0.4 + 0.055 * max(len(name) for *_, name, _ in rows)
    figure = new_figure(width + words + 0.6, height + 0.7)
    axis, key = figure.subplots(1, 2, width_ratios=[width, words])
    key.set_axis_off()
    key.set(xlim=(0, words), ylim=(max(len(rows), 18) - 0.5, -0.5))
    axis.set_xscale('log')
    for number, ((value, low, high), x, name, (colour, marker, _)) in enumerate(rows, start=1):
        if low is not None:
            axis.plot([x, x], [low, high], color=LIGHT, linewidth=0.9, zorder=1)
        axis.plot(x, value, marker, color=colour, markersize=5, markeredgecolor='white', markeredgewidth=0.5, zorder=3)
        key.text(0.1, number - 1, f'{number}', fontsize=7, ha='right', va='center')
        key.text(0.15, number - 1, f'{value:.3f}  {name}', fontsize=7, va='center', parse_math=False)
    for colour, marker, words in [look for look in LOOKS.values() if look in {row[3] for row in rows}]:
        axis.plot([], [], marker, color=colour, label=words)
    number_points(axis, [(x, estimate.value) for estimate, x, *_ in rows], (width * 72, height * 72))
    if left_out := len(methods) - len(rows):
        label += f'\n({left_out} method{"s" * (left_out > 1)} without this number left out)'
    axis.set(xlabel=label, ylabel='UF1 with its 95 % interval')
    axis.legend(loc='lower center', bbox_to_anchor=(0.5, 1), ncols=3, handlelength=1, columnspacing=1)
    return figure


def number_points(axis, points: Sequence[tuple[float, float]], size: tuple[float, float]) -> None:
    """Number points beside them, where neither a point nor an earlier number is; those further off get a line.

    Args:
        axis: With a logarithmic x axis and everything drawn.
        points: (x, y) of each.
        size: About that of the axis, in points of 1/72 inch.
    """
    limits = np.log10(axis.get_xlim()), np.array(axis.get_ylim())
    places = np.column_stack([np.log10([x for x, _ in points]), [y for _, y in points]])
    places = (places - [low for low, _ in limits]) / [high - low for low, high in limits] * size
    taken = [*places]
    turns = [(x, y) for radius in (7, 13, 20, 28, 37) for x, y in radius * DIRECTIONS]
    for number, (point, place) in enumerate(zip(points, places, strict=True), start=1):
        gaps = [min(max(abs(place + turn - other) / (9, 7)) for other in taken) for turn in turns]
        chosen = next((i for i, gap in enumerate(gaps) if gap >= 1), int(np.argmax(gaps)))
        taken.append(place + turns[chosen])
        line = (
            dict(arrowstyle='-', color=GREY, linewidth=0.4, shrinkA=0, shrinkB=2) if chosen >= len(DIRECTIONS) else None
        )
        how = dict(textcoords='offset points', ha='center', va='center', fontsize=6, zorder=4)
        how |= dict(arrowprops=line, bbox=dict(facecolor='white', edgecolor='none', alpha=0.8, pad=0.3))
        axis.annotate(str(number), point, turns[chosen], **how)


def draw_parameters(runs: Sequence[Drawn]):
    """Draw UF1 against the number of parameters."""
    without = 'methods of scikit-learn count none'
    return draw_against(
        'parameters', runs, lambda record: record.get('parameters'), 'parameters of the network', without
    )


def draw_cost(runs: Sequence[Drawn]):
    """Draw UF1 against the time to train all folds one after another, with that of a choice of settings."""

    def seconds(record: dict) -> float | None:
        parts = [record.get('seconds', {}).get(part, 0) for part in ('train', 'choice')]
        return None if None in parts else sum(parts)

    devices = sorted({run.record.get('device', '').partition(',')[0] for run in runs if run.record})
    devices = ['CPU' if device == 'cpu' else device for device in devices]
    label = f'seconds to train all folds, one after another ({" and ".join(filter(None, devices)) or "?"})'
    return draw_against('cost', runs, seconds, label, 'none of these has one')
