"""Train one network on all subjects, into a folder that mer-bench predict reads. If interrupted, run it again.

No clip is left to score it with: the scores on its card are those of the record that --record names.

mer-bench fit mer_smic --data-root data/smic --out model
mer-bench fit mer_smic --override ststnet --out model --record work_dirs/mer_smic/ststnet+inner/seed0
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_arguments, run_options


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(usage='%(prog)s CONFIG --out DIR [options]', description=__doc__)
    add_arguments(parser, folds=False)
    parser.set_defaults(fold=[])
    add = parser.add_argument
    add('--out', type=Path, required=True, metavar='DIR', help='the folder of the model, which appears when complete')
    text = 'record.json or run folder of the same method on the same data: scores, temperature and epochs come from it'
    add('--record', metavar='RECORD', help=text)
    add('--seed', type=int, default=0, metavar='N', help='seed of weights, order and augmentation (default: 0)')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, train, say where the model is."""
    args = make_parser().parse_args(argv)

    from mer_bench.inference.fit import fit  # takes seconds to import

    folder = fit(run_options(args), args.out, args.seed, args.record)
    print(f'{args.out}: {", ".join(sorted(path.name for path in folder.iterdir()))}')
    print(f'next: mer-bench predict {args.out} VIDEO; {args.out}/README.md says what the model is for')
