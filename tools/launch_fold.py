"""Train one fold once more, over several processes with a GPU each, through MMEngine's launcher.

torchrun --nproc_per_node=4 tools/launch_fold.py work_dirs/mer_smic/METHOD/seed0/folds/smic_s01/config.py --out DIR
"""

import argparse
import os
from pathlib import Path

from mer_bench.errors import run_tool


def main(argv: list[str] | None = None) -> None:
    """Train and test; the first process writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, metavar='CONFIG', help='config.py of a fold, as train.py leaves it')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='predictions.csv, train.log, config.py')
    parser.add_argument('--device', default='auto', help='auto (default), cpu or cuda; the GPU of a process is its own')
    args = parser.parse_args(argv)

    from mer_bench.training.launched_fold import launch

    launch(args.config, args.out, args.device)
    if os.environ.get('RANK') == '0':
        print(f'{args.out}/predictions.csv')


if __name__ == '__main__':
    run_tool(main)
