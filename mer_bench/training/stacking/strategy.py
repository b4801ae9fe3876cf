"""How the folds of a run are trained: by MMEngine's Runner, or from clips in memory, one or several at a time.

Nothing here needs torch at import: methods of scikit-learn, and `--stack off`, do without what stacking needs.
"""

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold import drop_a_lone_clip, steps_per_epoch

if TYPE_CHECKING:
    from torch import nn

    from mer_bench.training.stacking.data import StackedFolds

Stack = str | int  # 'auto', 'off' or the number of folds of a stack
# trainers for one network alone: modules with `unavailable`, `why_not` and `train`, by the name of their strategy
KERNELS = {'compiled': 'mer_bench.training.stacking.ststnet.kernel'}
WAYS = ('off', 'sequential', 'stacked', *KERNELS)
ON_CPU = 8  # folds of a stack: more save little and no longer fit into the cache
AT_A_TIME = 4  # folds that one task trains one after another, so that they share what is opened


@dataclass(frozen=True)
class StackChoice:
    """The strategy of a run, noted in record.json.

    Attributes:
        way: 'off': MMEngine's Runner; 'sequential': one fold after another; 'stacked': several at a time; or one of
            :data:`KERNELS`.
        folds: Number of folds of a stack.
        asked: What the user asked for.
        seconds: Measured seconds of one step of one fold, by strategy.
        why: The reason, if nothing was measured.
    """

    way: str
    folds: int = 1
    asked: Stack = 'auto'
    seconds: dict[str, float] = field(default_factory=dict)
    why: str = ''

    @classmethod
    def from_record(cls, record: dict) -> 'StackChoice | None':
        """Return the choice that a record notes; None if there is none, or none that this version knows."""
        noted = record.get('stack')
        if not noted or noted['way'] not in WAYS or noted['folds'] < 1:
            return None
        return cls(**{name: noted[name] for name in ('way', 'folds', 'asked', 'seconds', 'why')})


def choose(
    experiment: Experiment,
    model: 'nn.Module | None',
    seed: int,
    stack: Stack,
    begun: dict | None = None,
) -> StackChoice:
    """Choose how to train; if several ways may be the fastest, time a few steps of each.

    Args:
        experiment: Method, data and device.
        model: The method's network, built; None for an estimator of scikit-learn.
        seed: Of the run.
        stack: 'off', a number of folds, or 'auto'.
        begun: The record of folds that were trained before: their choice is kept if the user asks for the same.

    Raises:
        InputError: The user asked for a number of folds, and the method cannot be stacked.
    """
    noted = StackChoice.from_record(begun) if begun else None
    if noted and noted.asked == stack:
        return noted
    if stack == 'off':
        return StackChoice('off', asked=stack)
    if experiment.method.is_estimator:
        why = 'it is no network'
    else:
        from mer_bench.training.stacking.eligibility import done_in_turns, why_not_stackable

        why = why_not_stackable(experiment, model)
    if why and stack == 'auto':
        return StackChoice('off', asked=stack, why=why)
    if why:
        raise InputError(f'--stack {stack}: {experiment.method.name} cannot be stacked: {why}; use --stack off')
    if stack != 'auto':
        return StackChoice('sequential' if stack == 1 else 'stacked', stack, stack)
    if experiment.device != 'cpu':
        import torch

        # the driver of a cluster may have none
        gpus = max(1, torch.cuda.device_count()) if experiment.device == 'cuda' else 1
        return StackChoice('stacked', -(-len(experiment.folds) // gpus), stack, why='a GPU waits for launches')
    for way, kernel in KERNELS.items():
        if import_module(kernel).why_not(experiment, model) is None:
            return StackChoice(way, asked=stack, why='the compiled kernel fits')
    if name := done_in_turns(model, experiment):
        return StackChoice('sequential', asked=stack, why=f'torch.func has no batching rule for {name}')
    return measure(experiment, seed)


def measure(experiment: Experiment, seed: int, rounds: int = 3) -> StackChoice:
    """Time steps of one fold and of a stack in turns, so that a busy machine slows both, and choose the faster."""
    from mer_bench.training.stacking.data import forget_shared, open_folds
    from mer_bench.training.stacking.timing import interleave

    groups = group_by_steps(experiment, experiment.folds)
    folds = max(groups, key=len)[:ON_CPU]
    if len(folds) == 1:
        return StackChoice('sequential', why='no two folds have as many steps an epoch')
    with tempfile.TemporaryDirectory() as scratch:
        stack = open_folds(experiment, folds, seed, Path(scratch, 'run'), Path(scratch))
        steps = {'sequential': endless_steps(stack.part(0, 1)), 'stacked': endless_steps(stack)}
        timed = interleave({way: lambda way=way: [next(steps[way]) for _ in range(2)] for way in steps}, rounds)
    forget_shared()
    seconds = {'sequential': median(timed['sequential']), 'stacked': median(timed['stacked']) / len(folds)}
    way = min(seconds, key=seconds.get)
    return StackChoice(way, 1 if way == 'sequential' else ON_CPU, seconds=seconds)


def endless_steps(stack: 'StackedFolds') -> Iterator[tuple]:
    """Do steps of :func:`training_epochs`, starting again when a training is over."""
    from mer_bench.training.stacking.train import build_network, training_epochs

    while True:
        yield from chain.from_iterable(training_epochs(stack, build_network(stack)))


def plan_groups(experiment: Experiment, folds: list[Fold], choice: StackChoice) -> list[list[Fold]]:
    """Divide folds into groups, one for each task; the folds of a stack have as many steps an epoch."""
    if choice.way == 'off':
        return [[fold] for fold in folds]
    size = choice.folds if choice.way == 'stacked' else AT_A_TIME
    groups = group_by_steps(experiment, folds)
    return [group[first : first + size] for group in groups for first in range(0, len(group), size)]


def group_by_steps(experiment: Experiment, folds: list[Fold]) -> list[list[Fold]]:
    """Group folds by the steps of an epoch and by whether a last lone clip is dropped, in their order."""
    subjects, groups = experiment.data.annotations['subject'], {}
    for fold in folds:
        n_train = int(subjects.isin(fold.train_subjects).sum())
        loader = copy.copy(experiment.method.cfg.train_dataloader)
        drop_a_lone_clip(loader, n_train)
        groups.setdefault((steps_per_epoch(n_train, loader), loader.get('drop_last')), []).append(fold)
    return [*groups.values()]
