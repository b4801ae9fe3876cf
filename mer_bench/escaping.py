"""Escapes untrusted text for its target: a terminal, markdown, csv, LaTeX, a folder name.

A name in a record, a note or a reason may come from anyone. Each target has one function; none of them changes text
of letters, digits and common punctuation.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from tabulate import LATEX_ESCAPE_RULES

from mer_bench.errors import InputError, visible

# What CommonMark and GitHub read as more than text. A bracket before a number stays, as in [0.51, 0.93]: without its
# partner it makes no link. An underscore inside a word does nothing.
MARKS = re.compile(r'[\\`*~|]|\[(?![+-]?\d)|\](?=[\[(:])|(?<![^\W_])_|_(?![^\W_])')
TAG = re.compile(r'<(?=[A-Za-z/!?])')
ENTITY = re.compile(r'&(?=#?\w+;)')
BLOCK = re.compile(r'^([#>=+-]|\d+(?=[.)]))')
ADDRESS = re.compile(r'https?://[^\s/]+|(?!.*\.\.)\w[\w./-]*\.(?:md|json)$', re.IGNORECASE)
UNSAFE_IN_ADDRESS = re.compile(r'[^\w:/?#@!$&*+,;=%.~-]')

NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
FORMULA = ('=', '+', '-', '@')  # how the formula of a spreadsheet begins

LATEX = {**LATEX_ESCAPE_RULES, '±': '$\\pm$', '≈': '$\\approx$', '^': '\\textasciicircum{}', '~': '\\textasciitilde{}'}

LONGEST_NAME = 250  # bytes of a folder's name; file systems allow 255, and an unfinished folder has a leading dot
# An absolute path of at least two names, but no part of an address or of a relative path.
ABSOLUTE = re.compile(r'(?<![\w./:\\~-])(?:file://)?(?:/[\w.@+=~-]+){2,}/?|(?<!\w)[A-Za-z]:\\[^\s\'":;,]+')


def for_markdown(text: str, block: bool = False) -> str:
    """Return a text that markdown shows as it is, on one line.

    Args:
        block: it begins a paragraph, a heading or an item, where `#` or `1.` is markup.
    """
    text = MARKS.sub(lambda mark: f'\\{mark[0]}', visible(text))
    text = TAG.sub('&lt;', ENTITY.sub('&amp;', text)).replace('$', '&#36;')  # GitHub reads $...$ as a formula
    return BLOCK.sub(_escape_block, text.strip()) if block else text


def _escape_block(found: re.Match) -> str:
    return f'{found[0]}\\' if found[0].isdigit() else f'\\{found[0]}'


def markdown_link(text: str, url: str) -> str:
    """Return a link to http, https, or a page or JSON file below this one; of any other address the text alone."""
    shown = for_markdown(text)
    if not ADDRESS.match(url):
        return shown
    quoted = UNSAFE_IN_ADDRESS.sub(lambda mark: ''.join(f'%{byte:02X}' for byte in _bytes(mark[0])), url)
    return f'[{shown}]({quoted})'


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'replace')


def for_csv(value: object) -> object:
    """Return a cell that no spreadsheet evaluates: text that looks like a formula gets a leading apostrophe.

    Numbers stay numbers, and so do texts such as `-0.05`.
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    start = unicodedata.normalize('NFKC', text.lstrip()[:1])  # some programs also accept the wide forms of = + - @
    computed = start in FORMULA and text.strip() != '-' and not NUMBER.fullmatch(text.strip())
    return f"'{text}" if computed else text


def for_latex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    return ''.join(LATEX.get(letter, letter) for letter in visible(text))


def folder_name(name: str, of: str) -> str:
    """Return a name as one part of a path, a slash as `_`: never a folder above, a hidden one, or none.

    Args:
        of: what it names, for the message.

    Raises:
        InputError: it cannot be the name of a folder.
    """
    part = re.sub(r'[/\\]', '_', name)
    if part.startswith('.') or not part.strip() or not part.isprintable() or len(_bytes(part)) > LONGEST_NAME:
        raise InputError(
            f'expected {of} that can name a folder, found {visible(name[:80])!r}; use letters and digits, '
            f'no leading dot and at most {LONGEST_NAME} bytes'
        )
    return part


def inside(root: Path, *parts: str) -> Path:
    """Return root/part/part..., which is below `root` once every symbolic link is followed.

    Raises:
        InputError: a part leads elsewhere.
    """
    path = root.joinpath(*parts)
    try:
        below = path.resolve().is_relative_to(root.resolve()) and path.resolve() != root.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long, NUL
        below = False
    if not below:
        raise InputError(
            f'{visible(str(path))}: expected a place below {root}, but it leads elsewhere; remove the link or correct '
            'the name'
        )
    return path


def shorten_folders(text: str, folders: Iterable[str | Path]) -> str:
    """Replace folders by their last names: '/home/me/runs/x' -> 'runs/x' where /home/me/runs is among `folders`.

    A folder is replaced only where it appears in full, the longest first.
    """
    whole = {str(Path(folder).absolute()): None for folder in folders}
    whole |= {str(Path(folder).resolve()): None for folder in folders}
    for folder in sorted(whole, key=len, reverse=True):
        if name := Path(folder).name:
            text = re.sub(rf'(?<![\w.]){re.escape(folder)}(?![\w.-])', lambda _, name=name: name, text)
    return text


def without_paths(text: str) -> str:
    """Replace every absolute path by its last name."""
    return ABSOLUTE.sub(lambda found: re.split(r'[/\\]', found[0].rstrip('/\\'))[-1], text)
