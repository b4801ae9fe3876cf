"""The door to mer_bench/cli/compare.py; see --help."""

from mer_bench.cli.compare import main
from mer_bench.errors import run_tool

if __name__ == '__main__':
    run_tool(main)
