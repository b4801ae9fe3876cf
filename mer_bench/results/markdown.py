"""Blocks as markdown, with the footnotes of GitHub."""

import re

from tabulate import tabulate

from mer_bench.escaping import for_markdown, markdown_link
from mer_bench.results.blocks import Block, Cell, Heading, Link, Markdown, Noted, Notes, Paragraph

ADDRESS_ALONE = re.compile(r'\S*(\s+["\'(].*)?')


def to_markdown(blocks: list[Block]) -> str:
    """Lay out a page; its footnotes are numbered in their order and come at the end."""
    footnotes: dict[str, int] = {}
    parts = [text for block in blocks if (text := _block(block, footnotes))]
    if footnotes:
        parts.append('\n'.join(f'[^{number}]: {_footnote(text)}' for text, number in footnotes.items()))
    return '\n\n'.join(parts) + '\n'


def _block(block: Block, footnotes: dict[str, int]) -> str:
    if isinstance(block, Heading):
        return f'{"#" * block.level} {for_markdown(block.text, block=True)}'
    if isinstance(block, Markdown):
        return block.text
    if isinstance(block, Paragraph):
        return for_markdown(block.text, block=True)
    if isinstance(block, Notes):
        return '\n'.join(f'- {for_markdown(item, block=True)}' for item in block.items)
    columns = block.shown('md')
    rows = [[_cell(cell, footnotes) for cell in row] for row in zip(*columns.values(), strict=True)]
    headers, align = [for_markdown(column.header) for column in columns], [column.align for column in columns]
    return tabulate(rows, headers, tablefmt='pipe', disable_numparse=True, colalign=align) if columns else ''


def _footnote(text: str) -> str:
    """Return the words of a footnote; a lone word would be an address for programs that know no footnotes."""
    shown = for_markdown(text, block=True)
    return f'a note: {shown}' if ADDRESS_ALONE.fullmatch(shown) else shown


def _cell(cell: Cell, footnotes: dict[str, int]) -> str:
    if isinstance(cell, Noted):
        marks = ''.join(f'[^{footnotes.setdefault(note, len(footnotes) + 1)}]' for note in cell.notes)
        return _cell(cell.cell, footnotes) + marks
    if isinstance(cell, Link):
        return markdown_link(cell.text, cell.url)
    return for_markdown(cell)
