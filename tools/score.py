"""Score predictions: accuracy, UF1, UAR, macro precision, weighted F1, in full and per data set, with 95 % intervals.

Where the predictions hold action units, their F1 comes as well.

python tools/score.py work_dirs/mer_smic/full/seed0/predictions.csv
python tools/score.py published_log.txt --json
"""

import argparse
import json

from mer_bench.errors import InputError, run_tool
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.evaluation.report import format_action_units, format_scores


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'log', help='predictions.csv, or a MEGC log: "<database> <subject>", then "<clip> <true> <pred>"'
    )
    parser.add_argument('--json', action='store_true', help='print the scores as JSON and nothing else')
    parser.add_argument('--classes', nargs='+', help='all classes, where the predictions do not show each of them')
    args = parser.parse_args(argv)
    frame = read_predictions(args.log)
    classes = classes_of(frame)
    if args.classes:
        classes = given_classes(args.classes, type(classes[0]))
    table = score_table(frame, classes)
    units = score_action_units(frame) if 'action_units' in frame else None
    if args.json:
        print(json.dumps(table | ({'action_units': units} if units else {}), indent=2))
    else:
        print(format_scores(table))
        if units:
            print(f'\n{format_action_units(units)}')


def given_classes(names: list[str], kind: type) -> list:
    """Return the classes of the command line as the type that the labels have: int in a log, str in a csv."""
    try:
        return list(dict.fromkeys(kind(name) for name in names))
    except ValueError:
        raise InputError(
            f'expected whole numbers after --classes, as in the log, but got {" ".join(names)}; '
            'give for example --classes 0 1 2'
        ) from None


if __name__ == '__main__':
    run_tool(main)
