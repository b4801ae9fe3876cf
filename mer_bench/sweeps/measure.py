"""`--measure`: times a few steps of a method on this machine, in the processes and threads that would train it.

The steps train on the training subjects of a fold, as those of a sweep do, and what they leave is removed.
"""

import copy
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cache, partial
from math import ceil, log2
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from mer_bench.errors import InputError
from mer_bench.experiment.candidates import has_choice
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.method import load_method
from mer_bench.experiment.precision import source_digest, versions
from mer_bench.experiment.provenance import start_record
from mer_bench.files import digest_of, read_own_json, sealed, write_json
from mer_bench.processes import in_workers
from mer_bench.protocols.folds import Fold
from mer_bench.runs.run import RunSettings, begin_run, gpus, on_gpu_of, run_missing
from mer_bench.runs.run_folder import pool_predictions
from mer_bench.sweeps.estimate import Steps
from mer_bench.sweeps.plan import PlannedRun, SweepOptions, in_one_line, planned_precision, reopen
from mer_bench.training.fold import fold_config
from mer_bench.training.fold_folder import PREDICTIONS, folder_in_work
from mer_bench.training.stacking.strategy import StackChoice, plan_groups

MEASURED = 'measured.json'  # beside the runs of a sweep
FEWEST = 2  # steps that are timed after the first one, however long they take
MOST = 20  # times the limit: features that take longer are scaled from those of a few clips
LARGE = 2 * 10**7  # features of all clips, from which a fit by scikit-learn alone can take minutes


class TimeIsUp(Exception):
    """Ends a training that is only measured."""


class Clock:
    """Notes when steps are done, and ends a training after `limit` seconds of them, but not before :data:`FEWEST`.

    Args:
        limit: Seconds.
        wait: Waits until the device has done what it was given.
    """

    def __init__(self, limit: float, wait: Callable[[], None] = lambda: None) -> None:
        self.limit, self.wait, self.times = limit, wait, []

    def note(self, done: int) -> None:
        """So many steps are done, or clips."""
        self.wait()
        self.times.append((time.perf_counter(), done))
        if len(self.times) > FEWEST + 1 and self.times[-1][0] - self.times[1][0] > self.limit:
            raise TimeIsUp

    @property
    def seconds(self) -> float:
        """Seconds of a step; the first one, which is slower, counts only if there is no other."""
        first, last = self.times[min(1, len(self.times) - 2)], self.times[-1]
        return (last[0] - first[0]) / (last[1] - first[1])


def read_steps(path: Path, runs: Sequence[PlannedRun], options: SweepOptions, jobs: int) -> dict[Path, Steps]:
    """Return the steps in a file of measurements that were made as these runs would be trained, by their folder."""
    known, found = noted_in(path), {}
    for run in runs if known else ():
        with suppress(TypeError, KeyError):  # of another version
            noted = known[place_of(run)]
            if noted['made_of'] == made_of(run, options, jobs):
                found[run.folder.parent] = Steps(**noted['steps'])
    return found


def noted_in(path: Path) -> dict[str, dict]:
    """Return what a file of measurements has of each method; nothing where it is missing or was changed."""
    content = read_own_json(path) or {}
    return content['methods'] if 'methods' in content and content == sealed(content) else {}


def place_of(run: PlannedRun) -> str:
    """Name the method of a run in the file."""
    return f'{run.config_name}/{run.folder.parent.name}'


def made_of(run: PlannedRun, options: SweepOptions, jobs: int) -> dict:
    """Return all that decides how long a method takes: where any of it is another, it is measured again."""
    how = dict(device=options.device, threads=options.threads, jobs=jobs, stack=options.stack, audited=run.audited)
    how |= dict(precision=planned_precision(options.device))  # processors of one name can differ in their instructions
    how |= dict(gpu=None if options.device == 'cpu' else name_gpu(options.device))
    return dict(settings=digest_of(run.settings), **how, code=source_digest(), versions=versions())


