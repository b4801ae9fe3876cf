"""The leaderboards as one web page: charts, tables to sort and filter, and a view of every method."""

import re
import shlex
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from mer_bench.errors import visible
from mer_bench.html import write_page
from mer_bench.results.ablations import find_grids, main_effects
from mer_bench.results.blocks import Heading, Link, Table
from mer_bench.results.leak_meter import leak_blocks
from mer_bench.results.methods import display_name, kind_of
from mer_bench.results.page import Page, failure_blocks
from mer_bench.results.pages import ABOUT_SYNTHETIC, beside, make_pages
from mer_bench.results.published import clone, published_page, read_published, results_file
from mer_bench.results.record import curves_beside
from mer_bench.results.rows import DETAILS, REPRODUCED, RESCORED, tied_with_best, with_ranks
from mer_bench.results.run import Method
from mer_bench.results.sanity import read_rows
from mer_bench.results.sections import Section, section_blocks

ELSEWHERE = ('display_name', 'method', 'rank', 'device', 'commit')  # of a row, in another place of its view
DROPPED = ('sample_id', 'reason')


def write_site(results: list[str | Path], folder: str | Path, reference: str | None = None) -> Path:
    """Write `folder`/index.html, the page of all records in `results`, and return its path.

    Args:
        results: as for :func:`mer_bench.results.pages.make_pages`.
        reference: the method that every other one is compared with; by default the best, on real data.
    """
    pages = make_pages(results, reference)
    named = sorted(pages.pages.items(), key=lambda pair: pair[1].synthetic)
    data: dict = {}
    protocols = [_protocol(name, page, data) for name, page in named]
    file = beside(results, 'published.csv')
    if not file and any(not page.synthetic for page in pages.pages.values()):
        file = results_file('published.csv')
    context = {
        'protocols': protocols,
        'published': _published(read_published(file), data) if file else [],
        'unassigned': failure_blocks(pages.unassigned) if pages.unassigned else [],
        'about_synthetic': ABOUT_SYNTHETIC,
        'kind': lambda block: type(block).__name__.lower(),
        'href': href,
        'transposed': lambda columns: [
            [*zip(columns, row, strict=True)] for row in zip(*columns.values(), strict=True)
        ],
    }
    filters = _choices(context)
    out = Path(folder) / 'index.html'
    return write_page(
        out, 'leaderboard.html.j2', ['leaderboard.js'], data, title='mer_bench leaderboards', filters=filters, **context
    )


def href(link: Link) -> str | None:
    """Return the address of a link to the web; None of any other."""
    return link.url if re.match(r'https?://[^\s/]', link.url) else None


def _choices(context: dict) -> dict[str, list[str]]:
    """Return what the rows of the page can be filtered by."""
    rows = [row for page in context['protocols'] for part in page['sections'] for row in part['rows']]
    rows += [tags for page in context['protocols'] for tags in page['rescored_tags']]
    rows += [tags for part in context['published'] for table in part['tables'] for tags in table['tags']]
    return {key: sorted({row[key] for row in rows}) for key in ('kind', 'source', 'epoch_rule')}


def _protocol(name: str, page: Page, data: dict) -> dict:
    """Return what the template shows of a page; its charts go into `data`."""
    used: Counter = Counter()
    sections = [
        _section(f'{name}-{number}', name, section, data, used) for number, section in enumerate(page.sections, start=1)
    ]
    return {
        'id': name,
        'title': page.data,
        'protocol': ', '.join(dict.fromkeys(row['protocol'] for row in page.rows)),
        'synthetic': page.synthetic,
        'sections': sections,
        'rescored': Table(RESCORED, page.rescored, 'Re-scored from published predictions'),
        'rescored_tags': [
            _tags(f'{name}-log-{number}', row, kind_of(row['method']), 're-scored')
            for number, row in enumerate(page.rescored)
        ],
        'rescored_power': page.rescored_power,
        'failures': failure_blocks(page.failures)[1:] if page.failures else [],
    }


def _tags(key: str, row: dict, kind: str, source: str) -> dict:
    """Return the place of a row in the page, and what it can be filtered by."""
    return {'id': key, 'kind': kind, 'source': source, 'epoch_rule': row['epoch_rule']}


def _section(key: str, page: str, section: Section, data: dict, used: Counter) -> dict:
    compared = 'best' if 'best' in section.comparisons else 'against'
    against = display_name(section.comparisons[compared][0].name) if compared in section.comparisons else None
    rows, views = [], []
    for number, (row, method) in enumerate(zip(with_ranks(section.rows), section.methods, strict=True)):
        address = f'/method/{page}/{visible(row["method"])}'
        used[address] += 1
        address += f' ({used[address]})' if used[address] > 1 else ''
        shown = row | {
            'id': f'{key}-{number}',
            'kind': kind_of(row['method']),
            'source': 'reproduced',
            'href': '#' + quote(address),
            'difference': [row.get(f'{compared}_change{end}') for end in ('', '_low', '_high')],
            'p': row.get(f'{compared}_mcnemar_p_holm'),
            'tied': tied_with_best(row),
        }
        rows.append(shown)
        views.append(_view(shown, address, method, section, data))
    keys = ('id', 'display_name', 'method', 'href', 'kind', 'uf1', 'uf1_low', 'uf1_high')
    chance = [[row['display_name'], row['uf1']] for row in rows if row['kind'] == 'sanity']
    data[key] = {name: [row[name] for row in rows] for name in keys} | {
        'bound': [row.get('sanity_uf1') for row in rows],
        'chance': chance,
    }
    return {
        'id': key,
        'title': section.title,
        'against': against,
        'is_best': 'best' in section.comparisons,
        'rows': rows,
        'best': {
            name: max((row[name] for row in rows if row['rank']), default=None) for name in ('uf1', 'uar', 'accuracy')
        },
        'chance': chance,
        'bounds': any(row.get('sanity_uf1') is not None for row in rows),
        'ablations': _ablations(key, section, data),
        'blocks': section_blocks(section)[1:],
        'views': views,
    }


