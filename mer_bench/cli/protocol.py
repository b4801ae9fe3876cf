"""Show a protocol on prepared data, before any training: classes, folds, official counts, excluded clips.

python tools/protocol.py megc2019_3class data/smic data/casme2 data/samm
python tools/protocol.py objective_5class data/casme2 data/samm --folds leave_one_dataset_out --out protocol
"""

import re
from pathlib import Path

import pandas as pd

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.datasets.table import load_annotations
from mer_bench.errors import InputError, visible
from mer_bench.files import write_atomically
from mer_bench.protocols.folds import make_folds, select_folds
from mer_bench.protocols.label_schemes import load_scheme, read_cells, scheme_names, select_clips
from mer_bench.protocols.official_counts import compare_counts
from mer_bench.protocols.report import LOST, count_classes, fold_sizes, format_lost, format_protocol, tested_in

REPORT_COLUMNS = ['subject', 'clip', 'kind', 'detail']


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add('scheme', help=f'a csv of rules, or one of {", ".join(scheme_names())}')
    add('data', nargs='+', type=Path, help='folders of prepared data, or annotations.csv files')
    text = 'loso, leave_one_dataset_out or group_kfold:K (default: %(default)s)'
    add('--folds', default='loso', metavar='RULE', help=text)
    add('--out', type=Path, metavar='DIR', help='write folds.csv, dropped.csv and differences.csv there')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Print a protocol on data, and write its tables where asked to."""
    args = make_parser().parse_args(argv)
    rule, scheme = read_rule_text(args.folds), load_scheme(args.scheme)
    kept, dropped = select_clips([(place, load_annotations(place)) for place in args.data], scheme)
    folds = select_folds(make_folds(kept, rule))
    tables = {'folds': tested_in(kept, folds), 'dropped': dropped, 'differences': compare_counts(kept, scheme)}
    written = write_tables(tables, args.out) if args.out else []  # first: a wrong --out ends it at once
    reports = read_reports(args.data)
    parts = [format_protocol(kept, dropped, scheme, folds, rule), format_lost(reports)]
    counts = count_classes(kept, scheme)
    found = dict(
        scheme=scheme.name,
        classes=scheme.classes,
        counts=[
            dict(
                dataset=name, clips=row['clips'], subjects=row['subjects'], classes=row[list(scheme.classes)].to_dict()
            )
            for name, row in counts.iterrows()
        ],
        differences=tables['differences'],
        fold_rule=rule,
        folds=fold_sizes(kept, folds),
        left_out=dropped[['sample_id', 'reason']],
        not_prepared=[
            dict(place=place, notes=notes[notes['kind'].isin(LOST)][REPORT_COLUMNS]) for place, notes in reports.items()
        ],
    )
    with report(args.json) as show:
        show('\n'.join(visible(line) for line in '\n\n'.join(filter(None, parts)).split('\n')), found)
        for path in written:
            print(f'written: {path}')


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each table as <name>.csv, and return the paths."""
    paths = [folder / f'{name}.csv' for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        with write_atomically(path) as temporary:
            table.to_csv(temporary, index=False, lineterminator='\n')
    return paths


def read_rule_text(text: str) -> str | dict:
    """Return the fold rule of the command line as configs have it."""
    kind, _, number = text.partition(':')
    if kind != 'group_kfold':
        return text
    if not re.fullmatch('[0-9]{1,9}', number):
        raise InputError(f'--folds {text}: expected the number of folds after group_kfold, as in group_kfold:10')
    return {'type': kind, 'n_splits': int(number)}


def read_reports(places: list[Path]) -> dict[str, pd.DataFrame]:
    """Return the report.csv of each folder that has one."""
    paths = {str(place): place / 'report.csv' for place in places}
    return {name: read_cells(path, REPORT_COLUMNS) for name, path in paths.items() if path.is_file()}
