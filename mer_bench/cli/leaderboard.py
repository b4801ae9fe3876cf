"""Rank finished runs in leaderboards: pages in markdown, rows as csv, tables for LaTeX, or one web page.

python tools/leaderboard.py work_dirs/mer_smic --out my_tables/smic.md   # one page of these runs
python tools/leaderboard.py work_dirs/mer_smic --out my_tables/smic.md --compare majority   # all against one method
python tools/leaderboard.py work_dirs/mer_smic --html site               # site/index.html: charts, sort, filter
python tools/leaderboard.py work_dirs/mer_smic --tidy my_tables/smic.csv # every answer, for pandas and R
python tools/leaderboard.py --collect work_dirs --into results/NAME      # submit finished runs
python tools/leaderboard.py                                              # results/ -> leaderboards/, page by page
python tools/leaderboard.py --check                                      # compare results/ with leaderboards/
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.errors import InputError
from mer_bench.html.leaderboard import write_site
from mer_bench.results.check import check_results
from mer_bench.results.collect import collect
from mer_bench.results.leaderboard import write_leaderboard, write_tidy
from mer_bench.results.pages import write_pages
from mer_bench.results.published import clone


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with report(args.json) as show:
        if args.collect:
            collected = collect(args.collect, args.into, args.with_predictions)
            for run in collected.left_out:
                print(f'left out because it is unfinished: {run}', file=sys.stderr)
            show('\n'.join(map(str, collected.folders)), vars(collected))
            return 0
        if args.out:
            text = write_leaderboard(args.results, args.out, args.compare)
            show(text, args.json and dict(rows=rows_of(args.out)))
            print(f'written: {args.out}, {args.out.with_suffix(".csv")} and {args.out.with_suffix(".tex")}')
            return 0
        if args.tidy:
            rows = write_tidy(args.results or places(args)[0], args.tidy)
            show(f'written: {args.tidy}, {rows} rows', dict(written=args.tidy, rows=rows))
            return 0
        results, folder = places(args)
        if args.html:
            page = write_site(results, args.html, args.compare)
            show(str(page), dict(written=page))
            return 0
        if not args.check:
            paths = write_pages(results, folder, args.compare)
            show('\n'.join(map(str, paths)), args.json and [dict(page=p.stem, rows=rows_of(p)) for p in paths])
            return 0
        faults = check_results(results, folder)
        for fault in faults:
            print(f'error: {fault}', file=sys.stderr)
        fine = f'{folder}: the tables agree with the records, and the records with their predictions'
        show(f'{len(faults)} fault{"s" * (len(faults) > 1)}' if faults else fine, dict(faults=faults))
        return 1 if faults else 0


def rows_of(page: Path) -> pd.DataFrame:
    """Return the rows of a page that was written, from the csv beside it; none of a page without one."""
    path = page.with_suffix('.csv')
    return (
        pd.read_csv(path, float_precision='round_trip', dtype=dict(seed_list=str)) if path.exists() else pd.DataFrame()
    )


def places(args: argparse.Namespace) -> tuple[list[Path], Path]:
    """Return where the results are and where their pages go: by default those of the clone of the repository."""
    root = clone()
    folder = args.out_dir or args.html
    if root is None and not (args.results and folder):
        raise InputError(
            'expected runs and --out-dir DIR, since there is no clone of the repository with results/ and '
            'leaderboards/ here; give both, as in RUNS --out-dir my_tables'
        )
    return args.results or [root / 'results'], folder or root / 'leaderboards'


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add, text = parser.add_argument, 'record.json files, run folders or folders above them (default: results/)'
    add('results', nargs='*', type=Path, help=text)
    where = parser.add_mutually_exclusive_group().add_argument
    where('--out', type=Path, metavar='FILE.md', help='one page, e.g. my_tables/smic.md')
    where('--out-dir', type=Path, metavar='DIR', help='a page per protocol (default: leaderboards/)')
    where('--html', type=Path, metavar='SITE', help='SITE/index.html: one page that opens without a server')
    text = 'one row per method, seed and clip with its scores, as csv or Parquet, for pandas and R'
    where('--tidy', type=Path, metavar='FILE', help=text)
    add('--check', action='store_true', help='write nothing; list all differences and exit with code 1')
    add('--compare', metavar='METHOD', help='compare every method with this one (p: Holm)')
    add('--collect', nargs='+', type=Path, metavar='RUNS', help='copy finished runs to --into')
    add('--into', type=Path, metavar='DIR', help='with --collect: the folder below results/')
    text = 'with --collect: also runs on real data, whose predictions hold names and labels of licensed clips'
    add('--with-predictions', action='store_true', help=text)
    add_json(parser)
    return parser


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line and refuse what does not go together."""
    args = make_parser().parse_args(argv)
    if bool(args.collect) != bool(args.into):
        raise InputError('--collect RUNS and --into DIR go together; give both')
    if args.with_predictions and not args.collect:
        raise InputError('--with-predictions expects --collect RUNS; add it or leave --with-predictions out')
    out = args.out or args.out_dir or args.html or args.tidy
    if args.collect and (args.check or out or args.results or args.compare):
        raise InputError(
            '--collect RUNS goes with --into DIR alone; leave --check, --out, --out-dir, --html, --tidy, --compare and '
            'other runs out'
        )
    if args.tidy and (args.check or args.compare):
        raise InputError('--tidy FILE goes with runs alone; leave --check and --compare METHOD out')
    if args.out and (args.check or not args.results):
        raise InputError('--out FILE.md expects the runs of the page and no --check; add them or leave one out')
    if args.html and args.check:
        raise InputError('--check compares tables, not the page of --html SITE; leave one of them out')
    if args.compare and not args.results:
        raise InputError('--compare METHOD expects runs and --out FILE.md, --out-dir DIR or --html SITE; add them')
    if args.compare and args.check:
        raise InputError('--check and --compare METHOD exclude each other; leave one of them out')
    if args.results and not out:
        raise InputError(
            'expected --out FILE.md for one page, --out-dir DIR for a page per protocol, --html SITE for a web page or '
            '--tidy FILE; add one of them'
        )
    return args
