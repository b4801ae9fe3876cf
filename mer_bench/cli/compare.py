"""Compare two methods on the same clips: scores, paired intervals over subjects, McNemar's test, wins, plain words.

A and B are run folders, records, files of predictions or published logs (`score --help` lists the formats). Clips are
joined by sample_id.

python tools/compare.py work_dirs/mer_smic/multiscale_resnet3d50/seed0 work_dirs/mer_smic/ststnet/seed0 --plot out.svg
"""

import argparse
from pathlib import Path

from mer_bench.cli.arguments import Parser
from mer_bench.evaluation.compare import compare
from mer_bench.files import write_atomically


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('a', metavar='A', help='the first method')
    parser.add_argument('b', metavar='B', help='the second method')
    parser.add_argument('--classes', nargs='+', default=(), help='names of the labels 0, 1, 2 of a log, in order')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the differences: svg, png or pdf')
    parser.add_argument('--out', type=Path, metavar='CSV', help='write the numbers, one row per metric')
    args = parser.parse_args(argv)
    comparison = compare(args.a, args.b, args.classes)
    if args.plot:
        comparison.plot(args.plot)
    if args.out:
        with write_atomically(args.out) as temporary:
            comparison.to_frame().to_csv(temporary, index=False, lineterminator='\n')
    print(comparison)
    for path in (args.plot, args.out):
        if path:
            print(f'written: {path}')
