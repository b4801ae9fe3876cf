"""The door to mer_bench/cli/sweep.py; see --help."""

from mer_bench.cli.main import door

if __name__ == '__main__':
    door('sweep')
