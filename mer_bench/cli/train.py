"""Train and score one method over all folds of its protocol. If interrupted, run the same command again.

mer-bench train configs/mer_smic.py --data-root data/smic
mer-bench train mer_smic --override ststnet --seed 1 --cfg-options train_cfg.max_epochs=50
"""

from pathlib import Path

from mer_bench.cli.arguments import (
    Parser,
    add_arguments,
    add_json,
    add_training,
    parser_of,
    report,
    run_options,
    training_of,
)


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = parser_of(__doc__, 'CONFIG')
    add_arguments(parser)
    add_training(parser)
    add, text = parser.add_argument, 'folder of this run (default: work_dirs/CONFIG/METHOD/seedN)'
    add('--work-dir', type=Path, metavar='DIR', help=text)
    add('--save-checkpoints', action='store_true', help='keep the weights of every fold')
    text = 'also score the held-out subjects after every epoch, into RUN/audit.csv; training never reads it'
    add('--audit-epochs', action='store_true', help=text)
    text = 'also score the held-out subjects by all that could be chosen, into RUN/candidates.csv; no choice reads it'
    add('--audit-candidates', action='store_true', help=text)
    text = (
        'tensorboard, wandb or mlflow: also write the learning curves of each finished fold for it, into RUN/track; no '
        'request leaves this machine unless WANDB_MODE or MLFLOW_TRACKING_URI says so'
    )
    add('--track', metavar='TOOL', help=text)
    add('--verbose', action='store_true', help='print a line for each fold, as in RUN/train.log')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, run the folds, print the scores."""
    args = make_parser().parse_args(argv)

    from mer_bench.runs.run import RunSettings  # takes a second to import
    from mer_bench.runs.train import train

    audits = dict(audit_epochs=args.audit_epochs, audit_candidates=args.audit_candidates)
    keep = dict(save_checkpoints=args.save_checkpoints, track=args.track)
    place = dict(work_dir=args.work_dir, verbose=args.verbose, **keep)
    settings = RunSettings(**training_of(args), **place, **audits)
    with report(args.json) as show:
        run = train(run_options(args), settings)
        show(run.summary(), dict(folder=run.folder, **run.record))
        if args.track:
            from mer_bench.runs.track import how_to_look

            print(f'learning curves: {how_to_look(run.folder, args.track)}')
