"""Folds over workers as a local sweep runs them: N workers with one thread each, against one worker with N threads.

Both run in turns on one synthetic store, through MMEngine's Runner, in processes that persist between rounds.
"""

import argparse
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import add_numbers
from benchmarks.full_loso_cost import CONFIG, add_store_arguments, count_work, run_options
from benchmarks.random_store import write_random_store
from mer_bench.experiment.experiment import open_experiment
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'folds over two workers, against one worker with two threads'
REDUCED = CONFIG.parent / 'reduced/quarter_width.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_store_arguments(parser, clips=48, folds=32, epochs=1, clip_len=8, size=56)
    words = 'merged onto the config (default: configs/reduced/quarter_width.py)'
    parser.add_argument('--override', nargs='*', type=Path, default=[REDUCED], metavar='FILE', help=words)
    add_numbers(
        parser, workers=(2, 2, 'workers, and threads of the single worker'), rounds=(2, 1, 'timed runs of both')
    )


def peak_threads(args: argparse.Namespace) -> int:
    """Return the CPU threads of both ways."""
    return args.workers


def measure(args: argparse.Namespace) -> dict:
    """Train and test all folds in both ways.

    Returns:
        seconds {workers, threads: median of a run of all folds}; ratios of `workers`: one worker with as many threads
        over them {median, min, max over the rounds}; work {workers, threads: flops, precision}; against: what the ratio
        compares.
    """
    with TemporaryDirectory() as folder:
        data = write_random_store(Path(folder, 'data'), args.clips, args.folds, args.clip_len, args.size)
        runs = count()

        def run(workers: int, threads: int) -> None:
            run_all(args, data, Path(folder, f'run{next(runs)}'), workers, threads)

        ways = {'threads': lambda: run(1, args.workers), 'workers': lambda: run(args.workers, 1)}
        seconds = interleave(ways, args.rounds)
        work = count_work(open_experiment(run_options(args, data, 1)), args.epochs)
    return {
        'seconds': {name: median(times) for name, times in seconds.items()},
        'ratios': {'workers': pair_ratios(seconds['threads'], seconds['workers'])},
        'work': dict.fromkeys(seconds, work),
        'against': {
            'workers': f'one worker with {args.workers} threads, over {args.workers} workers with one thread each'
        },
    }


def run_all(args: argparse.Namespace, data: Path, work_dir: Path, workers: int, threads: int) -> None:
    """Run all folds in separate processes, as a sweep does."""
    experiment = open_experiment(run_options(args, data, threads))
    record = run_folds(experiment, RunSettings(0, work_dir, workers, stack='off', isolated=True))
    if not record['complete']:
        raise RuntimeError(f'folds are missing: {record["folds"]["missing"]}')
