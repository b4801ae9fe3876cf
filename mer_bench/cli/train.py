"""Train and score one method over all folds of its protocol. Run the same command again to continue after a stop."""

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
        '--seed', type=seed, default=0, metavar='N', help='of weights, order and augmentation (default: 0)'
    )
    parser.add_argument(
        '--jobs', type=positive, metavar='N', help='folds at a time (default: one per core on the CPU, else 1)'
    )
    parser.add_argument(
        '--stack',
        type=stack,
        default='auto',
        metavar='auto|N|off',
        help='small networks: the clips stay in memory and N folds are trained together, as many as is fastest (auto, '
        "the default), or fold by fold with MMEngine's Runner (off); the predictions are the same",
    )
    args = parser.parse_args(argv)

    from mer_bench.experiment.data_notes import notes_on_data
    from mer_bench.experiment.experiment import default_work_dir, open_experiment  # the stack takes seconds to import
    from mer_bench.runs.run import run_folds
    from mer_bench.runs.summary import format_summary
    from mer_bench.runs.workers import default_jobs

    experiment = open_experiment(run_options(args))
    units = experiment.method.cfg.action_units
    for note in notes_on_data(experiment.data, experiment.method.scheme, experiment.folds, units):
        print(note)
    work_dir = args.work_dir or default_work_dir(experiment.method, args.seed)
    jobs = args.jobs or default_jobs(experiment.device)
    record = run_folds(experiment, args.seed, work_dir, jobs, args.save_checkpoints, args.stack)
    print(format_summary(record, work_dir))
