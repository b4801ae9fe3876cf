"""Published numbers: rows of results/published.csv as tables of their own, by data set, with their protocols as stated.

Nothing here is checked by us; the cautions of the column `notes` become footnotes. The rows stand by year and name:
numbers of different protocols have no rank.
"""

import re
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.results.blocks import Block, Cell, Heading, Link, Noted, Paragraph, Table

COLUMNS = (
    *('method', 'year', 'venue', 'doi_or_url', 'protocol', 'classes', 'dataset', 'metric', 'value'),
    *('source_url', 'primary_or_secondary', 'notes'),
)
COMPOSITE = 'MEGC2019 composite'
# Title of a table -> the names that published.csv has for its data, and ours, whose pages show it.
DATASETS = {
    COMPOSITE: (('composite',), ('megc2019', 'megc2019_flow')),
    'SMIC': (('SMIC', 'SMIC-HS', 'SMIC-VIS', 'SMIC-NIR'), ('smic', 'smic_vis', 'smic_nir')),
    'CASME II': (('CASME II',), ('casme2',)),
    'SAMM': (('SAMM',), ('samm',)),
    'CAS(ME)^2': (('CAS(ME)^2',), ('casme_sq',)),
    'CAS(ME)^3': (('CAS(ME)^3',), ('casme3',)),
    'MMEW': (('MMEW',), ('mmew',)),
    'Other composites': (('CASME+CASME II+CAS(ME)^2', 'SAMM/CASME II/MMEW'), ()),
}
PARTS = ('composite', 'SMIC', 'CASME II', 'SAMM')  # of the composite, each with scores of its own
METRICS = ('Acc', 'UF1', 'UAR', 'F1')  # others are rare: they share a column
CDE = 'MEGC2019 CDE'
ADDRESSES = ('doi_or_url', 'source_url')
ONE_ROW = ['method', 'year', 'doi_or_url', 'protocol', 'classes', 'source_url']
LINK = re.compile(r'(https?://\S+)|(?:arXiv:)(\d{4}\.\d{4,5})|\b(10\.\d{4,}/[^\s,;)]+)')