def name_gpu(device: str) -> str | None:
    """Return the name of a GPU of this machine; None where it has none, but the nodes of a cluster may."""
    import torch

    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None


def measure_all(
    runs: Sequence[PlannedRun], options: SweepOptions, jobs: int, limit: float, path: Path, console: Console
) -> dict[Path, Steps]:
    """Measure one run of each method, show a line about each, and keep all in a file.

    Args:
        runs: One of each method.
        options: Of the sweep.
        jobs: Trainings at a time.
        limit: Seconds of steps of a method.
        path: Of the file.
        console: For the lines.
    """
    found = {}
    for number, run in enumerate(runs, start=1):
        name = f'{number}/{len(runs)} {run.method} on {run.config_name}'
        with console.status(f'measuring {name}'):
            start = time.perf_counter()
            try:
                steps = measure(run, options, jobs, limit)
            except Exception as error:  # a method can fail in any way
                outcome = f'cannot be measured: {in_one_line(error)}'
            else:
                found[run.folder.parent] = steps
                noted = dict(made_of=made_of(run, options, jobs), steps=asdict(steps))
                write_json(path, sealed(dict(methods=noted_in(path) | {place_of(run): noted})))
                outcome = '; '.join(filter(None, (f'measured in {time.perf_counter() - start:.0f} s', steps.note)))
        console.print(f'{name}: {outcome}', markup=False, highlight=False, soft_wrap=True)
    return found


def measure(run: PlannedRun, options: SweepOptions, jobs: int, limit: float) -> Steps:
    """Measure a method; :func:`measure_all` has the arguments.

    Raises:
        InputError: It chooses among candidates, or cannot be trained.
    """
    method = load_method(run.config, run.overrides)
    if options.inner_folds and has_choice(method):
        raise InputError('its folds choose (--select inner); train one fold to know their time')
    started = start_workers(jobs, options.threads, method.is_estimator)
    start = time.perf_counter()
    experiment = reopen(run, options)
    opening = time.perf_counter() - start
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, 'run')
        how = dict(stack=options.stack, show=shown_nothing, isolated=True, audit_epochs=run.audited)
        settings = RunSettings(run.seed, folder, jobs, **how)
        start = time.perf_counter()
        folder.mkdir()
        experiment, choice, _ = begin_run(experiment, settings, start_record(experiment, run.seed), None)
        begun = time.perf_counter() - start
        groups = plan_groups(experiment, experiment.chosen, choice)
        time_folds = time_fits if experiment.method.is_estimator else time_networks
        steps = time_folds(experiment, groups, settings, choice, limit)
        tables, start = [*folder.glob(f'folds/*/{PREDICTIONS}')], time.perf_counter()
        pool_predictions(tables)
        pooled = (time.perf_counter() - start) / len(tables) * len(experiment.folds)
    return replace(steps, once=opening + begun + steps.once + pooled, start=started)


@contextmanager
def shown_nothing(*arguments: object) -> Iterator[Console]:
    """Take the place of the bar of a run."""
    yield Console(quiet=True)


@cache
def start_workers(jobs: int, threads: int, estimators: bool) -> float:
    """Start workers and import in them, and in this process, what trains methods of a kind; return the seconds."""
    start = time.perf_counter()
    task = partial(import_trainer, estimators)
    task(0)
    list(in_workers([task] * jobs, jobs, threads))
    return time.perf_counter() - start


def import_trainer(estimators: bool, place: int) -> None:
    """Import what trains methods of scikit-learn, or networks."""
    if estimators:
        import mer_bench.training.sklearn.estimator_fold
    else:
        import mer_bench.runs.model
        import mer_bench.training.runner
        import mer_bench.training.stacking.group  # noqa: F401


