"""Train folds of a record again, and compare their predictions with those beside it. Nothing in a record is executed.

A result is `identical`, `same labels` with the largest difference of a score, or `different`; what differs from the
record is listed. The exit code is 1 if a result is different, 2 if a record cannot be repeated here, else 0.

python tools/reproduce.py results/megc2019_flow/mer_megc2019_flow/ststnet/seed0 --folds 2
python tools/reproduce.py --all results/megc2019_flow --folds 1 --data-root data/megc2019_flow
"""

import sys
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, number_or_word, report
from mer_bench.errors import InputError


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add('record', metavar='RECORD', nargs='?', help='a record.json, or the folder of a run')
    add('--all', metavar='DIR', help='every record in a folder, in place of RECORD')
    text = 'how many folds, drawn at random, or all (default: 3)'
    add('--folds', type=number_or_word, default=3, metavar='K|all', help=text)
    add('--fold-seed', type=int, default=0, metavar='N', help='seed of the draw (default: 0)')
    text = 'folders of the prepared data, one for each data set of the record (default: data/DATASET)'
    add('--data-root', metavar='DIR', nargs='+', action='extend', default=[], help=text)
    add('--weights', metavar='FILE', help='the pretrained weights of the record (default: where the record says)')
    add('--work-dir', type=Path, metavar='DIR', help='keep the trained folds here (default: a temporary folder)')
    add('--jobs', type=int, metavar='N', help='folds at a time (default: as for train)')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Repeat a record or all records of a folder; return the exit code."""
    options = vars(make_parser().parse_args(argv))
    record, folder, as_json = (options.pop(name) for name in ('record', 'all', 'json'))
    if bool(record) == bool(folder):
        raise InputError('expected RECORD or --all DIR; give one of them')

    from mer_bench.runs.reproduce import DIFFERENT, reproduce  # takes seconds to import

    found, faults = [], []
    with report(as_json) as show:
        for path in records_in(folder) if folder else [record]:
            try:
                found.append(reproduce(path, **options))
            except InputError as error:
                if not folder:
                    raise
                faults.append(str(error))
                print(f'error: {error}', file=sys.stderr)
                continue
            if folder:
                print(found[-1], end='\n\n', flush=True)
        results = [each.result for each in found]
        if folder:
            counts = [f'{results.count(result)} {result}' for result in dict.fromkeys(results)]
            text = f'repeated: {len(found)} ({", ".join(counts) or "none"}); cannot be repeated: {len(faults)}'
            show(text, [each.to_dict() for each in found])
        else:
            show(found[0], found[0].to_dict())
    return 1 if DIFFERENT in results else 2 if faults else 0


def records_in(folder: str) -> list[Path]:
    """Return the records below a folder, by their paths."""
    paths = sorted(Path(folder).rglob('record.json'))
    if not paths:
        raise InputError(f'--all {folder}: expected a folder with records, found none; check the path')
    return paths
