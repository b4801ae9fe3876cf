"""Rows of a leaderboard, each the seeds of a method averaged, and its columns: a new column is one entry of a list."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import METRICS, mean_of_datasets
from mer_bench.evaluation.statistics import contrast
from mer_bench.files import digest_of
from mer_bench.results.blocks import Cell, Link, Table
from mer_bench.results.run import Run

DIGITS = 10  # significant: versions of numpy, scipy and Python differ from the fifteenth on
ZERO = 1e-14  # what sums leave of a zero


def summarise(runs: list[Run]) -> dict:
    """Make one row of a method, one run per seed: means and standard deviations, to 10 significant digits."""
    runs = sorted(runs, key=lambda run: run.record['seed'])
    for first, second in pairwise(runs):
        if first.record['seed'] == second.record['seed']:
            raise InputError(
                f'expected each seed of a method once, but {first.path} and {second.path} are both '
                f'{first.record["method"]} with seed {first.record["seed"]}; give only one of them'
            )
    record = runs[0].record
    row = {
        **_pooled_scores(runs),
        **_action_unit_scores(runs),
        'clips': record['n_clips'],
        'subjects': runs[0].scores['full']['n_subjects'],
        'seeds': len(runs),
        'seed_list': ', '.join(str(run.record['seed']) for run in runs),
        'parameters': record['parameters'],
        'flops': record['flops'],
        'input': _describe_input(record['config'].get('input')),
        'epoch_rule': record['epoch_rule'],
        'source': source_of(runs[0]),
        'config': _with_digest(record['config']),
        'overrides': ', '.join(_with_digest(override) for override in record['overrides']),
        'settings_digest': settings_of(runs[0]),
        'store_digest': record['data']['store_digest'],
        'annotations_digest': record['data']['annotations_digest'],
        **{key: distinct(run.record[key] for run in runs) for key in ('commit', 'device', 'date')},
        **_dataset_scores(runs),
    }
    return rounded(row)


def rescored_row(run: Run) -> dict:
    """Make a row of published predictions; unknown values are left out."""
    record = run.record
    row = {
        **_pooled_scores([run]),
        'clips': record['n_clips'],
        'subjects': run.scores['full']['n_subjects'],
        'epoch_rule': record['epoch_rule'],
        'source': source_of(run),
        'log': record['log']['name'],
        'log_digest': record['log']['digest'],
        'url': record['url'],
        'date': record['date'],
        **_dataset_scores([run]),
    }
    return rounded(row)


def _pooled_scores(runs: list[Run]) -> dict:
    """Return the name of a method, its scores, and the 95 % interval of the mean UF1 over the seeds."""
    uf1 = contrast([[run.counts for run in runs]], [1], 'uf1')
    named = {key: runs[0].record[key] for key in ('dataset', 'protocol', 'method')}
    return {**named, **_mean_scores(runs, 'full', ''), 'uf1_low': uf1.low, 'uf1_high': uf1.high}


def _dataset_scores(runs: list[Run]) -> dict:
    return {key: mean for name in slices_of(runs[0]) for key, mean in _mean_scores(runs, name, f'{name}_').items()}


def _mean_scores(runs: list[Run], part: str, prefix: str) -> dict:
    """Average the scores of one part ('full' or a data set) over the seeds; the deviation is that of a sample."""
    return _over_seeds({prefix + m.name: [run.scores[part][m.name] for run in runs] for m in METRICS})


def _action_unit_scores(runs: list[Run]) -> dict:
    """Average the mean F1 of the action units over the seeds; nothing where a run predicts none, or no clip has any."""
    if not all('action_units' in run.table for run in runs):
        return {}
    tables = [score_action_units(run.predictions) for run in runs]
    if tables[0]['full'] is None:
        return {}
    known = [name for name in slices_of(runs[0]) if tables[0][name]]
    return _over_seeds(
        {'au_f1': [table['full']['f1'] for table in tables]}
        | {'au_f1_mean': [mean_of_datasets(table, 'f1') for table in tables]}
        | {f'{name}_au_f1': [table[name]['f1'] for table in tables] for name in known}
    )


def _over_seeds(values: dict[str, list[float]]) -> dict:
    """Return the mean of each score and, as `<score>_sd`, its standard deviation, None for one seed."""
    means = {}
    for name, seeds in values.items():
        means[name] = float(np.mean(seeds))
        means[f'{name}_sd'] = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
    return means


def _describe_input(view: dict | None) -> str:
    """Return what a method takes of the store: 'u v strain, apex frame, 28 x 28'; '' where the record lacks it."""
    if view is None:
        return ''
    frames, size = view.get('frames'), view.get('size')
    parts = [
        ' '.join(view.get('channels') or ()),
        {None: '', 'apex': 'apex frame'}.get(frames, f'{frames} frame' + 's' * (frames != 1)),
        f'{size} x {size}' + ' by area' * (view.get('resize') == 'area') if size else '',
        'centred' if view.get('centre') else '',
        'scaled' if view.get('scale') else '',
        'tested mirrored too' if view.get('mirror_test') else '',
        'not normalised' if view.get('normalise') is False else '',
    ]
    return ', '.join(part for part in parts if part) or 'as stored'


def _with_digest(file: dict) -> str:
    return f'{file["name"]} ({file["digest"][:12]})'


def source_of(run: Run) -> str:
    return run.record['source'] + (' (synthetic data)' if run.synthetic else '')


def slices_of(run: Run) -> list[str]:
    """Return the data sets of a composite; none where the full table is a single data set."""
    datasets = [name for name in run.scores if name != 'full']
    return datasets if len(datasets) > 1 else []


def distinct(values: Iterable) -> str:
    """Join the different values: ['a', None, 'a', 'b'] -> 'a / b'."""
    return ' / '.join(dict.fromkeys(str(value) for value in values if value is not None))


def settings_of(run: Run) -> str:
    """Return the digest of the config and the overrides of a run: the seeds of one method share it."""
    record = run.record
    return digest_of([record['config']['digest'], *(override['digest'] for override in record['overrides'])])


def rounded(row: dict) -> dict:
    """Round the floats of a row to 10 significant digits; what is smaller than 1e-14 is zero."""
    return {key: round_number(value) if isinstance(value, float) else value for key, value in row.items()}


def round_number(number: float) -> float:
    """Round to 10 significant digits, without a negative zero."""
    return 0.0 if abs(number) < ZERO else float(f'{number:.{DIGITS}g}')


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: its name in csv.
        header: its name in markdown and LaTeX.
        cell: makes the text of a row; '' where it does not apply. A column that is empty in every row is left out.
        align: `left` or `right`.
        formats: of `md`, `tex` and `csv`. A csv has every value of a row anyway, to 10 significant digits;
            `csv` adds the text.
    """

    name: str
    header: str
    cell: Callable[[dict], Cell]
    align: str = 'left'
    formats: tuple[str, ...] = ('md', 'tex')


