"""The command line: `mer-bench COMMAND`, and the doors of tools/*.py to the same commands.

A command is imported when it is called. Nothing heavy is imported here, so that --help answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import mer_bench
from mer_bench.errors import InputError, did_you_mean, run_tool

COMMANDS = {
    'prepare': 'turn a raw data set into annotations.csv and a flow store',
    'browse': 'look at a prepared data set: a page with every clip, unusual ones first',
    'protocol': 'show classes, folds and official counts before any training',
    'train': 'train and score one method over all folds',
    'test': 'score the saved checkpoints of a run again',
    'audit': 'ask whether anything of the held-out subjects leaks into a training',
    'reproduce': 'train folds of a record again and compare',
    'sweep': 'train many methods: every config, method and seed',
    'score': 'score predictions from any source',
    'compare': 'compare runs on the same clips',
    'plot': 'draw predictions as a figure for a paper',
    'fit': 'train one network on all subjects, to use it',
    'predict': 'predict videos by such a network',
    'explain': 'show what a prediction of such a network rests on, as a picture',
    'app': 'try such a network in a browser, with a video or the webcam',
    'export': 'write such a network as ONNX or TorchScript',
    'leaderboard': 'rank finished runs in tables',
    'list': 'list configs, methods, ablations, data sets, label schemes and flow methods',
    'demo': 'draw faces, prepare them, train four methods, print a leaderboard',
    'completion': 'print the script by which bash or zsh complete commands, options and names',
}

TRAINED = ('fit', 'predict', 'explain', 'app', 'export')  # in a folder of their own


def main() -> None:
    """Run `mer-bench` as the shell starts it."""
    run_tool(lambda: run_command(sys.argv[1:]))


def door(name: str) -> None:
    """Run one command as tools/<name>.py, with the arguments of the process."""
    run_tool(lambda: module_of(name).main())


def module_of(name: str) -> ModuleType:
    """Import a command: its `make_parser()` and its `main(argv)`."""
    return import_module(f'mer_bench.cli.{"trained." * (name in TRAINED)}{name}')


def run_command(argv: Sequence[str]) -> int | None:
    """Run the command that the first word names; return its exit code."""
    name, *rest = argv or ['']
    if name in COMMANDS:
        sys.argv[0] = f'mer-bench {name}'  # argparse takes the program's name of usage lines from here
        return module_of(name).main(rest)
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
