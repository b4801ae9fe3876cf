"""What a page must never hold, found by another program's reading of it: markdown-it and Python's csv."""

import csv
import re
from collections import Counter
from pathlib import Path

from markdown_it import MarkdownIt

from mer_bench.escaping import visible

PARSER = MarkdownIt('commonmark').enable(['table', 'strikethrough'])
FOREIGN = {'html_block', 'html_inline', 'image', 'fence', 'code_block', 'blockquote_open', 'hr', 's_open', 'em_open'}
LINK = re.compile(r'https?://|(\.\./docs/)?[a-z0-9_]+\.md$', re.IGNORECASE)
NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.IGNORECASE)


def assert_harmless(path: Path, **counts: int) -> None:
    """Refuse raw HTML, pictures, links elsewhere than to the web, formulas, and what a terminal obeys.

    Args:
        path: a page in markdown, csv or LaTeX.
        counts: how many headings, tables and items it has.
    """
    text = path.read_text(encoding='utf-8')
    hidden = [line for line in text.split('\n') if visible(line) != line]
    assert not hidden, f'{path.name}: hidden characters in {hidden[0]!r:.200}'
    if path.suffix == '.md':
        assert_harmless_markdown(text, counts)
    elif path.suffix == '.csv':
        for row in csv.reader(text.splitlines()):
            for cell in map(str.strip, row):
                assert cell[:1] not in ('=', '+', '-', '@') or cell == '-' or NUMBER.fullmatch(cell), (
                    f'formula {cell!r:.200}'
                )


def assert_harmless_markdown(text: str, counts: dict[str, int]) -> None:
    tokens = [token for outer in PARSER.parse(text) for token in (outer, *(outer.children or ()))]
    found = Counter(token.type for token in tokens)
    assert not FOREIGN & found.keys(), f'{FOREIGN & found.keys()} in {text!r:.400}'
    for token in tokens:
        if token.type == 'link_open':
            assert LINK.match(token.attrs['href']), f'link to {token.attrs["href"]!r:.200}'
    for name, kind in (('headings', 'heading_open'), ('tables', 'table_open'), ('items', 'list_item_open')):
        assert name not in counts or found[kind] == counts[name], f'{found[kind]} {name} in {text!r:.400}'
