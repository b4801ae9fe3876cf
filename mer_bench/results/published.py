"""Published numbers: rows of results/published.csv as narrow tables of their own, by data set, protocol and classes.

We have checked none of them; the cautions of the column `notes` are below each table. Rows are sorted by year and name:
numbers of different protocols have no rank.
"""

import re
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.results.blocks import Block, Cell, Column, Heading, Link, Noted, Paragraph, Table
from mer_bench.results.sanity import read_rows

COLUMNS = (
    *('method', 'year', 'venue', 'doi_or_url', 'protocol', 'classes', 'dataset', 'metric', 'value'),
    *('source_url', 'primary_or_secondary', 'notes'),
)
COMPOSITE = 'MEGC2019 composite'
# Title of a table -> the names that published.csv has for its data, and ours, whose pages show it.
DATASETS = {
    COMPOSITE: (('composite',), ('megc2019', 'megc2019_flow', 'megc2019_rise_fall')),
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
POOLED = f'{CDE}, LOSO 68 folds, pooled'
LOSO = 'Leave one subject out of one data set'
OTHER = 'Other protocols, or none stated'
SINGLE = 'SDE LOSO'
ONE_ROW = ['method', 'year', 'doi_or_url', 'protocol', 'classes', 'source_url', 'dataset']
LAST, TEST_SELECTED, UNKNOWN = 'last', 'test-selected', 'unknown'  # epoch rules
HOSTS = {'github.com': 'GitHub', 'doi.org': 'doi', 'arxiv.org': 'arXiv', 'ieeexplore.ieee.org': 'IEEE Xplore'}
CAUTION = (
    'As reported by papers and their code: not reproduced, re-scored only where a note states it, and not ranked, '
    'because protocols, clips and classes differ or are not stated. F1 is as printed in the source, which does not '
    'always state the kind of average. Epoch rule test-selected: the epoch was chosen on the test subjects, which '
    'makes the number too high; unknown: the sources do not show how it was chosen. A method links to its reference. '
    'Below each table are the cautions for a row or a number.'
)
LINK = re.compile(r'(https?://\S+)|(?:arXiv:)(\d{4}\.\d{4,5})|\b(10\.\d{4,}/[^\s,;)]+)')


Row = dict[str, str]


def clone() -> Path | None:
    """Return the clone of the repository that this package runs from; None where it was installed without one."""
    root = Path(__file__).parents[2]
    return root if (root / 'pyproject.toml').is_file() and (root / 'results').is_dir() else None


def results_file(name: str) -> Path | None:
    """Return published.csv or sanity_bounds.csv of the clone, or else of the installed package; None without it."""
    folders = [clone(), Path(__file__).parents[1] / '.mim']
    return next((file for root in folders if root and (file := root / 'results' / name).is_file()), None)


def read_published(path: Path) -> list[Row]:
    """Read the rows of published.csv as text, with two more columns: `title`, its data in words, and `epoch_rule`."""
    rows = read_rows(path, COLUMNS)
    for line, row in enumerate(rows, start=2):
        if not re.fullmatch(r'0(\.\d+)?|1(\.0*)?', row['value']):
            raise InputError(f'{path}, line {line}: expected a value from 0 to 1, found {row["value"]!r}; correct it')
        row |= {'title': _title(path, row), 'epoch_rule': epoch_rule(row)}
    return rows


def epoch_rule(row: Row) -> str:
    """Return whether a number is of the last epoch or of one chosen on the test subjects, by its cautions."""
    text = f'{row["protocol"]}; {row["notes"]}'
    if 'too high' in text or 'epoch chosen on the test' in text:
        return TEST_SELECTED
    return LAST if 'no test-set early stopping' in text else UNKNOWN


def _title(path: Path, row: Row) -> str:
    """Return the table of a row; data sets scored as parts of the composite are in its table."""
    if row['protocol'].startswith(CDE) and row['dataset'] in PARTS:
        return COMPOSITE
    for title, (names, _) in DATASETS.items():
        if row['dataset'] in names:
            return title
    raise InputError(f'{path}: the data set {row["dataset"]!r} of {row["method"]} is in no table; name it in DATASETS')


def blocks_for(rows: list[Row], dataset: str, n_classes: int) -> list[Block]:
    """Return the published rows on one of our data sets, with as many classes or with classes that are not stated."""
    titles = [title for title, (_, ours) in DATASETS.items() if dataset in ours]
    chosen = [row for row in rows if row['title'] in titles and row['classes'] in (str(n_classes), 'not stated')]
    if not chosen:
        return []
    return [Heading(2, f'Published numbers, {titles[0]}'), Paragraph(CAUTION), *_tables(chosen)]


def published_page(rows: list[Row]) -> list[Block]:
    """Return a page of all published numbers."""
    blocks: list[Block] = [Heading(1, 'Published numbers'), Paragraph(CAUTION)]
    for title in DATASETS:
        if chosen := [row for row in rows if row['title'] == title]:
            blocks += [Heading(2, title), *_tables(chosen)]
    return blocks


def _tables(chosen: list[Row]) -> list[Block]:
    """Make a table for each protocol and number of classes, of the composite for each of its parts."""
    groups: dict[tuple, list[Row]] = {}
    for row in chosen:
        groups.setdefault(_group(row), []).append(row)
    return [block for key in sorted(groups) for block in (Heading(3, key[-1]), _table(groups[key]))]


def _group(row: Row) -> tuple[int, int, str]:
    """Return the place of a row among the tables, and the heading of its table."""
    protocol, dataset = row['protocol'], row['dataset']
    classes = f'{row["classes"]} classes' if row['classes'].isdigit() else f'classes {row["classes"]}'
    if protocol.startswith(POOLED) and dataset in PARTS:
        return 0, PARTS.index(dataset), f'{POOLED}, {classes}: {dataset}'
    if protocol.startswith(('LOSO', SINGLE)):
        return 1, 0, f'{LOSO}, {classes}'
    return 2, 0, OTHER


def _table(chosen: list[Row]) -> Table:
    """Make one row per method, protocol and source, with a column for every score; LaTeX lacks the addresses."""
    groups: dict[tuple, list[Row]] = {}
    for row in sorted(chosen, key=lambda row: (row['year'], row['method'].lower())):
        groups.setdefault(tuple(row[key] for key in ONE_ROW), []).append(row)
    several, other = len({row['dataset'] for row in chosen}) > 1, _group(chosen[0])[-1] == OTHER
    columns = [
        Column('method', 'method', _method),
        Column('year', 'year', lambda group: group[0]['year']),
        *([Column('dataset', 'data set', lambda group: group[0]['dataset'])] if several else []),
        *([Column('classes', 'classes', lambda group: group[0]['classes'])] if other else []),
        *(_score_column(metric) for metric in METRICS),
        Column('others', 'other scores', _other_scores),
        Column('epoch_rule', 'epoch rule', lambda group: group[0]['epoch_rule']),
        Column('source', 'number from', _source, formats=('md',)),
    ]
    return Table(columns, [*groups.values()], 'As published, not reproduced')


def _method(group: list[Row]) -> Cell:
    """Return the method with a link to its reference, and the notes on its row."""
    row, notes = group[0], list(_common_notes(group))
    if row['protocol'] not in (POOLED, SINGLE):
        notes.append(f'protocol as stated: {row["protocol"]}')
    url, rest = _address(row['doi_or_url'])
    notes += [f'reference: {row["doi_or_url"]}'] if rest else []
    return _noted(Link(row['method'], url) if url else row['method'], tuple(notes))


def _score_column(metric: str) -> Column:
    def cell(group: list[Row]) -> Cell:
        return _values(group, [row for row in group if row['metric'] == metric])

    return Column(metric, metric, cell, 'right')


def _other_scores(group: list[Row]) -> Cell:
    others = [row for row in group if row['metric'] not in METRICS]
    return _values(group, [row | {'value': f'{row["metric"]} {row["value"]}'} for row in others])


def _source(group: list[Row]) -> Cell:
    """Return where a number is to be found; 'the reference' where it is the paper itself."""
    text = group[0]['source_url']
    url, rest = _address(text)
    if not url:
        return text
    if url == _address(group[0]['doi_or_url'])[0] and not rest:
        return 'the reference'
    host = re.sub(r'^https?://(www\.)?', '', url).partition('/')[0]
    return _noted(Link(HOSTS.get(host, host), url), (f'number from: {_short(url)}, {rest}',) if rest else ())


def _values(group: list[Row], rows: list[Row]) -> Cell:
    """Return the numbers of some rows of a group as printed, with the notes that are not those of the whole group."""
    notes = [note for row in rows for note in _notes(row['notes']) if note not in _common_notes(group)]
    return _noted(', '.join(row['value'] for row in rows), tuple(dict.fromkeys(notes)))


def _notes(text: str) -> list[str]:
    return [note.strip() for note in text.split(';') if note.strip()]


def _common_notes(group: list[Row]) -> tuple[str, ...]:
    notes = [_notes(row['notes']) for row in group]
    return tuple(note for note in notes[0] if all(note in others for others in notes))


def _noted(cell: str | Link, notes: tuple[str, ...]) -> Cell:
    return Noted(cell, notes) if notes else cell


def _address(text: str) -> tuple[str, str]:
    """Return the first address in a text, and what else it says: 'https://x.org (Table 2)' -> that and 'Table 2'."""
    found = LINK.search(text)
    if not found:
        return '', text
    address, arxiv, doi = found.groups()
    rest = (text[: found.start()] + text[found.end() :]).strip()
    alone = rest[1:-1] if re.fullmatch(r'\([^()]*\)', rest) else rest
    return address or (f'https://arxiv.org/abs/{arxiv}' if arxiv else f'https://doi.org/{doi}'), alone


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
