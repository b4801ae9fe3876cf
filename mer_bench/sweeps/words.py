"""The words of a sweep: patterns, files joined with `+`, the subsets of a grid, data roots of configs."""

import glob
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

from mer_bench.errors import InputError

Overrides = tuple[str, ...]


def expand_patterns(words: Sequence[str], option: str) -> list[str]:
    """Replace each glob pattern, which a shell may have left as it was, by the files that match it."""
    found = [name for word in words for name in _matches(word, option)]
    return list(dict.fromkeys(found))


def expand_word(word: str, option: str) -> list[Overrides]:
    """Read `FILE+FILE`: overrides that are merged one after another; a pattern in it stands for one method a match."""
    parts = [word] if Path(word).is_file() else word.split('+')
    return list(product(*(_matches(part, option) for part in parts)))


def expand_methods(
    overrides: Sequence[str], grid: Sequence[str], shared: Sequence[str] = (), full: bool = True
) -> list[Overrides]:
    """Return the overrides of each method, each method once.

    Args:
        overrides: One method a word.
        grid: Words of which every subset is a method: the full factorial.
        shared: Files that are merged onto every method, after its own.
        full: Whether the config alone is a method too.
    """
    factors = dict.fromkeys(parts for word in grid for parts in expand_word(word, '--grid'))
    methods = [parts for word in overrides for parts in expand_word(word, '--overrides')]
    methods += [sum(subset, ()) for size in range(len(factors) + 1) for subset in combinations(factors, size)]
    methods = [(), *methods] if full else [method for method in methods if method]
    last = [name for word in shared for parts in expand_word(word, '--with') for name in parts]
    unique = dict.fromkeys(tuple(dict.fromkeys((*method, *last))) for method in methods)
    if not unique:
        raise InputError('expected a method, got none; give --overrides or --grid, or leave --no-full out')
    return list(unique)


def roots_by_config(configs: Sequence[str], words: Sequence[str]) -> dict[str, list[str]]:
    """Return the data roots of each config from `DIR` (of the only config) or `CONFIG=DIR`."""
    roots: dict[str, list[str]] = {config: [] for config in configs}
    for word in words:
        name, _, folder = word.partition('=')
        named = [config for config in configs if name in (config, Path(config).stem)]
        if folder and named:
            roots[named[0]].append(folder)
        elif len(configs) == 1:
            roots[configs[0]].append(word)
        else:
            raise InputError(
                f'--data-root {word}: expected CONFIG=DIR, such as {Path(configs[0]).stem}=DIR, because there are '
                f'{len(configs)} configs; name the config'
            )
    return roots


def _matches(word: str, option: str) -> list[str]:
    """Return the files that match a pattern in the order of their names; any other word as it is."""
    if Path(word).is_file() or glob.escape(word) == word:
        return [word]
    names = sorted(name for name in glob.glob(word) if Path(name).is_file())
    if not names:
        raise InputError(f'{option} {word}: expected files that match this pattern, found none; correct it')
    return names
