"""The full model over every fold of a data set as large as SMIC, through the same functions as tools/train.py.

A run takes minutes on a GPU and a day on a CPU, so each number of parallel folds runs once, without an untimed round.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mmaction.registry import MODELS

from benchmarks.arguments import add_device, add_numbers
from benchmarks.machine import convolution_precision
from benchmarks.model_cost import count
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.experiment.method import load_method
from mer_bench.experiment.precision import choose_precision
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training.device import activate

HELP = 'every fold of the full model on a synthetic data set as large as SMIC'
CONFIG = Path(__file__).resolve().parents[1] / 'configs/mer_smic.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_store_arguments(parser, clips=164, folds=16, epochs=50, clip_len=16, size=112)
    parser.add_argument(
        '--override', nargs='+', type=Path, default=[], metavar='FILE', help='overrides, such as a reduced size'
    )
    parser.add_argument('--jobs', type=int, nargs='+', default=[1], help='parallel folds; each number runs once')
    add_numbers(parser, threads=(1, 1, 'CPU threads of a training'))
    add_device(parser)


def add_store_arguments(parser: argparse.ArgumentParser, **defaults: int) -> None:
    """Add options for the config, the size of the data set and the epochs."""
    parser.add_argument('--config', type=Path, default=CONFIG, metavar='FILE', help='default: configs/mer_smic.py')
    options = {
        'clips': (6, 'clips of the data set'),
        'folds': (2, 'subjects, each held out once'),
        'epochs': (1, 'epochs of each training'),
        'clip_len': (1, 'frames of a clip'),
        'size': (28, 'height and width in pixels'),
    }
    add_numbers(parser, **{name: (defaults[name], *rest) for name, rest in options.items()})


def peak_threads(args: argparse.Namespace) -> int:
    """Return the CPU threads of all simultaneous trainings."""
    return args.threads * max(args.jobs)


def measure(args: argparse.Namespace) -> dict:
    """Train and test every fold, once for each number of parallel folds.

    Returns:
        seconds {jobs_N: from opening the data to the scored record}; clips_per_second {jobs_N: trained clips over these
        seconds}; ratios of the first number of jobs over each other one; work {jobs_N: see :func:`count_work`};
        against: what each ratio compares.
    """
    if args.clips < 3 * args.folds:
        raise InputError(f'expected a clip of each of 3 classes for each of {args.folds} folds, got {args.clips} clips')
    if min(args.jobs) < 1 or len(set(args.jobs)) < len(args.jobs):
        raise InputError(f'expected different numbers of jobs of at least 1, got {args.jobs}; correct them')
    with TemporaryDirectory() as folder:
        data = write_random_store(Path(folder, 'data'), args.clips, args.folds, args.clip_len, args.size)
        seconds = {f'jobs_{n}': run_once(args, data, Path(folder, f'jobs_{n}'), n) for n in args.jobs}
        work = count_work(open_experiment(run_options(args, data, args.threads, args.device)), args.epochs)
    trained = args.clips * (args.folds - 1) * args.epochs
    first, *others = seconds
    return {
        'seconds': seconds,
        'clips_per_second': {name: trained / value for name, value in seconds.items()},
        'ratios': {name: dict.fromkeys(('median', 'min', 'max'), seconds[first] / seconds[name]) for name in others},
        'work': dict.fromkeys(seconds, work),
        'against': {name: f'{first.replace("_", " ")} over {name.replace("_", " ")}, one run each' for name in others},
    }


def run_options(args: argparse.Namespace, data: Path, threads: int, device: str = 'cpu') -> RunOptions:
    """Return the run options of a benchmark with config, override and epochs."""
    config, overrides = str(args.config), [*map(str, args.override)]
    other = load_method(config, overrides).cfg.train_cfg.max_epochs != args.epochs
    options = getattr(args, 'cfg_options', {}) | ({'train_cfg.max_epochs': args.epochs} if other else {})
    return RunOptions(config, overrides, options, [str(data)], device=device, threads=threads)


def run_once(args: argparse.Namespace, data: Path, work_dir: Path, jobs: int) -> float:
    """Return the seconds of a whole run, including the start of its processes."""
    start = time.perf_counter()
    experiment = open_experiment(run_options(args, data, args.threads, args.device))
    record = run_folds(experiment, RunSettings(0, work_dir, jobs))
    seconds = time.perf_counter() - start
    if not record['complete']:
        raise RuntimeError(f'folds are missing: {record["folds"]["missing"]}')
    return seconds


def count_work(experiment: Experiment, epochs: int) -> dict:
    """Return precision and flops of all folds: forward and backward per training clip, forward per test clip."""
    activate(experiment)
    cfg = experiment.method.cfg
    model = MODELS.build({key: value for key, value in cfg.model.items() if key != 'data_preprocessor'})
    cost = count(model, experiment.data.shape)
    clips = experiment.data.annotations['subject'].value_counts()
    trained = sum(len(experiment.data.annotations) - clips) * epochs
    precision = choose_precision(cfg, experiment.device)
    flops = int(trained * cost['flops_step'] + clips.sum() * cost['flops'])
    return {'flops': flops, 'precision': convolution_precision(precision, experiment.device)}
