"""How long the folds of a sweep take, and the hours of the whole sweep: from finished folds, records and few steps."""

import heapq
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from mer_bench.files import read_json
from mer_bench.sweeps.plan import PlannedRun, by_method
from mer_bench.sweeps.report import format_duration
from mer_bench.training.fold_folder import finished_folders

NO_CHOICE = dict(seconds=0)  # of a fold without `--select inner`


@dataclass(frozen=True)
class Measured:
    """What finished folds took.

    Attributes:
        seconds: Choice, training and test of all of them.
        clips: Their training clips times epochs.
        device: With its threads or precision; empty if it was not recorded.
        processor: Its name, likewise.
    """

    seconds: float
    clips: int
    device: str = ''
    processor: str = ''


@dataclass(frozen=True)
class Steps:
    """What a few steps of a method took, see :mod:`mer_bench.sweeps.measure`; in seconds.

    Attributes:
        once: Of a run beside its folds: opened, its precision and way of training settled, features, scores.
        fold: Of a fold beside its epochs: opened, tested, written.
        clip: Of a training clip and epoch.
        group: Folds that one task trains.
        jobs: Tasks at a time.
        start: Of the processes, which all methods of a kind share.
        kind: `network`, or `estimator` of scikit-learn.
        note: What was not measured in full size.
    """

    once: float
    fold: float
    clip: float = 0.0
    group: int = 1
    jobs: int = 1
    start: float = 0.0
    kind: str = 'network'
    note: str = ''

    def seconds(self, clips: Sequence[int], epochs: int, jobs: int) -> float:
        """Return the time of folds with so many training clips, in groups that the free workers take in their order."""
        folds = [self.fold + self.clip * epochs * n_train for n_train in clips]
        groups = [sum(folds[first : first + self.group]) for first in range(0, len(folds), self.group)]
        ends = [0.0] * min(jobs, self.jobs)
        for seconds in groups:
            heapq.heapreplace(ends, ends[0] + seconds)
        return self.once + max(ends)


