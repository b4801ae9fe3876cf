"""The command line of a run, for its record: what a user pastes into a shell to train it from the start."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mer_bench.errors import InputError, visible
from mer_bench.experiment.config_files import parse_options
from mer_bench.experiment.experiment import RunOptions
from mer_bench.runs.run import RunSettings

LONGEST = 4000  # as of a Line of a record
UNWRITTEN = str.maketrans('', '', " '")  # ['u', 'v'] is [u,v] on a command line


def train_command(options: RunOptions, settings: RunSettings) -> str | None:
    """Return the `mer-bench train` command with all that decides the results of a run, and nothing else.

    Folds, run folder, jobs and what is shown are left out. Paths below the working directory are relative, those below
    the home directory begin with `~/` (in a value of cfg_options with `"$HOME"/`, as no shell expands `~` there);
    others stay as they were given.

    Returns:
        None if the options cannot be written on a command line, as some values from Python.
    """
    try:
        words = ['mer-bench', 'train', _path(options.config), *_many('--override', map(_path, options.overrides))]
        words += _many('--cfg-options', map(_pair, _pairs(options.cfg_options)))
        words += _many('--data-root', map(_path, options.data_root))
    except InputError:
        return None
    words += ['--seed', str(settings.seed)]
    words += ['--device', options.device] if options.device != 'auto' else []
    words += ['--threads', str(options.threads)] if options.threads != 1 else []
    words += ['--stack', str(settings.stack)] if settings.stack != 'auto' else []
    words += ['--audit-epochs'] if settings.audit_epochs else []
    if settings.select:
        words += ['--select', settings.select, *_many('--candidates', map(_path, settings.candidates))]
        words += ['--inner-folds', str(settings.inner_folds)]
        words += ['--audit-candidates'] if settings.audit_candidates else []
    command = ' '.join(words)
    return command if visible(command) == command and len(command) <= LONGEST else None


def _many(option: str, words: Iterable[str]) -> list[str]:
    words = [*words]
    return [option, *words] if words else []


def _pairs(options: Mapping[str, object] | Sequence[str]) -> list[str]:
    """Return cfg_options as KEY=VALUE; refuse values that would be read back as others."""
    if not isinstance(options, Mapping):
        return [*options]
    pairs = [f'{key}={str(value).translate(UNWRITTEN)}' for key, value in options.items()]
    if parse_options(pairs) != options:
        raise InputError('the values of cfg_options cannot be written on a command line')
    return pairs


def _pair(pair: str) -> str:
    """Return KEY=VALUE as a word of a shell, without the working or home directory in paths that exist."""
    key, equals, value = pair.partition('=')
    parts = re.split(r'([][(),])', value)  # of [A,B] and (A,B)
    for number, part in enumerate(parts):
        path = Path(part)
        if path.is_absolute() and os.path.lexists(path):
            if path.is_relative_to(Path.cwd()):
                parts[number] = str(path.relative_to(Path.cwd()))
            elif path.is_relative_to(Path.home()):
                parts[number] = f'\0/{path.relative_to(Path.home())}'
    around_home = f'{key}{equals}{"".join(parts)}'.split('\0')
    return '"$HOME"'.join(text and shlex.quote(text) for text in around_home) or "''"


def _path(word: str) -> str:
    """Return a path or a name as a word of a shell, without the home directory."""
    path = Path(word)
    if path.is_absolute():
        if path.is_relative_to(Path.cwd()):
            return shlex.quote(str(path.relative_to(Path.cwd())))
        if path.is_relative_to(Path.home()):
            return f'~/{shlex.quote(str(path.relative_to(Path.home())))}'
    return shlex.quote(str(word))
