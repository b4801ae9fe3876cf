"""List what mer_bench has, one line each, from configs and methods to flow methods.

mer-bench list             # all of them
mer-bench list methods     # one kind
"""

import argparse
import re
import shutil
import textwrap

from mer_bench.cli.arguments import Parser
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


def main(argv: list[str] | None = None) -> None:
    """Print the entries of one kind, or of all kinds under headings."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('kind', nargs='?', choices=KINDS, metavar='KIND', help=f'one of {", ".join(KINDS)}')
    kind = parser.parse_args(argv).kind
    width = max(shutil.get_terminal_size((120, 24)).columns, NARROWEST)
    for name in [kind] if kind else KINDS:
        entries = KINDS[name]()
        column = max(map(len, entries)) + 2
        if not kind:
            print(f'\n{name}' if name != next(iter(KINDS)) else name)
        for entry, text in entries.items():
            text = textwrap.shorten(text, width - column, break_on_hyphens=False, placeholder=' ...')
            print(f'{entry:{column}}{text}'.rstrip())
