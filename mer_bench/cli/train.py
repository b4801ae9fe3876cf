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
    text = (
        'inner: let each fold choose among candidates, and the epoch of a network, by scores on its training subjects '
        'alone, then train what it chose; --candidates, or `candidates` in an override, lists candidates'
    )
    add('--select', metavar='inner', help=text)
    add('--candidates', metavar='FILE', nargs='+', action='extend', default=[], help='overrides to choose from')
    text = 'of the training subjects of each fold, for the choice (default: 5)'
    add('--inner-folds', type=int, default=5, metavar='N', help=text)
    text = 'also score the held-out subjects by all that could be chosen, into RUN/candidates.csv; no choice reads it'
    add('--audit-candidates', action='store_true', help=text)
    add('--verbose', action='store_true', help='print a line for each fold, as in RUN/train.log')
    args = parser.parse_args(argv)

    from mer_bench.runs.run import RunSettings  # takes a second to import
    from mer_bench.runs.train import train

    how = (args.seed, args.work_dir, args.jobs, args.save_checkpoints, args.stack)
    choice = dict(select=args.select, candidates=args.candidates, inner_folds=args.inner_folds)
    audits = dict(audit_epochs=args.audit_epochs, audit_candidates=args.audit_candidates)
    settings = RunSettings(*how, verbose=args.verbose, **choice, **audits)
    print(train(run_options(args), settings).summary())
