"""`mer-bench reproduce`: some folds of a record trained again, and their predictions compared with those beside it.

The config text of the record is read as data (experiment/recorded.py). Seed, label scheme, threads, precision and the
way of stacking are those of the record; folds, data and the rest of the machine are those of whoever repeats it.
"""

import os
import random
import re
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError, listed, visible
from mer_bench.evaluation.metrics import scores
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.experiment.experiment import Experiment, RunOptions, is_whole, refuse_count
from mer_bench.experiment.precision import commit, versions
from mer_bench.experiment.provenance import difference, made_with, settings_of, start_record, values_of
from mer_bench.experiment.recorded import Recorded, open_recorded
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import RECORD, RESCORED, describe_batch, place_of, read_record
from mer_bench.results.run import read_runs
from mer_bench.runs.run import RunSettings, default_jobs
from mer_bench.runs.train import run_opened
from mer_bench.training.fold_folder import PREDICTIONS, finished_folders

IDENTICAL, SAME_LABELS, DIFFERENT = 'identical', 'same labels', 'different'
# they choose instructions, which no record notes
VARIABLES = (
    'ONEDNN_MAX_CPU_ISA',
    'DNNL_MAX_CPU_ISA',
    'ATEN_CPU_CAPABILITY',
    'OPENBLAS_CORETYPE',
    'MKL_CBWR',
    'NPY_DISABLE_CPU_FEATURES',
)


@dataclass(frozen=True)
class Match:
    """Predictions then and now of the same clips.

    Attributes:
        clips: Their number.
        labels: How many have another predicted class now.
        scores: The largest difference of a score; None without scores.
        uf1: Of these clips, then and now.
    """

    clips: int
    labels: int
    scores: float | None
    uf1: tuple[float, float]

    @property
    def result(self) -> str:
        """'identical', 'same labels' or 'different'."""
        return DIFFERENT if self.labels else SAME_LABELS if self.scores else IDENTICAL

    def __str__(self) -> str:
        if self.labels:
            then, now = self.uf1
            return (
                f'{DIFFERENT}: {self.labels} of {self.clips} labels; UF1 of these clips {then:.4f} then, {now:.4f} now'
            )
        return f'{SAME_LABELS}, scores within {self.scores:.1g}' if self.scores else IDENTICAL


@dataclass(frozen=True)
class Reproduction:
    """A record and what came out when some of its folds were trained again.

    Attributes:
        path: Of the record.
        record: Its content.
        total: Of all folds that were trained.
        folds: The match of each, by its name.
        differences: One line for each thing in which the training differed from the record.
    """

    path: Path
    record: dict = field(repr=False)
    total: Match
    folds: dict[str, Match]
    differences: list[str]

    @property
    def result(self) -> str:
        """'identical', 'same labels' or 'different'."""
        return self.total.result

    def to_dict(self) -> dict:
        """Return everything as JSON can hold it."""
        of = {name: _plain(match) for name, match in self.folds.items()}
        known = dict(record=str(self.path), method=self.record['method'], seed=self.record['seed'])
        return known | _plain(self.total) | dict(folds=of, differences=self.differences)

    def __str__(self) -> str:
        from tabulate import tabulate

        record, count = self.record, len(self.folds)
        title = f'{record["method"]} on {record["dataset"]}, {record["protocol"]}, seed {record["seed"]}'
        rows = [
            [name, match.clips, match.result, match.labels, '-' if match.scores is None else f'{match.scores:.1g}']
            for name, match in self.folds.items()
        ]
        headers = ['fold', 'clips', 'result', 'other labels', 'scores within']
        table = tabulate(rows, headers, disable_numparse=True, colalign=('left', 'right', 'left', 'right', 'right'))
        of = f'{count} of {record["folds"]["total"]} folds, {self.total.clips} clips'
        why = self.differences or ['nothing that a record names']
        lines = [
            title,
            table,
            f'{of}: {self.total}',
            'different from the record:',
            *(f'- {visible(line)}' for line in why),
        ]
        return '\n'.join(lines if self.differences or self.result != IDENTICAL else lines[:3])


def _plain(match: Match) -> dict:
    then, now = match.uf1
    return dict(
        result=match.result, clips=match.clips, other_labels=match.labels, scores_within=match.scores,
        uf1_then=then, uf1_now=now,
    )  # fmt: skip


