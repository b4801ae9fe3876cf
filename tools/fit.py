"""Run `mer-bench fit` from a clone; see --help."""

from mer_bench.cli.main import door

if __name__ == '__main__':
    door('fit')
