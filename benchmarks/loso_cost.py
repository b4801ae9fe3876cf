"""A small network over the folds of a data set as large as the MEGC2019 composite, against a plain PyTorch loop.

All alternatives run in turns on the same folds, spread over the 68. Our seconds include training and one test of the
held-out subject, and exclude what is done once for many folds, such as opening the data. `run` alone is a whole run,
from opening the data to the scored record, once.
"""

import argparse
import copy
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import joblib
import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.arguments import add_device, add_numbers
from benchmarks.machine import convolution_precision, finish
from benchmarks.plain_loop import plain_network, train_plainly
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.protocols.folds import Fold
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training.fold import run_network
from mer_bench.training.fold_folder import folder_in_work
from mer_bench.training.stacking import group
from mer_bench.training.stacking.data import StackedFolds, open_folds
from mer_bench.training.stacking.group import find_trainer, test_fold
from mer_bench.training.stacking.strategy import ON_CPU, StackChoice, plan_groups
from mer_bench.training.stacking.ststnet.kernel import train as train_compiled
from mer_bench.training.stacking.ststnet.kernel import why_not as why_not_compiled
from mer_bench.training.stacking.timing import interleave, pair_ratios
from mer_bench.training.stacking.train import build_network, train_folds, training_epochs

HELP = 'STSTNet, OFF-ApexNet or an RCN over 68 folds, against a plain PyTorch loop'
METHODS = ('ststnet', 'off_apexnet', 'rcn_a', 'rcn_f', 'rcn_s', 'rcn_w')
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
    'run': 'a whole run as tools/train.py does it, one process a core, its start and its record included',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    parser.add_argument('--method', choices=METHODS, default='ststnet', help='default: %(default)s')
    add_numbers(
        parser,
        folds=(12, 2, f'folds, evenly taken of the {len(SIZES)}'),
        epochs=(2, 1, 'epochs of each training'),
        rounds=(2, 1, 'timed runs of each alternative'),
        run_folds=(len(SIZES), 2, 'folds of the whole run, taken likewise; it is scored only with all'),
        run_epochs=(5, 0, 'epochs of the whole run; 0: as many as published'),
        stack=(0, 0, f'folds of a stack; 0: {ON_CPU}, on a GPU all'),
    )
    add_device(parser)


def peak_threads(args: argparse.Namespace) -> int:
    """Return the CPU threads of the fastest alternative."""
    return 1


def measure(args: argparse.Namespace) -> dict:
    """Time an epoch of a fold on 442 clips.

    Returns:
        settings: folds of a stack, cores, epochs of the whole run; seconds of an epoch of a fold {alternative:
        median}; ratios {median, min, max over the rounds} of the plain loop over each of ours, and on a GPU of
        sequential over stacked; work {alternative: flops, precision} of an epoch of a fold; against: what each ratio
        compares; missing {alternative: why it was not measured}; notes: what was timed for `run` and what was scaled,
        and the cost of a fold beside its training; beside_ms: this cost {median, max, first}.
    """
    if (most := max(args.folds, args.run_folds)) > len(SIZES):
        raise InputError(f'expected at most {len(SIZES)} folds, got {most}; lower --folds or --run-folds')
    threads = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        root = write_random_store(Path(folder, 'smic'), sum(SIZES), len(SIZES), 1, 28, SIZES)
        stack = args.stack or (ON_CPU if args.device == 'cpu' else args.folds)
        task = Task(str(root), args.method, args.folds, args.epochs, args.device, stack)
        timed, missing = alternatives(task, Path(folder))
        runs = interleave(timed, args.rounds)
        work = count_work(task)
        beside = cost_beside(task, Path(folder, 'beside'))
        epochs, whole = run_whole(task, args.run_folds, args.run_epochs, Path(folder, 'run'))
    torch.set_num_threads(threads)
    counts = dict.fromkeys(timed, args.folds * args.epochs) | {'runner': task.runner_folds * args.epochs}
    seconds = {name: [value / counts[name] for value in values] for name, values in runs.items()}
    seconds['run'] = [whole / args.run_folds / epochs] * args.rounds
    pairs = {name: ('plain', name) for name in seconds if not name.startswith('plain')}
    pairs |= {f'{name}_over_1_thread': ('plain_1_thread', name) for name in ('sequential', 'stacked', 'compiled')}
    pairs |= {'stacked_over_sequential': ('sequential', 'stacked')}
    pairs = {key: pair for key, pair in pairs.items() if {*pair} <= {*seconds}}
    loop = median(seconds['plain']) * args.run_folds * epochs
    return {
        'settings': {'stack': stack, 'cores': joblib.cpu_count(), 'run_epochs': epochs},
        'seconds': {name: median(values) for name, values in seconds.items()},
        'ratios': {key: pair_ratios(*(seconds[name] for name in pair)) for key, pair in pairs.items()},
        'work': {name: work for name in ('sequential', 'stacked', 'compiled') if name in timed},
        'against': {key: ', over '.join(WORDS[name] for name in pair) for key, pair in pairs.items()},
        'missing': missing,
        'beside_ms': beside,
        'notes': [
            f'{args.method}; the times are of one epoch of one fold',
            f'run: {args.run_folds} folds of {epochs} epochs took {whole:.0f} s from start to record, all of it timed; '
            f'the plain loop would take {loop:.0f} s: {args.folds} folds of {args.epochs} epochs were timed and scaled',
            f'a fold costs {beside["median"]:.0f} ms beside its training (opening, testing and writing; median over '
            f'groups of folds, most {beside["max"]:.0f} ms)'
            + (f' and {beside["first"]:.0f} ms once for what all share' if 'first' in beside else ', all included'),
        ],
    }