def read_published(path: Path) -> pd.DataFrame:
    """Read published.csv as text; `title` is the table in which a row stands."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(table.columns) != COLUMNS:
        raise InputError(
            f'{path}: expected the columns {", ".join(COLUMNS)}, found {", ".join(table.columns)}; correct the header'
        )
    values = pd.to_numeric(table['value'], errors='coerce')
    wrong = table.loc[~values.between(0, 1), 'value']
    if len(wrong):
        raise InputError(
            f'{path}, line {wrong.index[0] + 2}: expected a value from 0 to 1, found {wrong.iloc[0]!r}; correct it'
        )
    return table.assign(title=[_title(path, row) for row in table.itertuples()])


def _title(path: Path, row: tuple) -> str:
    """Return the table of a row; data sets scored as parts of the composite stand with it."""
    if row.protocol.startswith(CDE) and row.dataset in PARTS:
        return COMPOSITE
    for title, (names, _) in DATASETS.items():
        if row.dataset in names:
            return title
    raise InputError(f'{path}: the data set {row.dataset!r} of {row.method} is in no table; name it in DATASETS')


def blocks_for(table: pd.DataFrame, dataset: str, n_classes: int) -> list[Block]:
    """Return what is published on one of our data sets: the rows with as many classes, or with no word on them."""
    titles = [title for title, (_, ours) in DATASETS.items() if dataset in ours]
    chosen = table[table['title'].isin(titles) & table['classes'].isin([str(n_classes), 'not stated'])]
    if chosen.empty:
        return []
    return [Heading(2, f'Published numbers, {titles[0]}'), Paragraph(_caution()), _table(chosen, titles[0])]


def published_page(table: pd.DataFrame) -> list[Block]:
    """Return a page of all published numbers."""
    blocks: list[Block] = [Heading(1, 'Published numbers'), Paragraph(_caution())]
    for title in DATASETS:
        chosen = table[table['title'] == title]
        if len(chosen):
            blocks += [Heading(2, title), _table(chosen, title)]
    return blocks


def _caution() -> str:
    return (
        'As papers and their code report them: not reproduced, not re-scored, and not ranked, because protocols, '
        'clips and classes differ or are not stated. F1 is as the source prints it; which average it is, is not '
        'always said. Footnotes hold what is to be known of a row or a number.'
    )


def _table(chosen: pd.DataFrame, title: str) -> Table:
    """One row per method, protocol and source; a column for every score."""
    composite = title == COMPOSITE
    keys = ONE_ROW if composite else [*ONE_ROW, 'dataset']
    scores = [(part, metric) for part in (PARTS if composite else (None,)) for metric in METRICS]
    scores = [score for score in scores if len(_of(chosen, score))]
    rare = not chosen['metric'].isin(METRICS).all()
    several = not composite and chosen['dataset'].nunique() > 1
    rows = []
    for _, group in sorted(chosen.groupby(keys, sort=False), key=lambda item: (item[0][1], item[0][0].lower())):
        common = _common_notes(group)
        first = group.iloc[0]
        lead = [
            _noted(first['method'], common),
            first['year'],
            *([first['dataset']] if several else []),
            first['classes'],
        ]
        values = [_values(_of(group, score), common, named=False) for score in scores]
        others = [_values(group[~group['metric'].isin(METRICS)], common, named=True)] if rare else []
        rows.append((*lead, *values, *others, first['protocol'], *(_link(first[key]) for key in ADDRESSES)))
    names = [metric if part in (None, 'composite') else f'{part} {metric}' for part, metric in scores]
    lead = ['method', 'year', *(['data set'] if several else []), 'classes']
    headers = (*lead, *names, *(['other scores'] if rare else []), 'protocol as stated', 'reference', 'number from')
    return Table(headers, tuple(rows), right=tuple(names), caption='As published, not reproduced')


def _of(rows: pd.DataFrame, score: tuple[str | None, str]) -> pd.DataFrame:
    part, metric = score
    chosen = rows[rows['metric'] == metric]
    return chosen if part is None else chosen[chosen['dataset'] == part]


def _values(rows: pd.DataFrame, common: tuple[str, ...], named: bool) -> Cell:
    """Return the numbers as printed, with the notes that are theirs alone."""
    numbers = [f'{row.metric} {row.value}' if named else row.value for row in rows.itertuples()]
    notes = [note for text in rows['notes'] for note in _notes(text) if note not in common]
    return _noted(', '.join(numbers), tuple(dict.fromkeys(notes)))


def _notes(text: str) -> list[str]:
    return [note.strip() for note in text.split(';') if note.strip()]


def _common_notes(group: pd.DataFrame) -> tuple[str, ...]:
    notes = [_notes(text) for text in group['notes']]
    return tuple(note for note in notes[0] if all(note in others for others in notes))


def _noted(cell: str | Link, notes: tuple[str, ...]) -> Cell:
    return Noted(cell, notes) if notes else cell


def _link(text: str) -> str | Link:
    """'https://github.com/a/b (result.JPG)' -> a link named 'a/b (result.JPG)'; text without an address stays text."""
    found = LINK.search(text)
    if not found:
        return text
    address, arxiv, doi = found.groups()
    if not address:
        return Link(text, f'https://arxiv.org/abs/{arxiv}' if arxiv else f'https://doi.org/{doi}')
    return Link((text[: found.start()] + _short(address) + text[found.end() :]).strip(), address)


def _short(address: str) -> str:
    """Return owner/repository, doi:..., arXiv:..., or the name of the server."""
    host, _, path = re.sub(r'^https?://(www\.)?', '', address).partition('/')
    if host == 'github.com':
        return '/'.join(path.split('#')[0].split('/')[:2])
    if host == 'doi.org':
        return f'doi:{path}'
    if host == 'arxiv.org':
        return f'arXiv:{path.split("/")[-1]}'
    return host
