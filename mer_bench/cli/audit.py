"""Ask whether anything of the held-out subjects reaches what is trained, and print what was found.

A method is trained a few epochs on changed copies of the data: the held-out clips become noise with other labels,
which must change nothing that is fitted or chosen; and all labels are shuffled, which must leave the score at chance.
A run is only read: no config is executed.

python tools/audit.py configs/mer_smic.py --override configs/baselines/ststnet.py
python tools/audit.py --record work_dirs/mer_smic/ststnet/seed0

Exit code: 0 without a leak, 1 with one, 2 for wrong input.
"""

import argparse
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_arguments, add_json, add_training, report, run_options, training_of
from mer_bench.errors import InputError, visible


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; CONFIG comes first, because options that take several words would swallow it."""
    usage = '%(prog)s CONFIG [options], or %(prog)s --record RECORD'
    parser = Parser(usage=usage, description=__doc__)
    add_arguments(parser, needed=False)
    add_training(parser)
    add = parser.add_argument
    parser.set_defaults(device='cpu')  # a GPU may compute other digits each time
    add('--record', metavar='RECORD', help='check a record.json or run folder by its files alone')
    add('--epochs', type=int, default=3, metavar='N', help='of each training, at most (default: %(default)s)')
    text = 'the run whose record gets the result (default: work_dirs/CONFIG/METHOD/seedN if it is of this method)'
    add('--run', type=Path, metavar='DIR', help=text)
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Audit a method or a run; return 1 if a leak was found."""
    args = make_parser().parse_args(argv)
    if bool(args.config) == bool(args.record):
        raise InputError('expected CONFIG to train it, or --record RECORD to read it; give one of them')
    if args.record:
        from mer_bench.results.file_audit import LEAK, as_json, audit_files, format_checks, verdict_of

        checks = audit_files(args.record)
        with report(args.json) as show:
            show(format_checks(checks), as_json(checks))
        return int(verdict_of(checks) == LEAK)

    from mer_bench.experiment.experiment import refuse_count  # takes a second to import
    from mer_bench.results.file_audit import format_checks
    from mer_bench.runs.leak_audit import audit
    from mer_bench.runs.run import RunSettings

    refuse_count('epochs', args.epochs)
    with report(args.json) as show:
        found = audit(run_options(args), RunSettings(**training_of(args), work_dir=args.run), args.epochs)
        for pair in found.pairs:
            print(
                visible(f'{pair.first} and {pair.second}: {pair.distance:.4f} apart' + ', the same bytes' * pair.same)
            )
        show(f'\n{format_checks(found.checks)}', found.json)
    return int(found.leaks)
