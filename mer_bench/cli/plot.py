"""Draw predictions as a figure for a paper: pdf, png or svg, in colours that everyone can tell apart.

Runs are run folders, records, files of predictions or published logs (`score --help` lists the formats). The kinds:

- reliability: how often a method is right against how sure it is, before and after temperature scaling
- critical-difference: average ranks of three methods or more, joined where the data do not tell them apart
- confusion: which class is taken for which
- intervals: UF1 of each method with its 95 % interval over the subjects

python tools/plot.py results/megc2019_flow/mer_megc2019_flow/ststnet/seed0 --kind reliability
python tools/plot.py RUN RUN RUN --kind critical-difference --out ranks.pdf
"""

import argparse
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.evaluation.compare import short_names
from mer_bench.evaluation.figures import KINDS, Drawn
from mer_bench.evaluation.predictions import classes_of, load_predictions
from mer_bench.evaluation.style import save
from mer_bench.results.record import record_of, temperatures_of


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('runs', metavar='RUN', nargs='+', help='a run folder, its record, or a file of predictions')
    parser.add_argument('--kind', choices=KINDS, required=True, help='what to draw')
    parser.add_argument('--names', nargs='+', default=(), help='what to call the runs (default: from their paths)')
    parser.add_argument('--classes', nargs='+', default=(), help='all classes, if some never occur in the predictions')
    text = 'a file that ends in .pdf, .png or .svg, or several (default: KIND.pdf and KIND.png)'
    parser.add_argument('--out', nargs='+', type=Path, metavar='FILE', help=text)
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Draw the runs and print which files were written."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.names and len(args.names) != len(args.runs):
        parser.error(f'--names: expected a name for each of {len(args.runs)} runs, got {len(args.names)}')
    paths = args.out or [Path(f'{args.kind}{suffix}') for suffix in ('.pdf', '.png')]
    save(lambda: KINDS[args.kind](read_runs(args)), *paths)
    with report(args.json) as show:
        show('\n'.join(f'written: {path}' for path in paths), dict(kind=args.kind, written=paths))


def read_runs(args: argparse.Namespace) -> list[Drawn]:
    """Read the predictions of the runs, each with its temperatures where it has some."""
    names = args.names or (short_names(args.runs) if len(args.runs) > 1 else [name_of(args.runs[0])])
    drawn = []
    for name, source in zip(names, args.runs, strict=True):
        temperatures, table = temperatures_of(record_of(source) or {}), load_predictions(source)
        drawn.append(Drawn(name, table, classes_of(table, source, args.classes), temperatures))
    return drawn


def name_of(source: str) -> str:
    """Name a single run by its method, another file by its own name."""
    path = Path(source).absolute()
    path = path.parent if path.name in ('predictions.csv', 'record.json') else path
    return path.parent.name if path.name.startswith('seed') else path.name