def score_cell(row: dict, name: str) -> str:
    """0.8519 ± 0.0100: a score, and its standard deviation where there are several seeds."""
    if row.get(name) is None:
        return '-'
    deviation = row.get(f'{name}_sd')
    return f'{row[name]:.4f}' + ('' if deviation is None else f' ± {deviation:.4f}')


def interval_cell(row: dict) -> str:
    """Return the 95 % interval of UF1."""
    return 'one subject' if row['uf1_low'] is None else f'[{row["uf1_low"]:.4f}, {row["uf1_high"]:.4f}]'


def format_count(number: int | None) -> str:
    """27212345 -> '27.2 M'; '-' where there are none to count, as in a rule."""
    if number is None:
        return '-'
    for size, unit in ((10**6, ' M'), (10**3, ' k')):
        if number >= size:
            return f'{number / size:.1f}{unit}'
    return str(number)


def sanity_cell(row: dict) -> str:
    """Return whether UF1 reaches its bound, or why not; '' where there is no bound."""
    if row.get('sanity_uf1') is None:
        return ''
    bound = f'{row["sanity_uf1"]:g}'
    return (
        f'reaches {bound}' if row['sanity_reached'] else f'below {bound}: {row["sanity_reason"] or "no reason given"}'
    )


SCORES = [
    Column('method', 'method', lambda row: row['method']),
    *(Column(m.name, m.header, lambda row, name=m.name: score_cell(row, name)) for m in METRICS if m.ranked),
    Column('interval', '95 % interval', interval_cell),
    Column('clips', 'clips', lambda row: str(row['clips']), 'right', ('md',)),
]
REPRODUCED = [
    *SCORES,
    Column('seeds', 'seeds', lambda row: str(row['seeds']), 'right'),
    Column('parameters', 'parameters', lambda row: format_count(row['parameters']), 'right'),
    Column('input', 'input', lambda row: row['input'], formats=('md',)),
    Column('sanity', 'sanity bound', sanity_cell, formats=('md', 'csv')),
    Column('epoch_rule', 'epoch rule', lambda row: row['epoch_rule'], formats=('md',)),
    Column('source', 'source', lambda row: row['source'], formats=('md',)),
]
RESCORED = [
    *SCORES,
    Column('subjects', 'subjects', lambda row: str(row['subjects']), 'right', ('md',)),
    Column('epoch_rule', 'epoch rule', lambda row: row['epoch_rule']),
    Column('log', 'published log', lambda row: Link(row['log'], row['url'])),
    Column('source', 'source', lambda row: row['source'], formats=('md',)),
]


def make_tables(columns: list[Column], rows: list[dict], caption: str = '') -> list[Table]:
    """Make the table of each format: one for both where they have the same columns."""
    shown = {form: _shown(columns, rows, form) for form in ('md', 'tex')}
    groups = {('md', 'tex'): shown['md']} if shown['md'] == shown['tex'] else {(f,): shown[f] for f in shown}
    return [
        Table(
            headers=tuple(column.header for column in chosen),
            rows=tuple(tuple(column.cell(row) for column in chosen) for row in rows),
            right=tuple(column.header for column in chosen if column.align == 'right'),
            formats=formats,
            caption=caption,
        )
        for formats, chosen in groups.items()
    ]


def csv_row(columns: list[Column], row: dict) -> dict:
    """Return the values of a row, and the text of the columns that csv shows as well."""
    return row | {column.name: column.cell(row) for column in _shown(columns, [row], 'csv')}


def _shown(columns: list[Column], rows: list[dict], form: str) -> list[Column]:
    return [column for column in columns if form in column.formats and any(column.cell(row) != '' for row in rows)]
