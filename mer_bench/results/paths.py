"""Paths of a machine in a text: nobody else can use them, and they tell who ran it."""

import re
from collections.abc import Iterable
from pathlib import Path

# A path of two names or more from the root on; not the inside of an address or of a relative path.
ABSOLUTE = re.compile(r'(?<![\w./:\\~-])(?:file://)?(?:/[\w.@+=~-]+){2,}/?|(?<!\w)[A-Za-z]:\\[^\s\'":;,]+')


def shorten_folders(text: str, folders: Iterable[str | Path]) -> str:
    """Replace folders by their last names: '/home/me/runs/x' -> 'runs/x' where /home/me/runs is among `folders`.

    Relative folders are replaced where they stand in full; the longest goes first.
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
