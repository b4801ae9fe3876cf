"""Train and score one method over all folds of its protocol. If interrupted, run the same command again."""

from pathlib import Path

from mer_bench.cli.arguments import add_arguments, make_parser, number_or_word, run_options


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, run the folds, print the scores."""
    parser = make_parser(__doc__, 'CONFIG')
    add_arguments(parser)
    add, text = parser.add_argument, 'folder of this run (default: work_dirs/CONFIG/METHOD/seedN)'
    add('--work-dir', type=Path, metavar='DIR', help=text)
    add('--save-checkpoints', action='store_true', help='keep the weights of every fold')
    add('--seed', type=int, default=0, metavar='N', help='seed of weights, order and augmentation (default: 0)')
    add('--jobs', type=int, metavar='N', help='folds at a time (default: one per core on the CPU, else 1)')
    text = (
        'for small networks: keep the clips in memory and train N folds together, or as many as is fastest (auto, the '
        "default), or fold by fold with MMEngine's Runner (off); the predictions are the same"
    )
    add('--stack', type=number_or_word, default='auto', metavar='auto|N|off', help=text)
    text = 'also score the held-out subjects after every epoch, into RUN/audit.csv; training never reads it'
    add('--audit-epochs', action='store_true', help=text)
    add('--verbose', action='store_true', help='print a line for each fold, as in RUN/train.log')
    args = parser.parse_args(argv)

    from mer_bench.runs.run import RunSettings, train  # takes a second to import

    how = (args.seed, args.work_dir, args.jobs, args.save_checkpoints, args.stack)
    settings = RunSettings(*how, verbose=args.verbose, audit_epochs=args.audit_epochs)
    print(train(run_options(args), settings).summary())