class TimeEstimate:
    """Seconds of a method per training clip and epoch, from finished folds.

    Those of the same config come first, then the steps of the method where these were measured, then other configs.

    Args:
        base: Holds <config>/<method>/seed<N>.
        jobs: Folds at a time; measured seconds count as those of a fold beside as many others.
        together: Whether the folds of all runs share one queue; otherwise the runs follow one another.
        measured: More folders with runs or records, used if `base` has no fold of a method.
        device: Whether a measurement on a device counts.
        steps: Of methods, by the folder that holds their seeds.
    """

    def __init__(
        self,
        base: Path,
        jobs: int,
        together: bool = False,
        measured: Sequence[Path] = (),
        device: Callable[[str], bool] = lambda device: True,
        steps: Mapping[Path, Steps] | None = None,
    ) -> None:
        self.steps = {} if steps is None else steps
        self.base, self.jobs, self.together, self.device = base, jobs, together, device
        self.more = [path.parents[1] for folder in measured for path in sorted(folder.rglob('seed*/record.json'))]
        self.rates: dict[tuple[str, str], list[Measured]] = {}

    def seconds(self, run: PlannedRun) -> float | None:
        """Return the time of the missing folds of a run; None if nothing was measured."""
        done = finished_folders(run.folder, [fold for fold, _ in run.folds])
        clips = [n_train for fold, n_train in run.folds if fold.name not in done]
        if not clips:
            return 0.0
        steps = self.steps_of(run)
        if steps and not self.together:
            return steps.seconds(clips, run.max_epochs, self.jobs)
        known = self.fold_seconds(run)
        at_a_time = self.jobs if self.together else min(self.jobs, len(clips))
        return None if known is None else sum(map(known, clips)) / at_a_time

    def all_seconds(self, runs: Sequence[PlannedRun], started: bool) -> list[float | None]:
        """Return the time of each run; unless the processes have started, the first of a kind waits for its own."""
        times = [self.seconds(run) for run in runs]
        kinds = {'network', 'estimator'} if started or self.together else set()
        for number, run in enumerate(runs):
            steps = self.steps_of(run)
            if times[number] and steps and steps.kind not in kinds:
                kinds.add(steps.kind)
                times[number] += steps.start
        return times

    def steps_of(self, run: PlannedRun) -> Steps | None:
        """Return the measured steps of a method without finished folds."""
        return None if self.measured(run) else self.steps.get(run.folder.parent)

    def fold_seconds(self, run: PlannedRun) -> Callable[[int], float] | None:
        """Return the time of a fold from its number of training clips; None if nothing was measured."""
        rate, steps = self.rate(run), self.steps_of(run)
        if steps:
            return lambda n_train: steps.fold + steps.clip * run.max_epochs * n_train
        return None if rate is None else lambda n_train: rate * run.max_epochs * n_train

    def rate(self, run: PlannedRun) -> float | None:
        """Return the seconds per clip and epoch of the method of a run."""
        measured = self.measured(run)
        return sum(part.seconds for part in measured) / sum(part.clips for part in measured) if measured else None

    def measured(self, run: PlannedRun) -> list[Measured]:
        """Return the measurements of the method of a run: of its config, or else of the first config with any.

        Other configs do not count where its steps were measured.
        """
        key = run.config_name, run.folder.parent.name
        if key not in self.rates:
            found = self._finished(run, own=True)
            self.rates[key] = found or ([] if run.folder.parent in self.steps else self._finished(run, own=False))
        return self.rates[key]

    def lacks(self, run: PlannedRun) -> bool:
        """Return whether a method has neither finished folds on its config nor measured steps."""
        return run.folder.parent not in self.steps and not self._finished(run, own=True)

    def _finished(self, run: PlannedRun, own: bool) -> list[Measured]:
        """Return the measurements of the first folder of a method that has any, on its own config or on others."""
        folders = dict.fromkeys([*sorted(self.base.glob('*/*')), *self.more])
        ours = (path for path in folders if path.name == run.folder.parent.name)
        found = (self._measure(path) for path in ours if (path.parent.name == run.config_name) is own)
        return next((measured for measured in found if measured), [])

    def forget(self, run: PlannedRun) -> None:
        """Measure the method of a run again, because it has new folds."""
        for key in [key for key in self.rates if key[1] == run.folder.parent.name]:
            del self.rates[key]

    def _measure(self, folder: Path) -> list[Measured]:
        measured = (measure_run(run) for run in sorted(folder.glob('seed*')))
        return [part for part in measured if part and self.device(part.device)]


def measure_run(run: Path) -> Measured | None:
    """Return what the finished folds of a run took; without its folds, the seconds in its record."""
    try:
        record = read_json(run / 'record.json', 'run it again')
        folds = [read_json(path, 'run it again') for path in run.glob('folds/[!.]*/fold.json')]
        parts = [
            (fold['train_seconds'], fold['test_seconds'], fold.get('inner', NO_CHOICE)['seconds']) for fold in folds
        ]
        timed = [
            (sum(seconds), fold['n_train']) for fold, seconds in zip(folds, parts, strict=True) if None not in seconds
        ]
        if timed:
            seconds, clips = map(sum, zip(*timed, strict=True))
        else:  # every clip is held out by one fold and trained on in the others
            seconds = record['seconds']['train'] + record['seconds']['test']
            seconds += record['seconds']['choice'] if 'selection' in record else 0
            clips = record['n_clips'] * (record['folds']['total'] - 1)
        known = record.get('device', ''), record.get('versions', {}).get('processor', '')
        return Measured(seconds, clips * epochs_of(record), *known) if clips else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # it is only an estimate
        return None


def epochs_of(record: dict) -> int:
    """Return the epochs of a fold from the config in a record; 1 for a method without epochs."""
    found = re.search(r'\bmax_epochs=(\d+)', record['config']['text'])
    return int(found[1]) if found else 1