def time_fits(
    experiment: Experiment, groups: list[list[Fold]], settings: RunSettings, choice: StackChoice, limit: float
) -> Steps:
    """Time folds of a method of scikit-learn: the first ones compute what all share."""
    from mer_bench.training.sklearn.estimator_fold import describe_clips, fit_of
    from mer_bench.training.sklearn.shared_fit import IN_DOUBLE, PLAIN

    folder, notes = settings.work_dir, []
    describe = partial(describe_clips, experiment, settings.seed, folder, settings.jobs, True, settings.stack != 'off')
    once, stand_ins = time_features(experiment, settings)
    if once > MOST * limit:
        jobs = describe(described=lambda *arguments: (stand_ins(), ''))
        notes.append('features scaled from those of a few clips')
    else:
        describe()
        start = time.perf_counter()
        jobs = describe()  # as the sweep will find them, kept with the store or not
        once = time.perf_counter() - start
    jobs = min(jobs, len(groups))

    def fit(groups: list[list[Fold]]) -> float:
        shutil.rmtree(folder / 'folds', ignore_errors=True)
        ours, start = replace(experiment, chosen=[fold for group in groups for fold in group]), time.perf_counter()
        run_missing(ours, groups, replace(settings, jobs=jobs), choice, '')
        return time.perf_counter() - start

    way, size = fit_of(folder)
    if way == PLAIN and size > LARGE:
        each, scaled = fit_parts(groups[0][0], fit, limit)
        notes += [scaled] if scaled else []
    else:
        first = fit(groups[:jobs])
        rest = groups[jobs : (4 if first < limit else 2) * jobs]
        each = fit(rest) / -(-len(rest) // jobs) if rest else first
        once += max(0.0, first - each) if way in IN_DOUBLE else 0.0  # those share something
    return Steps(once, each, jobs=jobs, kind='estimator', note='; '.join(notes))


def time_features(experiment: Experiment, settings: RunSettings) -> tuple[float, Callable[[], np.ndarray]]:
    """Return the seconds to describe all clips, 0 if that was done before, and what makes stand-ins from a few."""
    from mer_bench.training.sklearn.clip_features import CHUNK, describe, kept_at
    from mer_bench.training.sklearn.estimator_fold import build_method

    clips, view, (steps, _) = experiment.data.annotations, experiment.data.view, build_method(experiment, settings.seed)
    store = clips['store'].iloc[0]
    rows = clips.loc[clips['store'] == store, 'row'].head(CHUNK)
    for _ in range(2):  # the first one fills caches
        start = time.perf_counter()
        few = np.stack([values for _, values in describe(store, rows, view, steps, 0)])
        seconds = time.perf_counter() - start

    def stand_ins() -> np.ndarray:
        repeated = np.resize(few, (len(clips), few.shape[1]))
        return repeated * np.random.default_rng(0).normal(1, 0.1, repeated.shape).astype(repeated.dtype)

    if all(kept_at(store, steps, view)[0].exists() for store in clips['store'].unique()):
        return 0.0, stand_ins
    return seconds / len(few) * len(clips) / settings.jobs, stand_ins


def fit_parts(fold: Fold, fit: Callable[[list[list[Fold]]], float], limit: float) -> tuple[float, str]:
    """Fit to ever more of the training subjects of a fold, until the next fit would take longer than the limit.

    Returns:
        The seconds of the whole fold, and what was scaled, if it was: by the growth from the last fit but one.
    """
    seconds, growth = 0.0, 1.5
    for share in (8, 4, 2, 1):
        before = seconds
        try:
            seconds = fit([[replace(fold, subjects=(*fold.train_subjects[::share], *fold.test_subjects))]])
        except InputError:
            if share == 1:
                raise
            continue  # so few subjects lack a class
        if before:
            growth = min(2.0, max(1.0, log2(seconds / before)))
        if share > 1 and seconds * 2**growth > limit:
            return seconds * share**growth, f'fits scaled from one to 1/{share} of the training subjects'
    return seconds, ''


def time_networks(
    experiment: Experiment, groups: list[list[Fold]], settings: RunSettings, choice: StackChoice, limit: float
) -> Steps:
    """Time steps of as many trainings side by side as the sweep would have."""
    jobs = min(settings.jobs, len(groups))
    if count := gpus(experiment):
        experiment = replace(experiment, gpu_share=1 / ceil(jobs / count))
    to_workers = replace(settings, show=None)  # which cannot be sent to another process
    tasks = [partial(time_group, experiment, group, to_workers, choice, limit) for group in groups[:jobs]]
    once, opened, tested, clip = map(mean, zip(*in_workers(tasks, jobs, experiment.threads), strict=True))
    tests = 1 + (experiment.method.cfg.train_cfg.max_epochs if settings.audit_epochs else 0)
    return Steps(once, opened + tests * tested, clip, group=max(map(len, groups)), jobs=jobs)


def time_group(
    experiment: Experiment, folds: list[Fold], settings: RunSettings, choice: StackChoice, limit: float, place: int
) -> tuple[float, float, float, float]:
    """Return the seconds that a process takes once, to open a fold, to test it, and of a training clip and epoch."""
    import torch

    from mer_bench.training.device import activate

    experiment = on_gpu_of(experiment, place)
    activate(experiment)
    folder_in_work(settings.work_dir, folds[0]).mkdir(parents=True)
    clock = Clock(limit) if experiment.device == 'cpu' else Clock(limit, torch.cuda.synchronize)
    if choice.way == 'off':
        return 0.0, *time_runner(experiment, folds[0], settings, clock)
    return time_stack(experiment, folds, settings, choice, clock)


def time_runner(experiment: Experiment, fold: Fold, settings: RunSettings, clock: Clock) -> tuple[float, float, float]:
    """Time a fold that MMEngine's Runner trains."""
    from mmengine.hooks import Hook

    from mer_bench.training.runner import EpochHook, build_runner

    class StepHook(Hook):
        """Counts steps by the clips that they take, and after an epoch with all that follows it."""

        priority = 'LOWEST'

        def before_train(self, runner) -> None:
            clock.note(0)

        def after_train_iter(self, runner, *arguments: object, **words: object) -> None:
            epoch, step = divmod(runner.iter + 1, len(runner.train_dataloader))
            if step:
                clock.note(epoch * n_train + min(step * runner.train_dataloader.batch_size, n_train))

        def after_train_epoch(self, runner) -> None:
            clock.note((runner.epoch + 1) * n_train)

    folder = folder_in_work(settings.work_dir, fold)
    for _ in range(2):  # the first one fills caches
        start = time.perf_counter()
        cfg = fold_config(experiment, fold, settings.seed, folder)
        cfg.resume = False
        runner = build_runner(cfg)
    n_train = len(runner.train_dataloader.dataset)
    runner.register_hook(EpochHook(settings.seed, lambda epoch: None))
    runner.register_hook(StepHook())
    with suppress(TimeIsUp):
        runner.train()
    opened = clock.times[0][0] - start
    start = time.perf_counter()
    runner.test()
    return opened, time.perf_counter() - start, clock.seconds


def time_stack(
    experiment: Experiment, folds: list[Fold], settings: RunSettings, choice: StackChoice, clock: Clock
) -> tuple[float, float, float, float]:
    """Time folds that are trained from clips in memory."""
    from mer_bench.training.stacking.data import forget_shared, open_folds
    from mer_bench.training.stacking.group import find_trainer, test_fold

    train, seconds = find_trainer(choice.way)[1], []
    with TemporaryDirectory() as scratch:
        for keep in (False, True, True):  # the first one fills caches, the last one finds what all folds share
            start = time.perf_counter()
            stack = open_folds(experiment, folds, settings.seed, settings.work_dir, Path(scratch))
            seconds.append(time.perf_counter() - start)
            if not keep:
                forget_shared()
        part = stack.part(0, choice.folds)
        with suppress(TimeIsUp):
            train(part, clock.note)
        model = copy.deepcopy(stack.runner.model).eval()
        tested = min(test_fold(stack.part(0, 1), model, model.state_dict())['test_seconds'] for _ in 'ab')
    _, whole, again = seconds
    once = max(0.0, whole - again)
    return once, again / len(folds), tested, clock.seconds / sum(map(len, part.train_rows))
