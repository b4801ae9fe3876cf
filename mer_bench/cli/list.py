"""List what mer_bench has, one line each, from configs and methods to flow methods.

mer-bench list             # all of them
mer-bench list methods     # one kind
"""

import re
import shutil
import textwrap

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.experiment.config_files import (
    ABLATIONS,
    BASELINES,
    CHOICES,
    CONFIGS,
    REDUCED,
    SHIPPED,
    describe,
    shipped,
)

NARROWEST = 60  # columns: a shorter line would leave no room for the text


def list_configs() -> dict[str, str]:
    """Return the configs: a data set with its protocol, and the full model."""
    return {path.stem: describe(path) for path in shipped(CONFIGS)}


def list_methods() -> dict[str, str]:
    """Return the methods that replace the full model, for `--override` or `overrides=[...]`."""
    return {path.stem: describe(path) for path in shipped(BASELINES)}


def list_choices() -> dict[str, str]:
    """Return the lists of candidates, for `--override` with `--select inner`."""
    return {path.stem: describe(path) for path in shipped(CHOICES)}


def list_ablations() -> dict[str, str]:
    """Return the ablations of the full model.

    An ablation is described by its question, from ablations/README.md, and by its statement.
    """
    page = (SHIPPED / ABLATIONS / 'README.md').read_text(encoding='utf-8')
    rows = [line.split('|') for line in page.splitlines() if line.startswith('| ')]
    questions: dict[str, str] = {}
    for row in rows:
        for name in re.findall(r'`([a-z_0-9]+)`', row[2]):
            questions.setdefault(name, row[1].strip())
    ablations = {path.stem: path for path in shipped(ABLATIONS)}
    return {name: f'{question}: {describe(ablations[name])}' for name, question in questions.items()}


def list_reduced() -> dict[str, str]:
    """Return the overrides that make a training small."""
    return {path.stem: describe(path) for path in shipped(REDUCED)}


def list_datasets() -> dict[str, str]:
    """Return the data sets that `mer-bench prepare` reads."""
    from mer_bench.datasets.catalogue import DATASETS

    return {name: f'{dataset.title}: {dataset.layout}' for name, dataset in DATASETS.items()}


def list_schemes() -> dict[str, str]:
    """Return the label schemes: their classes, and the data sets for which they have rules."""
    from mer_bench.protocols.label_schemes import load_scheme, scheme_names

    schemes = {name: load_scheme(name) for name in scheme_names()}
    return {
        name: f'{", ".join(scheme.classes)}; {", ".join(dict.fromkeys(rule.dataset for rule in scheme.rules))}'
        for name, scheme in schemes.items()
    }


def list_flow() -> dict[str, str]:
    """Return the flow methods of `mer-bench prepare --flow`."""
    from mer_bench.preparation.flow.optical_flow import METHODS

    described = {name: method.compute.__doc__.partition('\n')[0].rstrip('.') for name, method in METHODS.items()}
    return described | {
        'raft': 'RAFT of torchvision, for a GPU; needs --raft-weights',
        'still': 'the apex frame alone, a control without motion',
    }


KINDS = {
    'configs': list_configs,
    'methods': list_methods,
    'choices': list_choices,
    'ablations': list_ablations,
    'reduced': list_reduced,
    'datasets': list_datasets,
    'schemes': list_schemes,
    'flow': list_flow,
}


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('kind', nargs='?', choices=KINDS, metavar='KIND', help=f'one of {", ".join(KINDS)}')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Print the entries of one kind, or of all kinds under headings."""
    args = make_parser().parse_args(argv)
    found = {name: KINDS[name]() for name in ([args.kind] if args.kind else KINDS)}
    parts = [as_text(entries) if args.kind else f'{name}\n{as_text(entries)}' for name, entries in found.items()]
    rows = {name: [dict(name=entry, text=text) for entry, text in entries.items()] for name, entries in found.items()}
    with report(args.json) as show:
        show('\n\n'.join(parts), rows)


def as_text(entries: dict[str, str]) -> str:
    """Return entries in two columns, as wide as the terminal."""
    width = max(shutil.get_terminal_size((120, 24)).columns, NARROWEST)
    column = max(map(len, entries)) + 2
    room = dict(width=width - column, break_on_hyphens=False, placeholder=' ...')
    return '\n'.join(f'{entry:{column}}{textwrap.shorten(text, **room)}'.rstrip() for entry, text in entries.items())
