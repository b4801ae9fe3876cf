"""The command line that training and testing share; imports nothing heavy, so that --help answers at once."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, NoReturn

from mer_bench.errors import did_you_mean, refuse

if TYPE_CHECKING:
    from mer_bench.experiment.experiment import RunOptions


def number_or_word(text: str) -> int | str:
    """Read --stack: a number, or a word such as auto."""
    return int(text) if re.fullmatch(r'-?\d+', text) else text


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line, and with the nearest option or choice.

    It prints its description as it stands; the examples in it would else run together.
    """

    def __init__(self, **settings) -> None:
        super().__init__(**dict(formatter_class=argparse.RawDescriptionHelpFormatter) | settings)

    def error(self, message: str) -> NoReturn:
        found = re.search(r"invalid choice: '?([^ ']*)'? \(choose from (.*)\)$|unrecognized arguments: (\S+)", message)
        known = re.findall(r"[^', ]+", found[2] or '') if found else []
        near = did_you_mean(found[1] or found[3], known or self._option_string_actions) if found else ''
        usage = f'usage: {self.usage % {"prog": self.prog}}' if self.usage else f'{self.prog} --help shows the options'
        refuse(f'{message}{near}; {usage}')


def parser_of(description: str, *names: str) -> Parser:
    """Return the parser of a command with the positional arguments `names`.

    They come first: an option that takes several words would swallow them.
    """
    return Parser(
        usage=f'%(prog)s {" ".join(names)} [options]',
        description=description,
        epilog=f'{" and ".join(names)} come{"s" * (len(names) == 1)} before the options.',
    )


def add_arguments(parser: argparse.ArgumentParser, needed: bool = True, folds: bool = True) -> None:
    """Add what :func:`mer_bench.experiment.experiment.open_experiment` reads.

    Args:
        parser: Gets the arguments.
        needed: Whether CONFIG must be given.
        folds: Whether some folds can be chosen.
    """
    add, many = parser.add_argument, dict(nargs='+', action='extend', default=[])
    add('config', metavar='CONFIG', nargs=None if needed else '?', help='such as configs/mer_smic.py')
    add('--override', metavar='FILE', help='merged onto the config, such as ablations/no_attention.py', **many)
    if folds:
        add('--fold', metavar='NAME', help='only these folds, such as smic/s01 or s01', **many)
    text = "folders of the prepared data, in the order of the config's data_source (default: its data_root)"
    add('--data-root', metavar='DIR', help=text, **many)
    add('--cfg-options', metavar='K=V', help='such as train_cfg.max_epochs=5', **many)
    add('--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)')
    text = 'CPU threads per training; more may change the last digits (default: 1)'
    add('--threads', type=int, default=1, metavar='N', help=text)


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add how :class:`mer_bench.runs.run.RunSettings` trains, and how each fold chooses."""
    add = parser.add_argument
    add('--seed', type=int, default=0, metavar='N', help='seed of weights, order and augmentation (default: 0)')
    add('--jobs', type=int, metavar='N', help='folds at a time (default: one per core on the CPU, else 1)')
    text = (
        'for small networks: keep the clips in memory and train N folds together, or as many as is fastest (auto, the '
        "default), or fold by fold with MMEngine's Runner (off); the predictions are the same"
    )
    add('--stack', type=number_or_word, default='auto', metavar='auto|N|off', help=text)
    text = (
        'inner: let each fold choose among candidates, and the epoch of a network, by scores on its training subjects '
        'alone, then train what it chose, and fit the temperature of its class scores; --candidates, or `candidates` '
        'in an override, lists candidates'
    )
    add('--select', metavar='inner', help=text)
    add('--candidates', metavar='FILE', nargs='+', action='extend', default=[], help='overrides to choose from')
    text = 'of the training subjects of each fold, for the choice (default: 5)'
    add('--inner-folds', type=int, default=5, metavar='N', help=text)


def training_of(args: argparse.Namespace) -> dict:
    """Return what :func:`add_training` added, by the names of the settings."""
    return {name: getattr(args, name) for name in ('seed', 'jobs', 'stack', 'select', 'candidates', 'inner_folds')}


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, which :func:`report` reads."""
    parser.add_argument('--json', action='store_true', help='print one JSON document and nothing else')


@contextmanager
def report(as_json: bool) -> Iterator[Callable[[object, object], None]]:
    """Yield `show(text, document)`, by which a command prints its report once: the text, or the document as JSON.

    With JSON, whatever else is printed in the block goes to stderr.
    """
    stdout = sys.stdout

    def show(text: object, document: object) -> None:
        print(to_json(document) if as_json else text, file=stdout, flush=True)

    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield show


def to_json(document: object) -> str:
    """Return a document as indented JSON.

    Tables become lists of rows, numbers of NumPy plain ones, and NaN and infinity null, which JSON does not have.
    """
    return json.dumps(_plain(document), indent=2, allow_nan=False)


def _plain(value: object) -> object:
    if hasattr(value, 'to_dict') and hasattr(value, 'columns'):  # a table of pandas, whose import takes half a second
        value = value.to_dict('records')
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, 'tolist'):  # a number or an array of NumPy
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def run_options(args: argparse.Namespace) -> RunOptions:
    """Return the options that :func:`add_arguments` added."""
    from mer_bench.experiment.experiment import RunOptions  # takes a second to import

    return RunOptions(
        args.config, args.override, args.cfg_options, args.data_root, args.fold, args.device, args.threads
    )