def _ablations(key: str, section: Section, data: dict) -> list[dict]:
    """Return a chart of each full model with its ablations, and of the main effects of each full grid among them."""
    charts = []
    for group, changes in section.ablations:
        title = f'Ablations of {display_name(group.full.name)}'
        text = (
            f'Change of UF1 against the full model ({group.full.uf1:.3f}), with its paired 95 % interval. Left of the '
            'line: the change makes it worse. An interval that contains 0 does not show whether it matters.'
        )
        charts.append((title, text, [row | {'label': row['display_name']} for row in changes]))
        for parts in find_grids(group):
            rows = main_effects(group, parts)
            effects = [row | {'label': ' x '.join(map(display_name, row['effect']))} for row in rows]
            text = (
                'The change of UF1 that one ablation makes, averaged over all combinations of the others, with its '
                'paired 95 % interval; a x b: how much more a changes where b is ablated too.'
            )
            charts.append((f'{title}: main effects and interactions', text, effects))
    found = []
    for number, (title, text, rows) in enumerate(charts):
        own = f'{key}-ablations-{number}'
        names = {'label': 'ablation', 'change': 'change of UF1', 'change_low': 'low', 'change_high': 'high'}
        data[own] = {'columns': {header: [row[name] for row in rows] for name, header in names.items()}}
        found.append({'id': own, 'title': title, 'text': text})
    return found


def _view(row: dict, address: str, method: Method, section: Section, data: dict) -> dict:
    """Return what the view of a method shows."""
    runs, record, key = method.runs, method.record, row['id']
    classes = record['classes']
    matrices = sum(run.counts.matrices for run in runs)  # of all seeds
    total = matrices.sum(axis=0).tolist()
    data[f'{key}-confusion'] = {
        'columns': {'true': classes}
        | {f'predicted {name}': [line[at] for line in total] for at, name in enumerate(classes)}
    }
    subjects = sorted({*runs[0].table['subject']})
    clips, right = matrices.sum((1, 2)).tolist(), matrices.trace(axis1=1, axis2=2).tolist()
    data[f'{key}-subjects'] = {'columns': {'subject': subjects, 'clips': clips, 'right': right}}
    found = (curves_beside(run.path, run.record) for run in runs)
    curves = next((table.astype(object) for table in found if table is not None), None)
    if curves is not None:
        data[f'{key}-curves'] = {'columns': curves.where(curves.notna(), None).to_dict('list')}
    leaks = [leak for leak in section.leaks if leak['method'] == row['method']]
    return {
        'row': row,
        'address': address,
        'seeds': len(runs),
        'facts': [
            (column.header, cells[0])
            for columns in (REPRODUCED, *DETAILS)
            for column, cells in Table(columns, [row]).shown('md').items()
            if column.name not in ELSEWHERE
        ],
        'curves': curves is not None,
        'dropped': count_dropped(runs[0].path.with_name('dropped.csv')),
        'record': record,
        'reproduce': [f'mer-bench reproduce {shlex.quote(_place(run.path.parent))}' for run in runs],
        'commands': list(dict.fromkeys(run.record['command'] for run in runs if run.record.get('command'))),
        'leaks': leak_blocks(leaks),
    }


def _place(folder: Path) -> str:
    """Return a folder as a command finds it, but no folder above the clone or the runs."""
    root = clone()
    if root and folder.is_relative_to(root):
        folder = folder.relative_to(root)
    return str(Path(*folder.parts[-4:]) if folder.is_absolute() else folder)


def count_dropped(path: Path) -> list[tuple[str, int]]:
    """Return how many clips were left out for each reason; nothing where dropped.csv is not there."""
    return Counter(row['reason'] for row in read_rows(path, DROPPED)).most_common() if path.exists() else []


def _published(rows: list[dict], data: dict) -> list[dict]:
    """Return the tables of published numbers by data set, and what their rows can be filtered by."""
    parts: list[dict] = []
    heading = ''
    for number, block in enumerate(published_page(rows)[2:]):
        if isinstance(block, Heading):
            heading = block.text
            if block.level == 2:
                parts.append({'title': heading, 'tables': []})
            continue
        key = f'published-{number}'
        tags = [_tags(f'{key}-{at}', group[0], *['published'] * 2) for at, group in enumerate(block.rows)]
        points = [
            (tag['id'], row)
            for tag, group in zip(tags, block.rows, strict=True)
            for row in group
            if row['metric'] == 'UF1'
        ]
        keys = ('method', 'year', 'dataset', 'protocol', 'epoch_rule')
        data[key] = {name: [row[name] for _, row in points] for name in keys} | {
            'id': [name for name, _ in points],
            'uf1': [float(row['value']) for _, row in points],
        }
        table = {'id': key, 'heading': heading, 'block': block, 'tags': tags, 'chart': len(points) > 2}
        parts[-1]['tables'].append(table)
    return parts
