"""STSTNet over the folds of a data set as large as the MEGC2019 composite, against a plain PyTorch loop.

Everything runs in turns on the same folds, which are spread over the 68. Our seconds are those of training and of
testing the held-out subject once; what is done once for many folds, such as opening the data, is left out.
"""

import argparse
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import torch
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bounds import refuse_below
from benchmarks.machine_peak import finish
from benchmarks.model_cost import convolves_in
from benchmarks.public_loop import train_publicly
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.training.fold import folder_in_work, run_network
from mer_bench.training.stacking.data import StackedFolds, open_folds
from mer_bench.training.stacking.group import test_fold
from mer_bench.training.stacking.strategy import ON_CPU
from mer_bench.training.stacking.ststnet import train as train_compiled
from mer_bench.training.stacking.ststnet import why_not as why_not_compiled
from mer_bench.training.stacking.timing import interleave, pair_ratios
from mer_bench.training.stacking.train import build_network, train_folds, training_epochs

HELP = 'STSTNet over 68 folds, against a plain PyTorch loop'
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
# clips of each subject of CASME II, SMIC and SAMM in the composite (See et al., FG 2019)
SIZES = [
    *(11, 8, 4, 4, 20, 3, 6, 10, 3, 5, 4, 3, 1, 4, 2, 5, 1, 1, 9, 3, 3, 1, 4, 5, 3, 8, 1, 1),
    *(6, 6, 39, 19, 2, 4, 13, 4, 7, 9, 10, 10, 4, 7, 2, 22),
    *(3, 9, 5, 2, 6, 4, 5, 1, 10, 4, 11, 2, 3, 3, 3, 31, 11, 2, 1, 2, 8, 3, 5, 11),
]
PLAIN = 'a plain PyTorch loop (DataLoader, test of the held-out subject after every epoch)'
WORDS = {
    'plain': f'{PLAIN} on all cores',
    'plain_1_thread': f'{PLAIN} on one thread',
    'runner': "MMEngine's Runner (--stack off) on one thread, four folds from config to predictions",
    'sequential': 'lean training, one fold after another (--stack 1), on one thread',
    'stacked': 'folds stacked (--stack N), on one thread',
    'compiled': 'the compiled kernel on one thread',
    'sequential_all_cores': 'lean training in one process a core',
    'compiled_all_cores': 'the compiled kernel in one process a core',
}
SMALLEST = {'folds': 2, 'epochs': 1, 'rounds': 1}


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        folds: Folds of the 68.
        epochs: Of each training.
        rounds: Timed runs of each alternative, in turns.
        device: `cpu`, `cuda` or `cuda:N`.
        stack: Folds of a stack; 0: 8 on a CPU, all on a GPU.
    """

    folds: int = 68
    epochs: int = 2
    rounds: int = 3
    device: str = 'cpu'
    stack: int = 0

    def __post_init__(self) -> None:
        refuse_below(self, SMALLEST)
        if self.folds > len(SIZES):
            raise InputError(f'expected at most {len(SIZES)} folds, got {self.folds}; lower --folds')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--folds', type=int, default=68, help=f'of the {len(SIZES)}, evenly taken (default: %(default)s)')
    add('--epochs', type=int, default=2, help='of each training (default: %(default)s)')
    add('--rounds', type=int, default=3, help='timed runs of each alternative (default: %(default)s)')
    add('--stack', type=int, default=0, metavar='N', help=f'folds of a stack (default: {ON_CPU}, on a GPU all)')
    add('--device', default='cpu', help='cpu, cuda or cuda:N (default: %(default)s)')


def peak_threads(args: argparse.Namespace) -> int:
    """CPU threads that the fastest alternative has."""
    return 1


def measure(args: argparse.Namespace) -> dict:
    """Time folds, see :func:`compare`."""
    return compare(Settings(**{name: getattr(args, name) for name in ('folds', 'epochs', 'rounds', 'device', 'stack')}))


def compare(settings: Settings) -> dict:
    """Cost of an epoch of a fold of STSTNet on 442 clips.

    Returns:
        settings; seconds of an epoch of a fold {alternative: median}; ratios {median, min, max over the rounds} of the
        plain loop over each of ours, and on a GPU of sequential over stacked; work {alternative: flops, precision} of
        an epoch of a fold; against: what each ratio compares; missing {alternative: why it was not measured}.
    """
    threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        root = write_random_store(Path(folder, 'smic'), sum(SIZES), len(SIZES), 1, 28, SIZES)
        task = Task(str(root), settings)
        timed, missing = alternatives(task, Path(folder))
        runs = interleave(timed, settings.rounds)
        work = count_work(task)
    torch.set_num_threads(threads)
    counts = dict.fromkeys(timed, settings.folds * settings.epochs) | {'runner': task.runner_folds * settings.epochs}
    seconds = {name: [value / counts[name] for value in values] for name, values in runs.items()}
    pairs = {name: ('plain', name) for name in timed if not name.startswith('plain')}
    pairs |= {f'{name}_over_1_thread': ('plain_1_thread', name) for name in ('sequential', 'stacked', 'compiled')}
    pairs |= {'stacked_over_sequential': ('sequential', 'stacked')}
    pairs = {key: pair for key, pair in pairs.items() if {*pair} <= {*timed}}
    return {
        'settings': asdict(settings) | {'stack': task.stack, 'cores': joblib.cpu_count()},
        'seconds': {name: median(values) for name, values in seconds.items()},
        'ratios': {key: pair_ratios(*(seconds[name] for name in pair)) for key, pair in pairs.items()},
        'work': {name: work for name in ('sequential', 'stacked', 'compiled') if name in timed},
        'against': {key: ', over '.join(WORDS[name] for name in pair) for key, pair in pairs.items()},
        'missing': missing,
    }


@dataclass(frozen=True)
class Task:
    """What a process needs to train folds.

    Attributes:
        root: Folder of the prepared data.
        settings: What is timed.
    """

    root: str
    settings: Settings

    @property
    def stack(self) -> int:
        """Folds of a stack."""
        return self.settings.stack or (ON_CPU if self.settings.device == 'cpu' else self.settings.folds)

    @property
    def runner_folds(self) -> int:
        """Folds of MMEngine's Runner, which is there for information: building it takes as long as some epochs."""
        return min(self.settings.folds, 4)