def reproduce(
    record: str | Path,
    folds: int | str = 3,
    data_root: str | Path | Sequence[str | Path] = (),
    *,
    fold_seed: int = 0,
    weights: str | Path | None = None,
    work_dir: str | Path | None = None,
    jobs: int | None = None,
) -> Reproduction:
    """Train folds of a record again, and compare their predictions with the predictions.csv beside the record.

    Args:
        record: A record.json, or the folder of a run.
        folds: How many, or 'all'.
        data_root: Prepared data, one folder for each data set of the record; empty: data/<data set>.
        fold_seed: Draws the folds.
        weights: The file of pretrained weights of the record; None: where the record says.
        work_dir: Keeps the trained folds; None: a temporary folder.
        jobs: Folds at a time; None: as for :func:`mer_bench.runs.train.train`.

    Raises:
        InputError: The record cannot be repeated, or the data are not there.
    """
    path = Path(record, RECORD) if Path(record).is_dir() else Path(record)
    if folds != 'all' and not (is_whole(folds) and folds > 0):
        raise InputError(f'folds {folds!r}: expected a number of folds, or all; correct it')
    if jobs is not None:
        refuse_count('jobs', jobs)
    noted, then = read_repeatable(path)
    roots = [data_root] if isinstance(data_root, str | Path) else data_root
    options = RunOptions('', data_root=[*map(str, roots)] or roots_of(noted), **place_of_training(noted))
    try:
        if not roots and (absent := [root for root in options.data_root if not Path(root).exists()]):
            raise InputError(f'no prepared data in {listed(absent)}; give --data-root with the folders of its data')
        with tempfile.TemporaryDirectory() if work_dir is None else nullcontext(work_dir) as folder:
            place = Path(folder, place_of(noted['config']['name'], noted['method'], noted['seed']))
            recorded = open_recorded(noted, path, options, weights and Path(weights))
            trained, now = train_again(recorded, noted, place, draw(recorded.experiment, then, folds, fold_seed), jobs)
    except InputError as error:
        raise InputError(why_not(path, noted, error)) from None
    matches = {
        name: match(part, now, noted['classes']) for name, part in then.groupby('fold') if name in {*now['fold']}
    }
    then = then[then['fold'].isin(matches)]
    differences = [*differences_of(noted, trained, recorded.same), *differences_of_clips(then, now)]
    return Reproduction(path, noted, match(then, now, noted['classes']), matches, differences)


def train_again(
    recorded: Recorded, record: dict, folder: Path, folds: list[Fold], jobs: int | None
) -> tuple[dict, pd.DataFrame]:
    """Train folds of a record into a run folder; return its record and the predictions of these folds."""
    experiment, seed = replace(recorded.experiment, chosen=folds), record['seed']
    if experiment.method.cfg.dataset != record['dataset']:
        found = experiment.method.cfg.dataset
        raise InputError(f'expected data of {record["dataset"]}, found {found}; name others with --data-root')
    if (record.get('precision') or {}).get('used', 'fp32') == 'fp32':  # mixed precision is decided again
        experiment = experiment.with_each(lambda one: replace(one, precision='fp32'))
    settings = RunSettings(seed, folder, jobs or default_jobs(experiment.device), stack=stack_of(record))
    trained = run_opened(experiment, settings, start_record(experiment, seed))
    done = finished_folders(folder, folds)
    return trained, pd.concat([read_predictions(place / PREDICTIONS) for place in done.values()])


def why_not(path: Path, record: dict, error: InputError) -> str:
    """Return why a record cannot be repeated here, with the version that made it if that is another."""
    fault = str(error).removeprefix(f'{path}: ')
    made = made_with(record, dict(versions=versions(), commit=commit())).lstrip(', ')
    hints = [f'the record was {made}'] if made else []
    if record['synthetic'] and 'no prepared' in fault:
        hints.append('`mer-bench prepare synthetic` draws such faces, with the options that their maker knows')
    return '; '.join([f'{path} cannot be repeated here: {fault}', *hints])


def read_repeatable(path: Path) -> tuple[dict, pd.DataFrame]:
    """Return the record of a finished run and its predictions; refuse a record that does not say how it was made."""
    record = read_record(path)
    if record['source'] == RESCORED:
        raise InputError(
            f'{path}: expected the record of a run, found predictions that others published ({record["url"]}); nobody '
            'can train them from this record'
        )
    if not path.with_name(PREDICTIONS).is_file():
        raise InputError(f'{path}: expected {PREDICTIONS} beside it to compare with, found none; put it there')
    return record, read_runs([path])[0].predictions


def roots_of(record: dict) -> list[str]:
    """Return where the data of a record are by the habit of the configs: data/<data set>."""
    store = record['data']['store']
    return [f'data/{part.get("dataset", record["dataset"])}' for part in store.get('stores', [store])]


