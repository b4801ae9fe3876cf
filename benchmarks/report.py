"""The tables of docs/performance.md, from kept results."""

import os
from itertools import groupby
from pathlib import Path

from benchmarks.formats import format_rate, format_seconds, format_value, plural
from benchmarks.goals_table import goals_table
from benchmarks.kept import read_kept
from mer_bench.errors import InputError
from mer_bench.escaping import for_markdown, markdown_link
from mer_bench.results.blocks import Block, Heading, Markdown, Notes, Paragraph, Table
from mer_bench.results.markdown import to_markdown

START = '<!-- written by tools/benchmark.py report -->'
END = '<!-- end of the written part -->'


def renew(page: str, kept: Path, path: Path) -> str:
    """Return a page with its generated part made again.

    Args:
        page: Text with the lines START and END.
        kept: Folder of kept results.
        path: Where the page stands: its links lead from there to the results.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise InputError(f'{path}: expected the lines {START!r} and {END!r}, found not both; put them back')
    base = Path(os.path.relpath(kept, path.parent))
    results = {(base / name).as_posix(): result for name, result in read_kept(kept).items()}
    return f'{before}{START}\n\n{to_markdown(make_blocks(results))}\n{END}{after}'


def make_blocks(results: dict[str, dict]) -> list[Block]:
    """Lay out the goals, then machine by machine what was measured.

    Args:
        results: Kept results by the link to their file.
    """
    blocks: list[Block] = [Heading(2, 'Goals'), goals_table(results)]
    by_machine = sorted(results.items(), key=lambda item: item[1]['machine']['name'])
    for name, group in groupby(by_machine, key=lambda item: item[1]['machine']['name']):
        members = list(group)
        blocks.append(Heading(2, name))
        blocks += [Paragraph(text) for text in dict.fromkeys(hardware(result['machine']) for _, result in members)]
        for link, result in members:
            blocks += result_blocks(link, result)
    return blocks


def hardware(machine: dict) -> str:
    """Hardware and versions in a sentence."""
    cpu, gpu = machine['cpu'], machine['gpu']
    parts = [f'{gpu["name"]} with {gpu["memory_gib"]:g} GiB, CUDA {gpu["cuda"]}'] if gpu else []
    parts += [
        f'{cpu["processor"]} (family, model, stepping: {cpu["model"] or "not told"})',
        f'{cpu["cores"]} of {plural(cpu["cores_of_machine"], "core")} used',
        f'{", ".join(cpu["instructions"])}',
        f'{machine["memory_gib"]:g} GiB',
        *(f'{name} {version}' for name, version in machine['versions'].items()),
    ]
    return '; '.join(parts) + '.'


def result_blocks(link: str, result: dict) -> list[Block]:
    """One benchmark on one machine: how it ran, time and share of each alternative, and the ratios."""
    blocks: list[Block] = [Heading(3, Path(link).stem), Markdown(circumstances(link, result))]
    if result['seconds']:
        rows = tuple(alternative_row(name, result) for name in result['seconds'])
        headers = ('alternative', 'median', 'clips/s', 'rate', 'share', 'of the peak')
        blocks.append(Table(headers, rows, right=headers[1:5]))
    if missing := result.get('missing'):
        blocks.append(Notes(tuple(f'{words(name)} was not measured: {why}' for name, why in missing.items())))
    if result['ratios']:
        against = result.get('against', {})
        rows = tuple((words(k), format_value(v, 'x'), against.get(k, '')) for k, v in result['ratios'].items())
        blocks.append(Table(('ratio', 'median (smallest to largest)', 'of'), rows))
    return blocks


def circumstances(link: str, result: dict) -> str:
    """Command, date, commit, and the peak of the same run."""
    machine, peak = result['machine'], result['peak']
    most = [f'{name} {format_rate(rate, name)}' if rate else f'no {name}' for name, rate in peak['matrix'].items()]
    where = 'of the GPU' if machine['gpu'] else f'with {plural(peak["threads"], "thread")}'
    return markdown_link(result['command'], link) + for_markdown(
        f', {machine["date"]}, commit {machine["commit"] or "not known"}. '
        f'Peak {where} in the same run: matrix product {", ".join(most)}; '
        f'copy {format_rate(peak["copy"], "copy")}, read and written.'
    )


def alternative_row(name: str, result: dict) -> tuple[str, ...]:
    """Time, clips a second, and share of the peak of one alternative, as far as the result tells them."""
    share, clips = result['shares'].get(name), result.get('clips_per_second', {}).get(name)
    cells = words(name), format_seconds(result['seconds'][name]), '' if clips is None else f'{clips:.3g}'
    if share is None:
        return *cells, '', '', ''
    reached = 'no such peak' if share['share'] is None else f'{share["share"] * 100:.3g} %'
    return *cells, format_rate(share['rate'], share['of']), reached, share['of']


def words(name: str) -> str:
    """A key of JSON as words."""
    return name.replace('_', ' ')