@dataclass(frozen=True)
class Opened:
    """What is done once for many folds."""

    experiment: Experiment
    folds: StackedFolds
    clips: torch.Tensor


@lru_cache(maxsize=1)
def opened(task: Task) -> Opened:
    """Open the data and the folds, once in each process."""
    config, override = CONFIGS / 'mer_smic.py', CONFIGS / 'baselines/ststnet.py'
    epochs, device = {'train_cfg.max_epochs': task.settings.epochs}, task.settings.device
    experiment = open_experiment(RunOptions(str(config), [str(override)], epochs, [task.root], device=device))
    places = np.linspace(0, len(SIZES) - 1, task.settings.folds).round().astype(int)
    run = Path(task.root).parent / f'run{os.getpid()}'
    stack = open_folds(experiment, [experiment.folds[i] for i in places], 0, run, run / 'scratch')
    for fold in stack.folds:
        folder_in_work(run, fold).mkdir(parents=True)
    return Opened(experiment, stack, stack.clips.inputs.cpu()[:, :, 0])


def alternatives(task: Task, folder: Path) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Return what is timed, by name, and why the others are not."""
    all_cores, folds = joblib.cpu_count(), task.settings.folds
    timed = {
        'plain': partial(run_plainly, task, torch.get_num_threads()),
        'plain_1_thread': partial(run_plainly, task, 1),
        'runner': partial(run_with_runner, task, folder),
        'sequential': partial(run_stacks, task, 'sequential', 0, folds),
        'stacked': partial(run_stacks, task, 'stacked', 0, folds),
    }
    missing = {}
    if task.settings.device != 'cpu':
        return {name: run for name, run in timed.items() if name != 'plain_1_thread'}, missing
    stack = opened(task).folds
    if why := why_not_compiled(opened(task).experiment, stack.runner.model):
        missing['compiled'] = why
    else:
        timed['compiled'] = partial(run_stacks, task, 'compiled', 0, folds)
    if all_cores > 1:
        for way in {'sequential', 'compiled'} & {*timed}:
            timed[f'{way}_all_cores'] = partial(run_on_all_cores, task, way, all_cores)
    return timed, missing


@contextmanager
def threads(count: int):
    """Compute with so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def any_algorithm():
    """Compute as PyTorch does by itself; our trainings on a CPU ask for the same bits each time."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def run_plainly(task: Task, count: int) -> None:
    """Train every fold in the plain loop."""
    stack, clips = opened(task).folds, opened(task).clips
    labels = stack.clips.labels.cpu()
    with threads(count), any_algorithm():
        for fold in stack.folds:
            is_test = torch.zeros(len(labels), dtype=torch.bool)
            is_test[stack.clips.rows_of(fold.test_subjects)] = True
            train_publicly(clips, labels, is_test, task.settings.epochs, task.settings.device)


def run_with_runner(task: Task, folder: Path) -> None:
    """Train and test every fold through MMEngine's Runner."""
    experiment, stack = opened(task).experiment, opened(task).folds
    with threads(1):
        for fold in stack.folds[: task.runner_folds]:
            with TemporaryDirectory(dir=folder) as run:
                run_network(experiment, fold, 0, Path(run), save_checkpoints=False)
    finish(task.settings.device)


