"""Folds over workers as a local sweep runs them: N workers with one thread each, against one worker with N threads.

Both run in turns on one synthetic store, through MMEngine's Runner, in processes that stay from one round to the next.
At the end one of several workers is killed, and what comes of the folds is compared with a run without that.
"""

import argparse
import os
import signal
import time
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread

from rich.table import Table

from benchmarks.bounds import refuse_below
from benchmarks.formats import format_seconds, format_value, plural
from benchmarks.full_loso_cost import CONFIG, count_work, training_arguments
from benchmarks.random_store import write_random_store
from mer_bench.experiment.experiment import open_experiment
from mer_bench.processes import worker_ids
from mer_bench.runs.run import run_folds
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'folds over two workers, against one worker with two threads'
REDUCED = CONFIG.parent / 'reduced/quarter_width.py'
SMALLEST = {'clips': 6, 'folds': 2, 'epochs': 1, 'clip_len': 1, 'size': 28, 'workers': 2, 'rounds': 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--config', type=Path, default=CONFIG, metavar='FILE', help='(default: configs/mer_smic.py)')
    add(
        '--override',
        nargs='*',
        default=[REDUCED],
        metavar='FILE',
        help='merged onto the config (default: configs/reduced/quarter_width.py)',
    )
    add('--clips', type=int, default=96, help='clips of the data set (default: %(default)s)')
    add('--folds', type=int, default=32, help='subjects, each held out once (default: %(default)s)')
    add('--epochs', type=int, default=1, help='of each training (default: %(default)s)')
    add('--clip-len', type=int, default=8, help='frames of a clip (default: %(default)s)')
    add('--size', type=int, default=56, help='height and width in pixels (default: %(default)s)')
    add('--workers', type=int, default=2, help='and threads of the single worker (default: %(default)s)')
    add('--rounds', type=int, default=3, help='timed runs of both (default: %(default)s)')


def peak_threads(args: argparse.Namespace) -> int:
    """CPU threads of either way."""
    return args.workers


def measure(args: argparse.Namespace) -> dict:
    """Train and test all folds in both ways.

    Returns:
        settings; seconds {workers, threads: median of a run of all folds}; ratios of `workers`: one worker with as many
        threads over them {median, min, max over the rounds}; killed_worker, see :func:`kill_a_worker`;
        work {workers, threads: flops, precision}; against: what the ratio compares.
    """
    refuse_below(args, SMALLEST)
    with TemporaryDirectory() as folder:
        data = write_random_store(Path(folder, 'data'), args.clips, args.folds, args.clip_len, args.size)
        runs = count()

        def run(workers: int, threads: int) -> None:
            run_all(args, data, Path(folder, f'run{next(runs)}'), workers, threads)

        ways = {'threads': lambda: run(1, args.workers), 'workers': lambda: run(args.workers, 1)}
        seconds = interleave(ways, args.rounds)
        undisturbed = Path(folder, f'run{next(runs) - 1}')  # the last of several workers
        killed = kill_a_worker(args, data, Path(folder, 'killed'), undisturbed)
        experiment = open_experiment(training_arguments(args, data, 1))
        work = count_work(experiment, args.epochs)
    names = ('clips', 'folds', 'epochs', 'clip_len', 'size', 'workers', 'rounds')
    number = plural(args.workers, 'thread')
    return {
        'settings': {name: getattr(args, name) for name in names}
        | {'override': [Path(path).stem for path in args.override], 'precision': work['precision']},
        'seconds': {name: median(times) for name, times in seconds.items()},
        'ratios': {'workers': pair_ratios(seconds['threads'], seconds['workers'])},
        'killed_worker': killed,
        'work': dict.fromkeys(seconds, work),
        'against': {'workers': f'one worker with {number}, over {args.workers} workers with one thread each'},
    }


def run_all(args: argparse.Namespace, data: Path, work_dir: Path, workers: int, threads: int) -> None:
    """Run all folds in other processes, as a sweep does."""
    experiment = open_experiment(training_arguments(args, data, threads))
    record = run_folds(experiment, 0, work_dir, workers, stack='off', isolated=True)
    if not record['complete']:
        raise RuntimeError(f'folds are missing: {record["folds"]["missing"]}')


def kill_a_worker(args: argparse.Namespace, data: Path, work_dir: Path, undisturbed: Path) -> dict:
    """Run all folds with several workers, and kill one as soon as a fold is finished.

    Returns:
        folds_lost; predictions_equal: whether they are those of an undisturbed run, byte by byte.
    """

    def kill() -> None:
        while not [*work_dir.glob('folds/[!.]*')]:
            time.sleep(0.01)
        os.kill(worker_ids(threads=1)[0], signal.SIGKILL)

    killer = Thread(target=kill, daemon=True)
    killer.start()
    run_all(args, data, work_dir, args.workers, 1)
    killer.join()
    finished = len([*work_dir.glob('folds/[!.]*/fold.json')])
    tables = [(run / 'predictions.csv').read_bytes() for run in (work_dir, undisturbed)]
    return {'folds_lost': args.folds - finished, 'predictions_equal': tables[0] == tables[1]}


def table(result: dict) -> Table:
    """The result of :func:`measure` for the screen."""
    settings, seconds = result['settings'], result['seconds']
    title = '{folds} folds of {clips} clips of 3x{clip_len}x{size}x{size}, {epochs} epoch(s), {rounds} rounds in turns'
    shown = Table('all folds', title=title.format(**settings))
    for column in ('median', 'ratio'):
        shown.add_column(column, justify='right')
    number = settings['workers']
    shown.add_row(f'1 worker with {plural(number, "thread")}', format_seconds(seconds['threads']), '')
    ratio = format_value(result['ratios']['workers'], 'x')
    shown.add_row(f'{plural(number, "worker")} with 1 thread', format_seconds(seconds['workers']), ratio)
    killed = result['killed_worker']
    same = 'the same' if killed['predictions_equal'] else 'OTHER'
    shown.add_row('a worker killed in between', f'{plural(killed["folds_lost"], "fold")} lost', f'{same} predictions')
    return shown
