"""How long the folds of a sweep take, from folds and records of the same methods."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_bench.files import read_json
from mer_bench.sweeps.plan import PlannedRun
from mer_bench.training.fold import finished_folder


@dataclass(frozen=True)
class Measured:
    """What finished folds took.

    Attributes:
        seconds: Training and test of all of them.
        clips: Their training clips times epochs.
        device: With its threads or precision; empty where nobody noted it.
        processor: Its name, likewise.
    """

    seconds: float
    clips: int
    device: str = ''
    processor: str = ''


class TimeEstimate:
    """Seconds of a method per training clip and epoch, measured on the same config or else on any other.

    Args:
        base: Holds <config>/<method>/seed<N>.
        jobs: Folds at a time; measured seconds are taken as those of a fold beside as many others.
        together: The folds of all runs are in one queue, and not run after run.
        measured: More folders with runs or records, used where `base` has no fold of a method.
        device: Says whether the device of a measurement is the one to come.
    """

    def __init__(
        self,
        base: Path,
        jobs: int,
        together: bool = False,
        measured: Sequence[Path] = (),
        device: Callable[[str], bool] = lambda device: True,
    ) -> None:
        self.base, self.jobs, self.together, self.device = base, jobs, together, device
        self.more = [path.parents[1] for folder in measured for path in sorted(folder.rglob('seed*/record.json'))]
        self.rates: dict[tuple[str, str], list[Measured]] = {}

    def seconds(self, run: PlannedRun) -> float | None:
        """Return the time of the missing folds of a run; None where nothing was measured."""
        clips = [n_train for fold, n_train in run.folds if not finished_folder(run.folder, fold).exists()]
        if not clips:
            return 0.0
        rate = self.rate(run)
        at_a_time = self.jobs if self.together else min(self.jobs, len(clips))
        return None if rate is None else rate * run.max_epochs * sum(clips) / at_a_time

    def rate(self, run: PlannedRun) -> float | None:
        """Return the seconds per clip and epoch of the method of a run."""
        measured = self.measured(run)
        return sum(part.seconds for part in measured) / sum(part.clips for part in measured) if measured else None

    def measured(self, run: PlannedRun) -> list[Measured]:
        """Return what was measured of the method of a run: on its config, or else on the first that has anything."""
        key = run.config_name, run.folder.parent.name
        if key not in self.rates:
            own = self.base / run.config_name / run.folder.parent.name
            folders = [own, *sorted(path for path in self.base.glob('*/*') if path.name == own.name)]
            others = [path for path in dict.fromkeys(self.more) if path.name == own.name]
            folders += sorted(others, key=lambda path: path.parent.name != run.config_name)
            found = (self._measure(folder) for folder in folders)
            self.rates[key] = next((measured for measured in found if measured), [])
        return self.rates[key]

    def forget(self, run: PlannedRun) -> None:
        """Measure the method of a run again: it has new folds."""
        for key in [key for key in self.rates if key[1] == run.folder.parent.name]:
            del self.rates[key]

    def _measure(self, folder: Path) -> list[Measured]:
        measured = (measure_run(run) for run in sorted(folder.glob('seed*')))
        return [part for part in measured if part and self.device(part.device)]


def measure_run(run: Path) -> Measured | None:
    """Return what the finished folds of a run took, or those of its record where the folds are not there."""
    try:
        record = read_json(run / 'record.json', 'run it again')
        folds = [read_json(path, 'run it again') for path in run.glob('folds/[!.]*/fold.json')]
        timed = [fold for fold in folds if fold['train_seconds'] is not None]
        if timed:
            seconds = sum(fold['train_seconds'] + fold['test_seconds'] for fold in timed)
            clips = sum(fold['n_train'] for fold in timed)
        else:  # every clip is held out by one fold, and trained on in the others
            seconds = record['seconds']['train'] + record['seconds']['test']
            clips = record['n_clips'] * (record['folds']['total'] - 1)
        known = record.get('device', ''), record.get('versions', {}).get('processor', '')
        return Measured(seconds, clips * epochs_of(record), *known) if clips else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # it is only an estimate
        return None


def epochs_of(record: dict) -> int:
    """Return the epochs of a fold of a run, as its record tells the config; 1 for a method without any."""
    found = re.search(r'\bmax_epochs=(\d+)', record['config']['text'])
    return int(found[1]) if found else 1
