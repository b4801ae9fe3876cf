"""Make a leaderboard of finished runs: markdown, and the same rows unrounded in a csv beside it.

python tools/leaderboard.py work_dirs/mer_smic --out leaderboards/smic.md
"""

import argparse
from pathlib import Path

from mer_bench.errors import run_tool
from mer_bench.results.leaderboard import write_leaderboard


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', nargs='+', type=Path, help='record.json files, run folders or folders above them')
    parser.add_argument('--out', required=True, type=Path, help='the markdown file, e.g. leaderboards/smic.md')
    args = parser.parse_args(argv)
    print(write_leaderboard(args.results, args.out))
    print(f'written: {args.out} and {args.out.with_suffix(".csv")}')


if __name__ == '__main__':
    run_tool(main)
