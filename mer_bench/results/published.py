"""Published numbers: rows of results/published.csv as tables of their own, by data set, with their protocols as stated.

We have checked none of them; the cautions of the column `notes` become footnotes. Rows are sorted by year and name:
numbers of different protocols have no rank.
"""

import csv
import io
import re
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.results.blocks import Block, Cell, Heading, Link, Noted, Paragraph, Table
from mer_bench.results.sanity import read_text

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
ONE_ROW = ['method', 'year', 'doi_or_url', 'protocol', 'classes', 'source_url']
CAUTION = (
    'As reported by papers and their code: not reproduced, re-scored only where a footnote states it, and not ranked, '
    'because protocols, clips and classes differ or are not stated. F1 is as printed in the source, which does not '
    'always state the kind of average. Footnotes give the cautions for a row or a number.'
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
    """Read the rows of published.csv as text; `title` is the table of a row."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=''))
    rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS or any(None in row or None in row.values() for row in rows):
        raise InputError(f'{path}: expected in every line the columns {", ".join(COLUMNS)}; correct header or line')
    for line, row in enumerate(rows, start=2):
        if not re.fullmatch(r'0(\.\d+)?|1(\.0*)?', row['value']):
            raise InputError(f'{path}, line {line}: expected a value from 0 to 1, found {row["value"]!r}; correct it')
        row['title'] = _title(path, row)
    return rows


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
    return [Heading(2, f'Published numbers, {titles[0]}'), Paragraph(CAUTION), *_tables(chosen, titles[0])]


def published_page(rows: list[Row]) -> list[Block]:
    """Return a page of all published numbers."""
    blocks: list[Block] = [Heading(1, 'Published numbers'), Paragraph(CAUTION)]
    for title in DATASETS:
        chosen = [row for row in rows if row['title'] == title]
        if chosen:
            blocks += [Heading(2, title), *_tables(chosen, title)]
    return blocks


def _tables(chosen: list[Row], title: str) -> list[Table]:
    """One row per method, protocol and source; a column for every score. LaTeX goes without the addresses."""
    composite = title == COMPOSITE
    several = not composite and len({row['dataset'] for row in chosen}) > 1
    parts = [part for part in PARTS if any(row['dataset'] == part for row in chosen)] if composite else [None]
    scores = [(part, metric) for part in parts for metric in METRICS]
    scores = [score for score in scores if _of(chosen, score)]
    rare = any(row['metric'] not in METRICS for row in chosen)
    groups: dict[tuple, list[Row]] = {}
    for row in sorted(chosen, key=lambda row: (row['year'], row['method'].lower())):
        groups.setdefault(tuple(row[key] for key in (*ONE_ROW, *([] if composite else ['dataset']))), []).append(row)
    names = [metric if part in (None, 'composite') else f'{part} {metric}' for part, metric in scores]
    lead = ['method', 'year', *(['data set'] if several else []), 'classes']
    headers = (*lead, *names, *(['other scores'] if rare else []), 'protocol as stated')
    lines = [_line(group, scores, several, rare) for group in groups.values()]
    addressed = tuple((*line, *_addresses(group[0])) for line, group in zip(lines, groups.values(), strict=True))
    caption = 'As published, not reproduced'
    return [
        Table((*headers, 'reference', 'number from'), addressed, tuple(names), ('md',), caption),
        Table(headers, tuple(lines), tuple(names), ('tex',), caption),
    ]


def _line(group: list[Row], scores: list[tuple], several: bool, rare: bool) -> tuple[Cell, ...]:
    common, first = _common_notes(group), group[0]
    lead = [_noted(first['method'], common), first['year'], *([first['dataset']] if several else []), first['classes']]
    values = [_values(_of(group, score), common) for score in scores]
    others = [row | {'value': f'{row["metric"]} {row["value"]}'} for row in group if row['metric'] not in METRICS]
    return (*lead, *values, *([_values(others, common)] if rare else []), first['protocol'])


def _addresses(row: Row) -> tuple[Cell, Cell]:
    """Return where a paper and its number are to be found; one link where both are the same."""
    reference, source = _link(row['doi_or_url']), _link(row['source_url'])
    same = isinstance(source, Link) and isinstance(reference, Link) and source.url == reference.url
    return reference, 'the reference' if same and source.text == reference.text else source


def _of(rows: list[Row], score: tuple[str | None, str]) -> list[Row]:
    part, metric = score
    return [row for row in rows if row['metric'] == metric and part in (None, row['dataset'])]


def _values(rows: list[Row], common: tuple[str, ...]) -> Cell:
    """Return the numbers as printed, with the notes that are theirs alone."""
    notes = [note for row in rows for note in _notes(row['notes']) if note not in common]
    return _noted(', '.join(row['value'] for row in rows), tuple(dict.fromkeys(notes)))


def _notes(text: str) -> list[str]:
    return [note.strip() for note in text.split(';') if note.strip()]


def _common_notes(group: list[Row]) -> tuple[str, ...]:
    notes = [_notes(row['notes']) for row in group]
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
