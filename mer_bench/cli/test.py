"""Score saved checkpoints of a run: the weights of each fold on the subject held out from it.

mer-bench test configs/mer_smic.py work_dirs/mer_smic/multiscale_resnet3d50/seed0
mer-bench test mer_smic RUN --override ststnet --data-root data/smic_aligned --out scores_on_aligned.csv
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_arguments, add_json, parser_of, report, run_options


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = parser_of(__doc__, 'CONFIG', 'RUN')
    add_arguments(parser)
    parser.add_argument('checkpoints', type=Path, metavar='RUN', help='folder of a run trained with --save-checkpoints')
    text = 'of a run whose folds chose (--select inner), as for its training'
    parser.add_argument('--candidates', metavar='FILE', nargs='+', action='extend', default=[], help=text)
    parser.add_argument('--out', type=Path, metavar='CSV', help='output file (default: RUN/test_predictions.csv)')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, test the checkpoints, print the scores."""
    args = make_parser().parse_args(argv)

    from mer_bench.evaluation.action_units import score_action_units  # takes seconds to import
    from mer_bench.evaluation.metrics import score_table
    from mer_bench.evaluation.predictions import read_predictions
    from mer_bench.evaluation.report import format_action_units, format_scores
    from mer_bench.runs.checkpoints import open_trained, predict_with_checkpoints

    with report(args.json) as show:
        experiment = open_trained(run_options(args), args.checkpoints, args.candidates)
        out = args.out or args.checkpoints / 'test_predictions.csv'
        predict_with_checkpoints(experiment, args.checkpoints, out)
        frame = read_predictions(out)
        scores = score_table(frame, list(experiment.method.cfg.classes))
        parts, units = [format_scores(scores)], {}
        if 'action_units' in frame:
            units = dict(action_units=score_action_units(frame))
            parts.append(format_action_units(**units))
        show('\n\n'.join(parts), scores | units | dict(predictions=out))
        print(out)
