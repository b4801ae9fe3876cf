"""Configs and overrides by path or by name, in a clone as in an installed wheel.

`configs/mer_smic.py`, `mer_smic` and `mer_bench::mer_smic` are the same config. A file that exists wins over a name.
The shipped files are in `.mim` inside the package, as in every package of OpenMMLab; in a clone that is a folder of
links.
"""

import glob
import re
from fnmatch import fnmatch
from pathlib import Path

import mer_bench
from mer_bench.errors import InputError, did_you_mean

SHIPPED = Path(mer_bench.__file__).with_name('.mim')
PACKAGE = 'mer_bench::'
TIMM = 'timm_'  # before the name of a network of timm: an override without a file
CONFIGS, BASELINES, ABLATIONS, REDUCED = 'configs', 'configs/baselines', 'ablations', 'configs/reduced'
OVERRIDES = (BASELINES, ABLATIONS, REDUCED)


def find_config(word: str) -> str:
    """Return the path of a config.

    Raises:
        InputError: No file and no config has this name, or several have it.
    """
    return _find(word, (CONFIGS,))


def find_override(word: str) -> str:
    """Return the path of an override, or the word itself where it is `timm_<network>`; see :func:`find_config`."""
    return word if word.startswith(TIMM) else _find(word, OVERRIDES)


def match_configs(word: str) -> list[str]:
    """Return the config that a word names, or those that a pattern such as `mer_casme2*` matches, perhaps none."""
    return _match(word, (CONFIGS,)) if is_pattern(word) else [find_config(word)]


def match_overrides(word: str) -> list[str]:
    """Return the overrides that a word names or that a pattern matches; see :func:`match_configs`."""
    return _match(word, OVERRIDES) if is_pattern(word) else [find_override(word)]


def is_pattern(word: str) -> bool:
    """Say whether a word has wildcards, and is not the name of a file all the same."""
    return glob.escape(word) != word and not Path(word).is_file()


def shipped(*folders: str) -> list[Path]:
    """Return the shipped files of these folders, by name within each."""
    return [path for folder in folders for path in sorted((SHIPPED / folder).glob('*.py'))]


def describe(path: Path) -> str:
    """Return one line on a config or override: the first sentence of its comment, or else its statement."""
    comment, statement = re.match(r'((?:#.*\n)*)(.*)', path.read_text(encoding='utf-8')).groups()
    text = ' '.join(line.lstrip('# ') for line in comment.splitlines())
    return re.split(r'\. (?=[A-Z])|\.$', text, maxsplit=1)[0] or statement


def _find(word: str, folders: tuple[str, ...]) -> str:
    if Path(word).is_file():
        return word
    name = word.removeprefix(PACKAGE).removesuffix('.py')
    found = [path for path in shipped(*folders) if name in _names(path)]
    if len(found) == 1:
        return _from_here(found[0])
    if found:
        raise InputError(f'{word} names {" and ".join(map(_from_here, found))}; give one of these paths')
    others = {CONFIGS, *OVERRIDES} - {*folders}
    if any(name in _names(path) for path in shipped(*others)):
        raise InputError(
            f'{word} is an override; give a config, such as mer_smic, and {word} after --override'
            if CONFIGS in folders
            else f'{word} is a config; give an override, such as no_attention or ststnet'
        )
    near = did_you_mean(Path(name).name, [path.stem for path in shipped(*folders)])
    raise InputError(f'no such config file: {word}{near}; give a path, or a name that mer-bench list shows')


def _names(path: Path) -> set[str]:
    below = path.relative_to(SHIPPED).with_suffix('')
    return {path.stem, below.as_posix(), below.as_posix().removeprefix('configs/')}


def _match(pattern: str, folders: tuple[str, ...]) -> list[str]:
    if files := sorted(name for name in glob.glob(pattern) if Path(name).is_file()):
        return files
    name = pattern.removeprefix(PACKAGE)
    if '/' in name:  # of shipped files, as in ablations/no_*.py
        return [_from_here(path) for path in shipped(*folders) if path.match(name.removesuffix('.py') + '.py')]
    return [_from_here(path) for path in shipped(*folders) if fnmatch(path.stem, name)]


def _from_here(path: Path) -> str:
    """Return the path as a user in this folder would write it."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
