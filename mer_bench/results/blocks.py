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
    """A cell with notes below its table, where equal texts share one."""

    cell: str | Link
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Bold:
    """A text that stands out."""

    text: str


@dataclass(frozen=True)
class Name:
    """The name of a method as records have it; markdown puts spaces around a plus, where a narrow column may break."""

    text: str


Cell = str | Link | Noted | Bold | Name
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
        best: what is largest in the row whose cell, and any equal one, is bold; None of a row that does not compete.
    """

    name: str
    header: str
    cell: Callable[[Row], Cell]
    align: str = 'left'
    formats: tuple[str, ...] = ('md', 'tex')
    best: Callable[[Row], float | None] | None = None

    @classmethod
    def of(cls, key: str, header: str = '', align: str = 'left', formats: tuple[str, ...] = ('md', 'tex')) -> 'Column':
        """Show the value that a row has for a key as it is."""
        return cls(key, header or key, lambda row: str(row[key]), align, formats)

    def cells(self, rows: Sequence[Row]) -> list[Cell]:
        """Return the cell of each row; the best are bold, unless all that compete are equal."""
        cells = [self.cell(row) for row in rows]
        values = [self.best(row) if self.best else None for row in rows]
        competing = {cell: value for cell, value in zip(cells, values, strict=True) if value is not None}
        if len(competing) < 2:
            return cells
        top = max(competing, key=competing.get)
        return [
            Bold(cell) if cell == top and value is not None else cell for cell, value in zip(cells, values, strict=True)
        ]


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
        cells = {column: column.cells(self.rows) for column in self.columns if form in column.formats}
        return {column: texts for column, texts in cells.items() if any(text != '' for text in texts)}


Block = Heading | Paragraph | Markdown | Notes | Table
