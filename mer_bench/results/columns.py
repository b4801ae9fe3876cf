"""The columns of the leaderboards: a new column is one entry of a list."""

from collections.abc import Callable
from dataclasses import dataclass

from mer_bench.results.blocks import Cell, Link, Table


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: its name in csv.
        header: its name in markdown and LaTeX.
        cell: makes the text of a row; '' where the row has nothing to say. A column that is empty in every row is
            left out.
        align: `left` or `right`.
        formats: of `md`, `tex` and `csv`. A csv holds every value of a row by itself, to 10 significant digits;
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
    Column('accuracy', 'accuracy', lambda row: score_cell(row, 'accuracy')),
    Column('uf1', 'UF1', lambda row: score_cell(row, 'uf1')),
    Column('uar', 'UAR', lambda row: score_cell(row, 'uar')),
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
