"""The command line: `mer-bench COMMAND`, the doors of tools/*.py to the same commands, and the arguments they share.

A command is imported when it is called. Nothing heavy is imported here, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import mer_bench
from mer_bench.errors import InputError, did_you_mean, run_tool

if TYPE_CHECKING:
    from mer_bench.experiment.experiment import RunOptions

COMMANDS = {
    'prepare': 'turn a raw data set into annotations.csv and a flow store',
    'protocol': 'show classes, folds and official counts before any training',
    'train': 'train and score one method over all folds',
    'test': 'score the saved checkpoints of a run again',
    'sweep': 'train many methods: every config, method and seed',
    'score': 'score predictions from any source',
    'compare': 'compare two runs on the same clips',
    'leaderboard': 'make tables of finished runs',
    'list': 'list configs, methods, ablations, data sets, label schemes and flow methods',
    'demo': 'draw faces, prepare them, train four methods, make a leaderboard',
}


def main() -> None:
    """Run `mer-bench` as the shell starts it."""
    run_tool(lambda: run_command(sys.argv[1:]))


def door(name: str) -> None:
    """Run one command as tools/<name>.py, with the arguments of the process."""
    run_tool(lambda: import_module(f'mer_bench.cli.{name}').main())


def run_command(argv: Sequence[str]) -> int | None:
    """Run the command that the first word names; return its exit code."""
    name, *rest = argv or ['']
    if name in COMMANDS:
        sys.argv[0] = f'mer-bench {name}'  # argparse takes the program's name of usage lines from here
        return import_module(f'mer_bench.cli.{name}').main(rest)
    if name and not name.startswith('-'):
        raise InputError(
            f'mer-bench has no command {name}{did_you_mean(name, COMMANDS)}; mer-bench --help lists the commands'
        )
    lines = [f'  {name:12} {text}' for name, text in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog='mer-bench',
        usage='mer-bench COMMAND [arguments]',
        description=mer_bench.__doc__.partition('\n')[0],
        epilog='\n'.join(['commands:', *lines, '', 'mer-bench COMMAND --help explains a command.']),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mer_bench {mer_bench.__version__}')
    parser.parse_args(argv)
    parser.print_help()
    return 2


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f'expected a number of at least 1, got {text}')
    return number


def positive_number(text: str) -> float:
    """Read a number above 0."""
    if not 0 < (number := float(text)) < float('inf'):
        raise argparse.ArgumentTypeError(f'expected a number above 0, got {text}')
    return number


def share(text: str) -> float:
    """Read a share above 0 and at most 1."""
    if not 0 < (number := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f'expected a share above 0 and at most 1, got {text}')
    return number


def seed(text: str) -> int:
    """Read a number that can seed all generators."""
    if not 0 <= (number := int(text)) < 2**32:
        raise argparse.ArgumentTypeError(f'expected a number from 0 to 4294967295, got {text}')
    return number


def stack(text: str) -> str | int:
    """Read 'auto', 'off' or how many folds are to be trained together."""
    return text if text in ('auto', 'off') else positive(text)


def make_parser(description: str, *names: str) -> argparse.ArgumentParser:
    """Make the parser of a tool with the positional arguments `names`.

    They come first: an option that takes several words would swallow them.
    """
    return argparse.ArgumentParser(
        usage=f'%(prog)s {" ".join(names)} [options]',
        description=description,
        epilog=f'{" and ".join(names)} come{"s" * (len(names) == 1)} before the options.',
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`mer_bench.experiment.experiment.open_experiment` reads."""
    parser.add_argument('config', metavar='CONFIG', help='such as configs/mer_smic.py')
    many = dict(nargs='+', action='extend', default=[])
    parser.add_argument(
        '--override', metavar='FILE', help='merged onto the config, such as ablations/no_attention.py', **many
    )
    parser.add_argument('--fold', metavar='NAME', help='only these folds, such as smic/s01 or s01', **many)
    parser.add_argument(
        '--data-root',
        metavar='DIR',
        help='folders of the prepared data, in the order of data_source of the config (default: its data_root)',
        **many,
    )
    parser.add_argument('--cfg-options', metavar='K=V', help='such as train_cfg.max_epochs=5', **many)
    parser.add_argument('--device', default='auto', help='auto (default), cpu, cuda or cuda:N')
    parser.add_argument(
        '--threads',
        type=positive,
        default=1,
        metavar='N',
        help='CPU threads of a training; their number may change the last digits (default: 1)',
    )


def run_options(args: argparse.Namespace) -> RunOptions:
    """Return the options that :func:`add_arguments` added."""
    from mer_bench.experiment.experiment import RunOptions  # takes a second to import

    return RunOptions(
        args.config, args.override, args.cfg_options, args.data_root, args.fold, args.device, args.threads
    )


if __name__ == '__main__':
    main()