@dataclass(frozen=True)
class Task:
    """What a process needs to train folds.

    Attributes:
        root: Folder of the prepared data.
        method: Name of its config.
        folds: Of the 68.
        epochs: Of each training.
        device: `cpu`, `cuda` or `cuda:N`.
        stack: Folds of a stack.
    """

    root: str
    method: str
    folds: int
    epochs: int
    device: str
    stack: int

    @property
    def runner_folds(self) -> int:
        """Return the folds for MMEngine's Runner: few, because building it takes as long as several epochs."""
        return min(self.folds, 4)


@dataclass(frozen=True)
class Opened:
    """What is done once for many folds."""

    experiment: Experiment
    folds: StackedFolds
    clips: torch.Tensor
    model: nn.Module


@lru_cache(maxsize=1)
def opened(task: Task) -> Opened:
    """Open the data and the folds, once in each process."""
    experiment = open_method(task, task.epochs)
    run = Path(task.root).parent / f'run{os.getpid()}'
    stack = open_folds(experiment, spread(experiment.folds, task.folds), 0, run, run / 'scratch')
    for fold in stack.folds:
        folder_in_work(run, fold).mkdir(parents=True)
    return Opened(experiment, stack, stack.clips.inputs.cpu()[:, :, 0], copy.deepcopy(stack.runner.model).eval())


def open_method(task: Task, epochs: int) -> Experiment:
    """Open the method on the data; 0 epochs: as many as published."""
    overrides, options = [str(CONFIGS / f'baselines/{task.method}.py')], {'train_cfg.max_epochs': epochs}
    config = str(CONFIGS / 'mer_smic.py')
    return open_experiment(RunOptions(config, overrides, options if epochs else {}, [task.root], device=task.device))


def spread(folds: list[Fold], count: int) -> list[Fold]:
    """Return `count` of the folds, evenly taken."""
    return [folds[place] for place in np.linspace(0, len(folds) - 1, count).round().astype(int)]


def run_whole(task: Task, folds: int, epochs: int, work_dir: Path) -> tuple[int, float]:
    """Return the epochs and the seconds of a run of these folds, from opening the data to the record."""
    start = time.perf_counter()
    experiment = open_method(task, epochs)
    chosen = spread(experiment.folds, folds)
    experiment = replace(experiment, chosen=chosen)
    jobs = joblib.cpu_count() if task.device == 'cpu' else 1
    record = run_folds(experiment, RunSettings(0, work_dir, jobs))
    seconds = time.perf_counter() - start
    if missing := {fold.name for fold in chosen} & {*record['folds']['missing']}:
        raise RuntimeError(f'folds are missing: {sorted(missing)}')
    return experiment.method.cfg.train_cfg.max_epochs, seconds


