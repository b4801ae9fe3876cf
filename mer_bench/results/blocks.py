"""The parts of a page, free of any format: results/markdown.py and results/latex.py lay them out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere."""

    text: str
    url: str


@dataclass(frozen=True)
class Noted:
    """A cell with footnotes; the same words are the same footnote on a page."""

    cell: str | Link
    notes: tuple[str, ...]


Cell = str | Link | Noted


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the page."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A sentence or more."""

    text: str


@dataclass(frozen=True)
class Markdown:
    """Our own words with links and code, shown as they are: nothing of a record is in them."""

    text: str


@dataclass(frozen=True)
class Notes:
    """Sentences of a list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        headers: one text per column.
        rows: one cell per column.
        right: the headers of the columns that are set to the right.
        formats: where it is shown, `md` and `tex`.
        caption: its first words in LaTeX, where no heading is above it.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: tuple[str, ...] = ()
    formats: tuple[str, ...] = ('md', 'tex')
    caption: str = ''

    @property
    def align(self) -> tuple[str, ...]:
        return tuple('right' if header in self.right else 'left' for header in self.headers)


Block = Heading | Paragraph | Markdown | Notes | Table
