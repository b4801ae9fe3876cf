"""Blocks as markdown, with tables that are as narrow as GitHub shows them."""

import re

from tabulate import tabulate

from mer_bench.escaping import for_markdown, markdown_link
from mer_bench.results.blocks import Block, Bold, Cell, Heading, Link, Markdown, Name, Noted, Notes, Paragraph

GAP = re.compile(r'(?<=\d,) (?=[+-]?\d\S*\])')  # within an interval, where a narrow column would end the line
MARKS = 'ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ'


def to_markdown(blocks: list[Block]) -> str:
    """Lay out a page; the notes on cells come below their table."""
    return '\n\n'.join(text for block in blocks if (text := _block(block))) + '\n'


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f'{"#" * block.level} {for_markdown(block.text, block=True)}'
    if isinstance(block, Markdown):
        return block.text
    if isinstance(block, Paragraph):
        return for_markdown(block.text, block=True)
    if isinstance(block, Notes):
        return '\n'.join(f'- {for_markdown(item, block=True)}' for item in block.items)
    columns, notes = block.shown('md'), {}
    rows = [[_cell(cell, notes) for cell in row] for row in zip(*columns.values(), strict=True)]
    headers, align = [for_markdown(column.header) for column in columns], [column.align for column in columns]
    table = tabulate(rows, headers, tablefmt='pipe', disable_numparse=True, colalign=align) if columns else ''
    listed = '\n'.join(f'- {mark} {for_markdown(text)}' for text, mark in notes.items())
    return f'{table}\n\n{listed}' if listed else table


def _cell(cell: Cell, notes: dict[str, str]) -> str:
    if isinstance(cell, Noted):
        marks = ','.join(notes.setdefault(note, _mark(len(notes))) for note in cell.notes)
        return f'{_cell(cell.cell, notes)}{marks}'
    if isinstance(cell, Link):
        return markdown_link(cell.text, cell.url)
    if isinstance(cell, Bold):
        return f'**{_cell(cell.text, notes)}**'
    if isinstance(cell, Name):
        return for_markdown(cell.text).replace('+', ' + ')
    return GAP.sub('', for_markdown(cell))


def _mark(number: int) -> str:
    """Return a raised letter, two of them from the 26th note of a table on; there is no raised q."""
    tens, ones = divmod(number, len(MARKS))
    return (_mark(tens - 1) if tens else '') + MARKS[ones]