def place_of_training(record: dict) -> dict:
    """Return device and threads of a record; of a method of scikit-learn, its command alone names the threads."""
    known = f'{record["device"]} {record.get("command")}'
    threads = re.search(r'(?:cpu, |--threads )([1-9]\d{0,3})\b', known)
    return dict(device='cpu' if known.startswith('cpu') else 'auto', threads=int(threads[1]) if threads else 1)


def stack_of(record: dict) -> str | int:
    """Return the option --stack that trains folds in the way of a record."""
    noted = record.get('stack')
    if not noted:
        return 'off'  # before there was another way
    if noted['why'] == 'it is no network' or record['parameters'] is None:
        return 'off' if noted['asked'] == 'off' else 'auto'
    return dict(off='off', sequential=1, stacked=max(1, noted['folds'])).get(noted['way'], 'auto')


def draw(experiment: Experiment, then: pd.DataFrame, folds: int | str, seed: int) -> list[Fold]:
    """Return some folds of a record, in their order: those that the data here have too."""
    names = {*then['fold']}
    known = [fold for fold in experiment.folds if fold.name in names]
    if not known:
        raise InputError(
            f'expected data with the folds {listed(sorted(names))}, found others, such as {experiment.folds[0].name}; '
            'give the data of the record with --data-root'
        )
    if folds == 'all' or folds >= len(known):
        return known
    places = random.Random(seed).sample(range(len(known)), folds)
    return [known[place] for place in sorted(places)]


def match(then: pd.DataFrame, now: pd.DataFrame, classes: list[str]) -> Match:
    """Compare predictions of the clips that both have."""
    then, now = (table.set_index('sample_id', drop=False) for table in (then, now))
    both = then.index.intersection(now.index)
    if both.empty:
        raise InputError('expected the clips of the record, found none of them; give its data with --data-root')
    then, now = then.loc[both], now.loc[both]
    columns = [name for name in then if 'score_' in name and name in now]
    largest = (then[columns] - now[columns]).abs().max(axis=None) if columns else None
    uf1 = tuple(scores(table, classes, intervals=False)['uf1'] for table in (then, now))
    return Match(len(both), int((then['y_pred'] != now['y_pred']).sum()), largest and float(largest), uf1)


def differences_of(record: dict, trained: dict, same: bool) -> list[str]:
    """Return in what a training differs from a record: settings, data, way of training, machine, versions.

    Args:
        record: That is repeated.
        trained: The record of the training.
        same: Whether the config is the one that was trained.
    """
    then, now = settings_of(record, continued=True), settings_of(trained, continued=True)
    if same or values_of(then['config']['text']) == values_of(now['config']['text']):
        del now['config']  # the text may name another place of the same weights
    lines = [] if same else ['config: its text is not the one whose digest the record holds']
    lines += [f'{part}: {difference(then[part], value)}' for part, value in now.items() if value != then[part]]
    ways = [_way(part) for part in (record, trained)]
    pairs = {'way of training': ways, 'commit': [record['commit'], trained['commit']]}
    pairs |= {name: [record['versions'].get(name), value] for name, value in trained['versions'].items()}
    lines += [f'{name}: {difference(*pair)}' for name, pair in pairs.items() if pair[0] != pair[1]]
    if (together := _together(record)) > _together(trained):
        lines.append(f'folds trained together: {together}, now {_together(trained)}, as only some folds are repeated')
    return lines + [
        f'{name}={os.environ[name]} is set here; a record does not say' for name in VARIABLES if name in os.environ
    ]


def _way(record: dict) -> str:
    noted = record.get('stack') or {}
    batch = record.get('batch') and describe_batch(record['batch'])
    return ', '.join(filter(None, (noted.get('trained') or noted.get('way'), record.get('fit'), batch)))


def _together(record: dict) -> int:
    """Return how many folds a stack holds; the last digits may depend on it."""
    stack = record.get('stack') or dict(way='off')
    return min(stack['folds'], record['folds']['done']) if stack['way'] == 'stacked' else 1


def differences_of_clips(then: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """Return how the held-out clips differ: those that only one side has, and those with another label."""
    labels = [table.set_index('sample_id')['y_true'] for table in (then, now)]
    both = labels[0].index.intersection(labels[1].index)
    counts = {
        'of the record that are not here': len(labels[0]) - len(both),
        'here that are not in the record': len(labels[1]) - len(both),
        'with another true label here': int((labels[0][both] != labels[1][both]).sum()),
    }
    return [f'clips {what}: {count}' for what, count in counts.items() if count]
