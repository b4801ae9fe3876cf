"""Predict videos, or folders of frames, by a model of mer-bench fit, and say how sure it is.

A micro-expression is no lie detector: do not use this to judge or to monitor people.

mer-bench predict model clip.mp4 --onset 12 --apex 20 --offset 31 --video seen.mp4
mer-bench predict model clips.csv --out predictions.csv
"""

import sys
from dataclasses import replace
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_frames, add_json, add_model
from mer_bench.errors import InputError


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add_model(parser)
    add = parser.add_argument
    text = (
        'a video, a folder of frames with numbers in their names, or a CSV with the columns path, onset, apex, offset'
    )
    add('clips', metavar='CLIP', nargs='+', help=text)
    add_frames(parser)
    add('--out', type=Path, metavar='FILE', help='write the predictions to a .csv or .json file')
    add('--video', type=Path, metavar='FILE', help='show frames, flow and probabilities in a .mp4 or .avi video')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Predict, print, write; return 2 if some of several clips could not be predicted."""
    args = make_parser().parse_args(argv)

    from mer_bench.inference import annotate, report  # takes seconds to import
    from mer_bench.inference.model import Span, load_model

    if args.out:
        report.check_out(args.out)
    if args.video:
        annotate.check_video(args.video)
    numbers = args.onset, args.apex, args.offset
    spans = []
    for path in map(Path, args.clips):
        spans += report.read_spans(path) if path.suffix.lower() == '.csv' else [Span(path, *numbers)]
    if any(number is not None for number in numbers) and (len(spans) > 1 or spans[0][1:] != numbers):
        raise InputError('--onset, --apex and --offset are of one clip; give several clips as a CSV with these columns')
    model, predictions = load_model(args.model, args.raft_weights), []
    for span in spans:
        try:
            found = model.predict(span)
            predictions += found if args.video else [replace(each, clip=None) for each in found]  # nor its pictures
        except InputError as error:
            if len(spans) == 1:
                raise
            print(f'error: {error}', file=sys.stderr)
    if not predictions:
        return 2
    print(report.as_json(predictions) if args.json else report.as_table(predictions))
    if args.out:
        report.write(predictions, args.out)
    if args.video:
        annotate.write_video(args.video, predictions)
    for path in filter(None, (args.out, args.video)) if not args.json else ():
        print(f'written: {path}')
    return 2 if len(predictions) < len(spans) else 0
