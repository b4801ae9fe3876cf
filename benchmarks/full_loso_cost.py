"""The full model over every fold of a data set as large as SMIC, through the same functions as tools/train.py.

A run takes minutes on a GPU and a day on a CPU, so each number of folds at a time runs once, without an untimed round.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mmaction.registry import MODELS
from rich.table import Table

from benchmarks.bounds import refuse_below
from benchmarks.model_cost import convolves_in, count
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.experiment.method import load_method
from mer_bench.experiment.precision import choose_precision
from mer_bench.runs.run import run_folds

HELP = 'every fold of the full model on a synthetic data set as large as SMIC'
CONFIG = Path(__file__).resolve().parents[1] / 'configs/mer_smic.py'
SMALLEST = {'clips': 6, 'folds': 2, 'epochs': 1, 'clip_len': 1, 'size': 28, 'threads': 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--config', type=Path, default=CONFIG, metavar='FILE', help='(default: configs/mer_smic.py)')
    add('--override', nargs='+', default=[], metavar='FILE', help='merged onto the config, such as a reduced size')
    add('--clips', type=int, default=164, help='clips of the data set (default: %(default)s)')
    add('--folds', type=int, default=16, help='subjects, each held out once (default: %(default)s)')
    add('--epochs', type=int, default=50, help='of each training (default: %(default)s)')
    add('--clip-len', type=int, default=16, help='frames of a clip (default: %(default)s)')
    add('--size', type=int, default=112, help='height and width in pixels (default: %(default)s)')
    add('--jobs', type=int, nargs='+', default=[1], help='folds at a time; each of several numbers runs once')
    add('--threads', type=int, default=1, help='CPU threads of a training (default: %(default)s)')
    add('--device', default='cpu', help='cpu, cuda or cuda:N (default: %(default)s)')


def peak_threads(args: argparse.Namespace) -> int:
    """CPU threads of all trainings that run at a time."""
    return args.threads * max(args.jobs)


def measure(args: argparse.Namespace) -> dict:
    """Train and test every fold, once for each number of folds at a time.

    Returns:
        settings, with the batch size and the precision of the config; seconds {jobs_N: from opening the data to
        the scored record}; least_seconds of them; clips_per_second {jobs_N: clips trained, over all these seconds};
        ratios of the first number of jobs over each other one; work {jobs_N: flops of all trained clips and of the
        tested ones, precision};
        against: what each ratio compares.
    """
    check(args)
    with TemporaryDirectory() as folder:
        data = write_random_store(Path(folder, 'data'), args.clips, args.folds, args.clip_len, args.size)
        seconds = {f'jobs_{n}': run_once(args, data, Path(folder, f'jobs_{n}'), n) for n in args.jobs}
        experiment = open_experiment(training_arguments(args, data, args.threads, args.device))
        work = count_work(experiment, args.epochs)
    names = ('clips', 'folds', 'epochs', 'clip_len', 'size', 'jobs', 'threads', 'device')
    trained = args.clips * (args.folds - 1) * args.epochs
    first, *others = seconds
    settings = {name: getattr(args, name) for name in names} | {'override': [Path(path).stem for path in args.override]}
    return {
        'settings': settings
        | {'batch': experiment.method.cfg.train_dataloader.batch_size, 'precision': work['precision']},
        'seconds': seconds,
        'least_seconds': min(seconds.values()),
        'clips_per_second': {name: trained / value for name, value in seconds.items()},
        'ratios': {name: dict.fromkeys(('median', 'min', 'max'), seconds[first] / seconds[name]) for name in others},
        'work': dict.fromkeys(seconds, work),
        'against': {name: f'{first.replace("_", " ")} over {name.replace("_", " ")}, one run each' for name in others},
    }


def check(args: argparse.Namespace) -> None:
    """Refuse settings that train nothing."""
    refuse_below(args, SMALLEST)
    if args.clips < 3 * args.folds:
        raise InputError(f'expected a clip of each of 3 classes for each of {args.folds} folds, got {args.clips} clips')
    if min(args.jobs) < 1 or len(set(args.jobs)) < len(args.jobs):
        raise InputError(f'expected different numbers of jobs of at least 1, got {args.jobs}; correct them')


def training_arguments(args: argparse.Namespace, data: Path, threads: int, device: str = 'cpu') -> RunOptions:
    """What a benchmark with config, override and epochs trains."""
    config, overrides = str(args.config), [*map(str, args.override or ())]
    other = load_method(config, overrides).cfg.train_cfg.max_epochs != args.epochs
    options = {'train_cfg.max_epochs': args.epochs} if other else {}
    return RunOptions(config, overrides, options, [str(data)], device=device, threads=threads)


def run_once(args: argparse.Namespace, data: Path, work_dir: Path, jobs: int) -> float:
    """Return the seconds of a whole run, its processes started anew."""
    start = time.perf_counter()
    experiment = open_experiment(training_arguments(args, data, args.threads, args.device))
    record = run_folds(experiment, 0, work_dir, jobs)
    seconds = time.perf_counter() - start
    if not record['complete']:
        raise RuntimeError(f'folds are missing: {record["folds"]["missing"]}')
    return seconds


def count_work(experiment: Experiment, epochs: int) -> dict:
    """FLOPs of all folds together: forward and backward of each training clip, forward of each tested one."""
    cfg = experiment.method.cfg
    model = MODELS.build({key: value for key, value in cfg.model.items() if key != 'data_preprocessor'})
    cost = count(model, experiment.data.shape)
    clips = experiment.data.annotations['subject'].value_counts()
    trained = sum(len(experiment.data.annotations) - clips) * epochs
    return {
        'flops': int(trained * cost['flops_step'] + clips.sum() * cost['flops']),
        'precision': convolves_in(choose_precision(cfg, experiment.device), experiment.device),
    }


def table(result: dict) -> Table:
    """The result of :func:`measure` for the screen."""
    title = '{clips} clips of 3x{clip_len}x{size}x{size}, {folds} folds, {epochs} epochs, batch {batch}, {device}'
    shown = Table('folds at a time', title=title.format(**result['settings']))
    for column in ('seconds', 'clips/s'):
        shown.add_column(column, justify='right')
    for name, seconds in result['seconds'].items():
        shown.add_row(name.partition('_')[2], f'{seconds:.1f}', f'{result["clips_per_second"][name]:.1f}')
    return shown