def run_stacks(task: Task, way: str, first: int, end: int) -> None:
    """Train and test the folds from `first` up to `end` from clips in memory."""
    stack = opened(task).folds
    size = task.stack if way == 'stacked' else 1
    train = train_compiled if way == 'compiled' else train_folds
    with threads(1):
        for start in range(first, end, size):
            part = stack.part(start, min(start + size, end))
            weights, _ = train(part, lambda epoch: None)
            for i, state in enumerate(weights):
                test_fold(part.part(i, i + 1), state, Path(part.cfgs[i].work_dir))
    finish(task.settings.device)


def run_on_all_cores(task: Task, way: str, cores: int) -> None:
    """Divide the folds among processes, which stay from one round to the next."""
    bounds = np.linspace(0, task.settings.folds, cores + 1).round().astype(int)
    parts = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    joblib.Parallel(n_jobs=cores)(joblib.delayed(run_stacks)(task, way, first, end) for first, end in parts)


def count_work(task: Task) -> dict:
    """FLOPs of an epoch of a fold: convolutions and matrix products, forward and backward."""
    stack = opened(task).folds.part(0, 1)
    with FlopCounterMode(display=False) as counter:
        list(next(training_epochs(stack, build_network(stack))))
    device = task.settings.device
    return {'flops': counter.get_total_flops(), 'precision': convolves_in('fp32', device)}


def table(result: dict) -> Table:
    """The result of :func:`compare` for the screen."""
    title = 'an epoch of a fold of STSTNet, {folds} of 68 folds, {epochs} epochs, stacks of {stack}, {device}'
    shown = Table('training', title=title.format(**result['settings']))
    for column in ('median', 'plain loop over it', '1 thread over it'):
        shown.add_column(column, justify='right')
    for name, seconds in result['seconds'].items():
        ratios = (result['ratios'].get(key) for key in (name, f'{name}_over_1_thread'))
        shown.add_row(WORDS[name], f'{seconds * 1e3:.2f} ms', *(format_ratio(ratio) for ratio in ratios))
    for name, why in result['missing'].items():
        shown.add_row(WORDS[name], 'not measured', why, '')
    return shown


def format_ratio(ratio: dict | None) -> str:
    """A ratio with its smallest and largest round."""
    return '' if ratio is None else '{median:.2f} ({min:.2f} to {max:.2f})'.format(**ratio)
