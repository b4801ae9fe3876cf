"""Print the script that lets bash or zsh complete commands, options, files, and names of configs and methods.

Let your .bashrc or .zshrc read the script, as in `echo 'source ~/.mer-bench.bash' >> ~/.bashrc`. It holds the names of
this version; write it again after an update.

mer-bench completion bash > ~/.mer-bench.bash
mer-bench completion zsh > ~/.mer-bench.zsh
"""

import argparse
from collections.abc import Iterable, Iterator

from mer_bench.cli.arguments import Parser
from mer_bench.cli.list import list_ablations, list_choices, list_configs, list_methods, list_reduced, list_schemes
from mer_bench.cli.main import COMMANDS, module_of

OVERRIDES = ('override', 'overrides', 'grid', 'shared', 'candidates')
FOLDERS, FILES = ('DIR',), ('FILE', 'CSV', 'RUN', 'RUNS', 'RECORD', 'FILE.md', 'FILE.png', 'A', 'B', 'CLIP', 'MODEL')
PATHS = ('log', 'data', 'results', 'folder')  # positional arguments


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('shell', choices=('bash', 'zsh'))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Print the script."""
    import shtab

    shell = make_parser().parse_args(argv).shell
    parser = whole_parser()
    names = {
        'configs': list_configs(),
        'overrides': [*list_methods(), *list_ablations(), *list_reduced(), *list_choices()],
        'schemes': list_schemes(),
    }
    kinds = {kind: names_or_files(kind, words) for kind, words in names.items()}
    for action in actions_of(parser):
        if isinstance(action.choices, dict) and not isinstance(action, argparse._SubParsersAction):
            action.choices = list(action.choices)  # shtab takes a dictionary for commands
        if kind := kind_of(action):
            action.complete = kinds.get(kind) or getattr(shtab, kind)
    # shtab's zsh script takes `source` for a call by the completion itself, and fails
    print(
        shtab.complete(parser, shell).replace(
            '[[ $zsh_eval_context[-1] == eval ]]', '[[ $zsh_eval_context[-1] == (eval|file) ]]'
        )
    )


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser that has every command below it."""
    parser = argparse.ArgumentParser(prog='mer-bench')
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, parents=[module_of(name).make_parser()], add_help=False)
    return parser


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of those below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions_of(below)


def kind_of(action: argparse.Action) -> str | None:
    """Return what completes an argument: a kind of names, FILE or DIRECTORY; None: its choices, or nothing."""
    if action.choices or action.nargs == 0:
        return None
    if action.dest in ('config', 'configs'):
        return 'configs'
    if action.dest in OVERRIDES:
        return 'overrides'
    if action.dest == 'scheme':
        return 'schemes'
    if action.metavar in FOLDERS:
        return 'DIRECTORY'
    return 'FILE' if action.metavar in FILES or action.dest in PATHS else None


def names_or_files(kind: str, names: Iterable[str]) -> dict:
    """Return what makes shtab complete one of these names or a file."""
    function, words = f'_mer_bench_{kind}', ' '.join(names)
    bash = f'{function}() {{\n  compgen -W "{words}" -- "$1"\n  compgen -f -- "$1"\n}}'
    zsh = f'{function}() {{\n  compadd {words}\n  _files\n}}'
    return {'bash': function, 'zsh': function, 'preamble': {'bash': bash, 'zsh': zsh}}
