"""The parts of a page, free of any format: results/markdown.py and results/latex.py lay them out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A text with an address."""

    text: str
    url: str


@dataclass(frozen=True)
class Noted:
    """A cell with footnotes; equal texts share one footnote of the page."""

    cell: str | Link
    notes: tuple[str, ...]


Cell = str | Link | Noted
Row = object  # what the columns of its table know


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the page."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """One or more sentences."""

    text: str


@dataclass(frozen=True)
class Markdown:
    """Markdown of our own, printed unescaped; it never contains text of a record."""

    text: str


@dataclass(frozen=True)
class Notes:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: its name in csv.
        header: its name in markdown and LaTeX.
        cell: makes the text of a row; '' where it does not apply. A column that is empty in every row is left out.
        align: `left` or `right`.
        formats: of `md`, `tex` and `csv`. The csv of a leaderboard has every value of a row anyway, to 10 significant
            digits; `csv` adds the text.
    """

    name: str
    header: str
    cell: Callable[[Row], Cell]
    align: str = 'left'
    formats: tuple[str, ...] = ('md', 'tex')

    @classmethod
    def of(cls, key: str, header: str = '', align: str = 'left', formats: tuple[str, ...] = ('md', 'tex')) -> 'Column':
        """Show the value that a row has for a key as it is."""
        return cls(key, header or key, lambda row: str(row[key]), align, formats)


@dataclass(frozen=True)
class Table:
    """A table; a format to which none of its columns goes does not show it.

    Args:
        rows: what the columns make their cells of.
        caption: its first words in LaTeX, where no heading is above it.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    caption: str = ''

    def shown(self, form: str) -> dict[Column, list[Cell]]:
        """Return the cells of each column that a format shows."""
        cells = {column: [column.cell(row) for row in self.rows] for column in self.columns if form in column.formats}
        return {column: texts for column, texts in cells.items() if any(text != '' for text in texts)}


Block = Heading | Paragraph | Markdown | Notes | Table