def same_device(unit: str, threads: float) -> Callable[[str], bool]:
    """Return a test whether a measured device is of the same kind: a CPU with as many threads, or a GPU.

    `cpu` alone is the device of scikit-learn, which runs there also beside trainings on a GPU.
    """
    if unit == 'core':
        return lambda device: device in ('', 'cpu') or device.startswith(f'cpu, {threads} thread')
    return lambda device: device == 'cpu' or not device.startswith('cpu')


def estimate_cost(runs: Sequence[PlannedRun], estimate: TimeEstimate, workers: int, unit: str, share: float) -> dict:
    """Estimate the cost of all trainings of a sweep, as if nothing were finished.

    Args:
        runs: Of the sweep.
        estimate: Seconds of their methods.
        workers: Trainings at a time.
        unit: `core` or `GPU`.
        share: Cores, or the share of a GPU, of one worker.

    Returns:
        unit (of hours), workers, trainings; not_measured: trainings of methods that were not, which no sum includes;
        hours; wall_seconds: until the last training ends if no worker is ever idle, at least those of the longest;
        methods: of each that can be opened method, config, trainings over all seeds, seconds and hours of all of them
        on one worker and seconds of the longest (None if not measured), and the devices of the measurements.
    """
    methods = []
    for seeds in by_method(runs):
        run = seeds[0]  # the seeds of a method differ in nothing else
        if run.fault:
            continue
        clips, known, steps = [n_train for _, n_train in run.folds], estimate.fold_seconds(run), estimate.steps_of(run)
        method = dict(method=run.method, config=run.config_name, trainings=len(clips) * len(seeds))
        method |= dict(seconds=None, hours=None, longest=None)
        if known is not None:
            seconds = (sum(map(known, clips)) + (steps.once if steps else 0)) * len(seeds)
            method |= dict(seconds=seconds, hours=seconds * share / 3600, longest=known(max(clips)))
        devices = dict.fromkeys(f'{part.device}, {part.processor}'.strip(', ') for part in estimate.measured(run))
        methods.append(method | dict(measured=['a few steps on this machine'] if steps else [*devices]))
    known = [method for method in methods if method['seconds'] is not None]
    trainings = sum(method['trainings'] for method in methods)
    return dict(
        unit=f'{unit}-hours',
        workers=workers,
        trainings=trainings,
        not_measured=trainings - sum(method['trainings'] for method in known),
        hours=sum(method['hours'] for method in known),
        wall_seconds=max([sum(part['seconds'] for part in known) / workers, *(part['longest'] for part in known)]),
        methods=methods,
    )


def format_cost(cost: dict) -> str:
    """Return a row for each method, the most expensive first, and the sums in sentences; see :func:`estimate_cost`."""
    rows = []
    ranked = sorted(cost['methods'], key=lambda method: -(method['seconds'] or 0))
    for method in ranked:
        numbers = ('unknown', 'unknown')
        if method['seconds'] is not None:
            numbers = f'{method["seconds"] / method["trainings"]:.3g}', f'{method["hours"]:.3f}'
        rows.append([method['method'], method['config'], method['trainings'], *numbers])
    headers = ['method', 'config', 'trainings', 'seconds each', cost['unit']]
    lines = [tabulate(rows, headers, disable_numparse=True, colalign=('left', 'left', 'right', 'right', 'right')), '']
    if measured := cost['trainings'] - cost['not_measured']:
        workers = f'{cost["workers"]} worker{"s" * (cost["workers"] > 1)}'
        wall_time = format_duration(cost['wall_seconds'])
        lines.append(f'{measured} trainings: {cost["hours"]:.2f} {cost["unit"]}')
        lines.append(f'wall time with {workers}: {wall_time}, without the start of processes')
        devices = dict.fromkeys(device for part in ranked for device in part['measured'])
        lines.append(f'measured on: {"; ".join(devices)}')
    if cost['not_measured']:
        names = [f'{part["method"]} on {part["config"]}' for part in ranked if part['seconds'] is None]
        lines.append(f'not measured and not in the sums: {cost["not_measured"]} trainings of {", ".join(names)}')
    return '\n'.join(lines)
