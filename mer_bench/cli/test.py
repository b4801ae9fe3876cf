"""Score saved checkpoints of a run: the weights of each fold on the subject held out from it."""

from pathlib import Path

from mer_bench.cli.arguments import add_arguments, make_parser, run_options


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, test the checkpoints, print the scores."""
    parser = make_parser(__doc__, 'CONFIG', 'RUN')
    add_arguments(parser)
    parser.add_argument('checkpoints', type=Path, metavar='RUN', help='folder of a run trained with --save-checkpoints')
    text = 'of a run whose folds chose (--select inner), as for its training'
    parser.add_argument('--candidates', metavar='FILE', nargs='+', action='extend', default=[], help=text)
    parser.add_argument('--out', type=Path, metavar='CSV', help='output file (default: RUN/test_predictions.csv)')
    args = parser.parse_args(argv)

    from mer_bench.evaluation.action_units import score_action_units  # takes seconds to import
    from mer_bench.evaluation.metrics import score_table
    from mer_bench.evaluation.predictions import read_predictions
    from mer_bench.evaluation.report import format_action_units, format_scores
    from mer_bench.runs.checkpoints import open_trained, predict_with_checkpoints

    experiment = open_trained(run_options(args), args.checkpoints, args.candidates)
    out = args.out or args.checkpoints / 'test_predictions.csv'
    predict_with_checkpoints(experiment, args.checkpoints, out)
    frame = read_predictions(out)
    print(format_scores(score_table(frame, list(experiment.method.cfg.classes))))
    if 'action_units' in frame:
        print(f'\n{format_action_units(score_action_units(frame))}')
    print(out)
