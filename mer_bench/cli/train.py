"""Train and score one method over all folds of its protocol. If interrupted, run the same command again."""

from pathlib import Path

from mer_bench.cli.arguments import add_arguments, make_parser, positive, run_options, seed, stack


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, run the folds, print the scores."""
    parser = make_parser(__doc__, 'CONFIG')
    add_arguments(parser)
    parser.add_argument(
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='folder of this run (default: work_dirs/CONFIG/METHOD/seedN)',
    )
    parser.add_argument('--save-checkpoints', action='store_true', help='keep the weights of every fold')
    parser.add_argument(
        '--seed', type=seed, default=0, metavar='N', help='seed of weights, order and augmentation (default: 0)'
    )
    parser.add_argument(
        '--jobs', type=positive, metavar='N', help='folds at a time (default: one per core on the CPU, else 1)'
    )
    parser.add_argument(
        '--stack',
        type=stack,
        default='auto',
        metavar='auto|N|off',
        help='for small networks: keep the clips in memory and train N folds together, or as many as is fastest (auto, '
        "the default), or fold by fold with MMEngine's Runner (off); the predictions are the same",
    )
    parser.add_argument('--verbose', action='store_true', help='print a line for each fold, as in RUN/train.log')
    args = parser.parse_args(argv)

    from mer_bench.runs.run import train  # takes a second to import

    run = train(run_options(args), args.seed, args.work_dir, args.jobs, args.stack, args.save_checkpoints, args.verbose)
    print(run.summary())