def cost_beside(task: Task, work_dir: Path) -> dict[str, float]:
    """Return the milliseconds of a fold of a run beside its training: median and max over its groups, and `first`,
    what the first group of a process takes more; a single group has it included.
    """
    experiment, stack = opened(task).experiment, opened(task).folds
    if task.device != 'cpu':
        choice = StackChoice('stacked', len(stack.folds))
    else:
        choice = StackChoice('sequential' if why_not_compiled(experiment, stack.runner.model) else 'compiled')
    training = []

    def timed(way: str) -> tuple[str, Callable[..., tuple]]:
        way, train = find_trainer(way)

        def trained(*args) -> tuple:
            start = time.perf_counter()
            result = train(*args)
            finish(task.device)
            training.append(time.perf_counter() - start)
            return result

        return way, trained

    beside = []
    with threads(1), patch.object(group, 'find_trainer', timed):
        for folds in plan_groups(experiment, stack.folds, choice):
            training.clear()
            start = time.perf_counter()
            group.run_group(experiment, folds, 0, work_dir, save_checkpoints=False, choice=choice)
            beside.append((time.perf_counter() - start - sum(training), len(folds)))
    (first, count), *others = beside
    if not others:
        return dict.fromkeys(('median', 'max'), first / count * 1e3)
    costs = [seconds / folds * 1e3 for seconds, folds in others]
    return {'median': median(costs), 'max': max(costs), 'first': first * 1e3 - median(costs) * count}


def alternatives(task: Task, folder: Path) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Return what is timed, by name, and why the rest is not."""
    all_cores, folds = joblib.cpu_count(), task.folds
    timed = {
        'plain': partial(run_plainly, task, torch.get_num_threads()),
        'plain_1_thread': partial(run_plainly, task, 1),
        'runner': partial(run_with_runner, task, folder),
        'sequential': partial(run_stacks, task, 'sequential', 0, folds),
        'stacked': partial(run_stacks, task, 'stacked', 0, folds),
    }
    missing = {}
    if task.device != 'cpu':
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
    """Compute with this number of CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def any_algorithm():
    """Compute with PyTorch's defaults; our trainings on a CPU ask for deterministic algorithms."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def run_plainly(task: Task, count: int) -> None:
    """Train every fold in the plain loop."""
    stack, clips = opened(task).folds, opened(task).clips
    labels, cfg = stack.clips.labels.cpu(), opened(task).experiment.method.cfg
    options = cfg.optim_wrapper.optimizer.to_dict()
    optimiser = partial(getattr(torch.optim, options.pop('type')), **options)
    with threads(count), any_algorithm():
        for fold in stack.folds:
            is_test = torch.zeros(len(labels), dtype=torch.bool)
            is_test[stack.clips.rows_of(fold.test_subjects)] = True
            model, size = plain_network(cfg), cfg.train_dataloader.batch_size
            train_plainly(model, optimiser, size, clips, labels, is_test, task.epochs, task.device)


def run_with_runner(task: Task, folder: Path) -> None:
    """Train and test every fold through MMEngine's Runner."""
    experiment, stack = opened(task).experiment, opened(task).folds
    with threads(1):
        for fold in stack.folds[: task.runner_folds]:
            with TemporaryDirectory(dir=folder) as run:
                run_network(experiment, fold, 0, Path(run), save_checkpoints=False)
    finish(task.device)


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
                test_fold(part.part(i, i + 1), opened(task).model, state)
    finish(task.device)


def run_on_all_cores(task: Task, way: str, cores: int) -> None:
    """Divide the folds among processes that persist between rounds."""
    bounds = np.linspace(0, task.folds, cores + 1).round().astype(int)
    parts = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    joblib.Parallel(n_jobs=cores)(joblib.delayed(run_stacks)(task, way, first, end) for first, end in parts)


def count_work(task: Task) -> dict:
    """Return the FLOPs of an epoch of a fold: convolutions and matrix products, forward and backward."""
    stack = opened(task).folds.part(0, 1)
    network = build_network(stack)
    with FlopCounterMode(display=False) as counter:
        list(next(training_epochs(stack, network)))
    device = task.device
    return {'flops': counter.get_total_flops(), 'precision': convolution_precision('fp32', device)}
