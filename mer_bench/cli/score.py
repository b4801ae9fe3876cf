"""Score predictions: accuracy, UF1, UAR, macro precision, weighted F1, in full and per data set, with 95 % intervals.

F1 of action units is added if the predictions contain them, and calibration if they have scores of the classes: that of
the scores as they are and, of a run with --select inner, after temperature scaling. These formats are read:

- a csv (comma, semicolon or tab) with sample_id (<dataset>/<subject>/<clip>) or subject, and y_true and y_pred
- a MEGC log: "<database> <subject>", then "<clip> <true> <pred>" for each clip
- a log with lists per subject: "Subject: sub01", "Predicted : [0, 1]", "Ground Truth : [0, 0]"
- {'sub01': {'pred': [0, 1], 'truth': [0, 0]}}, as JSON or a Python literal, also nested in {'casme2': ...}

Whole numbers compare as numbers (0.0 equals 0), names letter by letter.

python tools/score.py work_dirs/mer_smic/ststnet/seed0
python tools/score.py published_log.txt --json
python tools/score.py published_log.txt --classes negative positive surprise --record DIR --method NAME --url URL \\
    --dataset megc2019 --protocol 'LOSO, megc2019_3class'   # a re-scored row for tools/leaderboard.py
"""

import argparse

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.errors import InputError
from mer_bench.evaluation.calibration import calibration
from mer_bench.evaluation.metrics import score
from mer_bench.evaluation.predictions import classes_of, load_predictions
from mer_bench.evaluation.report import format_action_units, format_calibration, format_scores
from mer_bench.results.record import record_of, temperatures_of
from mer_bench.results.rescored import write_rescored

OF_A_RECORD = ('method', 'dataset', 'protocol', 'url', 'epoch_rule')


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('log', help='a run folder, its predictions.csv, or a file in one of these formats')
    add_json(parser)
    parser.add_argument('--classes', nargs='+', default=(), help='all classes, if some never occur in the predictions')
    record = parser.add_argument_group(
        'a record of published predictions, for the leaderboard (--epoch-rule is optional)'
    )
    record.add_argument('--record', metavar='DIR', help='write record.json and predictions.csv into this folder')
    record.add_argument('--method', help='its name in tables')
    record.add_argument('--dataset', help='the data set, as configs name it')
    record.add_argument('--protocol', help="folds and label scheme: 'LOSO, megc2019_3class'")
    record.add_argument('--url', help='where the predictions were published')
    record.add_argument('--epoch-rule', help='how their authors chose the epoch (default: not stated)')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Print the scores of predictions, or write the record of published ones."""
    args = make_parser().parse_args(argv)
    if args.record:
        write_record(args)
        return
    refuse_without_record(args)
    record = record_of(args.log) or {}
    table = score(args.log, args.classes)
    frame = load_predictions(args.log)
    if found := calibration(frame, classes_of(frame, args.log, args.classes), temperatures_of(record)):
        table['calibration'] = found
    with report(args.json) as show:
        show(as_text(**table), table)


def as_text(action_units: dict | None = None, calibration: dict | None = None, **scores: dict) -> str:
    """Return scores as text, part by part."""
    parts = [format_scores(scores)]
    parts += [format_action_units(action_units)] if action_units else []
    parts += [format_calibration(calibration)] if calibration else []
    return '\n\n'.join(parts)


def write_record(args: argparse.Namespace) -> None:
    """Write the record of published predictions; `--classes` names the labels of the log in their order."""
    missing = [f'--{name}' for name in ('method', 'dataset', 'protocol', 'url', 'classes') if not getattr(args, name)]
    if missing:
        raise InputError(f'--record expects {" and ".join(missing)} as well; add what is missing')
    if args.json:
        raise InputError('--json prints scores and --record writes a record; leave one out')
    known = {name: getattr(args, name) for name in ('method', 'dataset', 'protocol', 'url', 'classes')}
    known['epoch_rule'] = args.epoch_rule or 'not stated'
    print(format_scores(write_rescored(args.log, args.record, **known)['scores']))
    print(f'{args.record}/record.json, {args.record}/predictions.csv')


def refuse_without_record(args: argparse.Namespace) -> None:
    """Refuse what only a record holds."""
    surplus = [f'--{name.replace("_", "-")}' for name in OF_A_RECORD if getattr(args, name)]
    if surplus:
        raise InputError(f'{" and ".join(surplus)} go with --record DIR only; add it or leave them out')
