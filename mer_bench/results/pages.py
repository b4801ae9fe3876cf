"""A folder of leaderboards made from records only: a page for every protocol, and their index."""

from dataclasses import dataclass, replace
from pathlib import Path

from mer_bench.errors import InputError, did_you_mean, listed
from mer_bench.files import write_atomically
from mer_bench.results.blocks import Block, Column, Heading, Link, Markdown, Paragraph, Table
from mer_bench.results.latex import to_latex
from mer_bench.results.markdown import to_markdown
from mer_bench.results.page import Page, failure_blocks, make_page, page_files, page_of, page_of_failure
from mer_bench.results.published import blocks_for, published_page, read_published, results_file
from mer_bench.results.record import Failure
from mer_bench.results.run import Run, find_runs, read_runs
from mer_bench.results.sanity import read_bounds

INDEX = 'README.md'
PUBLISHED = 'published'
NO_TABLE = 'No table yet: the data sets are licensed, and no run on them has been submitted with its predictions.'
ABOUT_SYNTHETIC = (
    'A program drew these faces, in the layout of a data set. The tables show that every method runs and which methods '
    'learn at a reduced size; they do not show which method is better on people.'
)


@dataclass(frozen=True)
class Pages:
    """The pages by name, the runs that no page is known for, and whether there are published numbers."""

    pages: dict[str, Page]
    unassigned: list[Failure]
    published: list[Block]


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all, with the same bytes on every system."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode())


def refuse_unknown(reference: str | None, methods: list[str]) -> None:
    """Refuse a method to compare with that is not among `methods`."""
    if reference is not None and reference not in methods:
        raise InputError(
            f'expected a method of these runs to compare with, but none is named {reference!r}'
            f'{did_you_mean(reference, methods)}; give one of {listed(methods) or "them"}'
        )


def make_pages(results: list[str | Path], reference: str | None = None) -> Pages:
    """Make the pages of all records in `results`.

    A folder of `results` may hold published.csv and sanity_bounds.csv beside the runs.
    """
    records, failures = find_runs(results)
    pages = make_pages_of(read_runs(records), failures, results, reference)
    refuse_unknown(reference, [name for page in pages.pages.values() for name in page.methods])
    return pages


def make_pages_of(
    runs: list[Run], failures: list[Failure], results: list[str | Path], reference: str | None = None
) -> Pages:
    """Make the pages of runs that are read already."""
    bounds = read_bounds(beside(results, 'sanity_bounds.csv'))
    file = beside(results, 'published.csv')
    known = file or results_file('published.csv')  # which a page of real data shows wherever its runs are
    published = read_published(known) if known else []
    places = {id(failure): page_of_failure(failure, runs) for failure in failures}
    names = sorted({page_of(run) for run in runs} | {name for name in places.values() if name})
    pages = {}
    for name in names:
        members = [run for run in runs if page_of(run) == name]
        page = make_page(members, [f for f in failures if places[id(f)] == name], name, bounds, reference)
        if members and not page.synthetic:
            first = members[0].record
            page = replace(page, published=blocks_for(published, first['dataset'], len(first['classes'])))
        pages[name] = page
    unassigned = [failure for failure in failures if places[id(failure)] is None]
    return Pages(pages, unassigned, published_page(published) if file else [])


def beside(results: list[str | Path], name: str) -> Path | None:
    """Return the one file of this name in the folders of `results`."""
    files = [Path(folder, name) for folder in results if Path(folder, name).is_file()]
    if len(files) > 1:
        raise InputError(f'expected one {name}, but there are {files[0]} and {files[1]}; leave one of the folders out')
    return files[0] if files else None


def render_pages(pages: Pages) -> dict[str, str]:
    """Return the files of a folder of leaderboards, by name."""
    files = {}
    for name, page in pages.pages.items():
        files |= page_files(name, page)
    if pages.published:
        files |= {f'{PUBLISHED}.md': to_markdown(pages.published), f'{PUBLISHED}.tex': to_latex(pages.published)}
    return {**files, INDEX: to_markdown(index_blocks(pages))}


def write_pages(results: list[str | Path], folder: Path, reference: str | None = None) -> list[Path]:
    """Write all pages into `folder`; other files there stay.

    Returns:
        The markdown files.
    """
    files = render_pages(make_pages(results, reference))
    for name, text in files.items():
        write_text(folder / name, text)
    return [folder / name for name in files if name.endswith('.md')]


def index_blocks(pages: Pages) -> list[Block]:
    """Lay out the index."""
    real = {name: page for name, page in pages.pages.items() if not page.synthetic}
    synthetic = {name: page for name, page in pages.pages.items() if page.synthetic}
    blocks: list[Block] = [
        Heading(1, 'Leaderboards'),
        Markdown(
            '`tools/leaderboard.py` generates these pages from the records in `results/`; do not edit them. Each page '
            'comes with a `.csv` of its rows, to 10 significant digits, and a `.tex` of its tables. '
            '[docs/leaderboards.md](../docs/leaderboards.md) explains how to read and extend them.'
        ),
        Heading(2, 'Recorded faces'),
        _list_of(real) if real else Paragraph(NO_TABLE),
    ]
    if pages.published:
        blocks.append(
            Markdown(
                f'[{PUBLISHED}.md]({PUBLISHED}.md): numbers reported in papers, with the stated protocols and our '
                'cautions. They are not reproduced here and not ranked with our results.'
            )
        )
    if synthetic:
        blocks += [Heading(2, 'Synthetic data'), Paragraph(ABOUT_SYNTHETIC), _list_of(synthetic)]
    if pages.unassigned:
        blocks += failure_blocks(pages.unassigned)
    return blocks


def _list_of(pages: dict[str, Page]) -> Table:
    rows = [
        {
            'table': Link(name, f'{name}.md'),
            'data': page.data,
            'protocol': '; '.join(dict.fromkeys(row['protocol'] for row in page.rows)),
            'clips': ', '.join(dict.fromkeys(str(row['clips']) for row in page.rows)),
            'methods': len(page.methods),
            'seeds': _range([row['seeds'] for section in page.sections for row in section.rows]),
            're-scored': len(page.rescored) or '',
            'failed': len(page.failures) or '',
        }
        for name, page in pages.items()
    ]
    numbers = [Column.of(key, align='right') for key in ('clips', 'methods', 'seeds', 're-scored', 'failed')]
    named = Column('table', 'table', lambda row: row['table'])
    return Table([named, Column.of('data'), Column.of('protocol'), *numbers], rows)


def _range(numbers: list[int]) -> str:
    if not numbers:
        return '-'
    return str(min(numbers)) if min(numbers) == max(numbers) else f'{min(numbers)} to {max(numbers)}'
