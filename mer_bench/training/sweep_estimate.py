"""How long the missing folds of a sweep will take, from the folds that its folder holds."""

import json
import re
from pathlib import Path

from mer_bench.training.fold import finished_folder
from mer_bench.training.sweep_plan import PlannedRun


class TimeEstimate:
    """Seconds of a method per training clip and epoch, measured on the same config or else on any other.

    Args:
        base: Holds <config>/<method>/seed<N>.
        jobs: Folds at a time; measured seconds are taken as those of a fold beside as many others.
    """

    def __init__(self, base: Path, jobs: int) -> None:
        self.base = base
        self.jobs = jobs
        self.rates: dict[tuple[str, str], float | None] = {}

    def seconds(self, run: PlannedRun) -> float | None:
        """Return the time of the missing folds of a run; None where nothing was measured."""
        clips = [n_train for fold, n_train in run.folds if not finished_folder(run.folder, fold).exists()]
        if not clips:
            return 0.0
        rate = self.rate(run)
        return None if rate is None else rate * run.max_epochs * sum(clips) / min(self.jobs, len(clips))

    def rate(self, run: PlannedRun) -> float | None:
        """Return the seconds per clip and epoch of the method of a run."""
        key = run.config_name, run.folder.parent.name
        if key not in self.rates:
            own = self.base / run.config_name / run.folder.parent.name
            others = sorted(path for path in self.base.glob('*/*') if path.name == own.name)
            measured = (measure_method(folder) for folder in (own, *others))
            self.rates[key] = next((rate for rate in measured if rate is not None), None)
        return self.rates[key]

    def forget(self, run: PlannedRun) -> None:
        """Measure the method of a run again: it has new folds."""
        for key in [key for key in self.rates if key[1] == run.folder.parent.name]:
            del self.rates[key]


def measure_method(folder: Path) -> float | None:
    """Return seconds per training clip and epoch over the finished folds of all seeds of a method."""
    seconds, clips = 0.0, 0
    for run in sorted(folder.glob('seed*')):
        try:
            folds = [json.loads(path.read_text(encoding='utf-8')) for path in run.glob('folds/[!.]*/fold.json')]
            measured = [fold for fold in folds if fold['train_seconds'] is not None]
            clips += sum(fold['n_train'] for fold in measured) * read_epochs(run)
        except (OSError, ValueError, KeyError):  # whoever put it there: it is only an estimate
            continue
        seconds += sum(fold['train_seconds'] + fold['test_seconds'] for fold in measured)
    return seconds / clips if clips else None


def read_epochs(run: Path) -> int:
    """Return the epochs of a fold of a run, as its record tells the config; 1 for a method without any."""
    record = json.loads((run / 'record.json').read_text(encoding='utf-8'))
    found = re.search(r'\bmax_epochs=(\d+)', record['config']['text'])
    return int(found[1]) if found else 1
