"""Compare methods on the same clips: scores, paired intervals over subjects, McNemar's test, wins, plain words.

Runs are run folders, records, files of predictions or published logs (`score --help` lists the formats). Clips are
joined by sample_id. Three runs or more are ranked: Friedman's test, then Nemenyi's, over subjects, or over data sets
where the clips are of five or more.

python tools/compare.py work_dirs/mer_smic/multiscale_resnet3d50/seed0 work_dirs/mer_smic/ststnet/seed0 --plot out.svg
python tools/compare.py RUN RUN RUN --json
"""

from dataclasses import replace
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.cli.plot import call
from mer_bench.evaluation.compare import compare
from mer_bench.evaluation.ranking import rank_methods
from mer_bench.files import write_atomically
from mer_bench.results.record import record_of


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('a', metavar='A', help='the first method')
    parser.add_argument('b', metavar='B', nargs='+', help='the others')
    parser.add_argument('--classes', nargs='+', default=(), help='names of the labels 0, 1, 2 of a log, in order')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the differences or ranks: svg, png or pdf')
    parser.add_argument('--out', type=Path, metavar='CSV', help='write the numbers, one row per metric or method')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Print how the methods differ, and draw and write it where asked to."""
    args = make_parser().parse_args(argv)
    sources = [args.a, *args.b]
    records = [record_of(source) for source in sources]  # which refuses changed predictions
    found = compare(*sources, args.classes) if len(sources) == 2 else rank_methods(sources, args.classes)
    if args.plot:
        short = len(sources) == 2 and None not in records  # plot --kind critical-difference has short names of more
        drawn = replace(found, names=tuple(name for name, _ in call(sources, records))) if short else found
        drawn.plot(args.plot)
    if args.out:
        with write_atomically(args.out) as temporary:
            found.to_frame().to_csv(temporary, index=False, lineterminator='\n')
    with report(args.json) as show:
        show(found, found.to_dict())
        for path in filter(None, (args.plot, args.out)):
            print(f'written: {path}')
