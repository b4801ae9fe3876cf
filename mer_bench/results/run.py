"""The runs of a leaderboard: finds them, and compares each record with the predictions beside it."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError, listed
from mer_bench.escaping import folder_name
from mer_bench.evaluation.metrics import METRICS, SubjectCounts, score_table
from mer_bench.evaluation.predictions import read_columns
from mer_bench.evaluation.statistics import contrast
from mer_bench.files import digest_of
from mer_bench.results.record import (
    FAILURE,
    PREDICTIONS,
    RECORD,
    RESCORED,
    WITH_DIGEST,
    Failure,
    place_of,
    read_failure,
    read_record,
    refuse_changed_files,
    temperatures_of,
)


@dataclass(frozen=True)
class Run:
    """One method with one seed.

    Attributes:
        path: of its record.
        record: the content of record.json.
        table: the predictions beside it, one list a column.
        scores: of the full table and each data set, recomputed from the predictions, without intervals.
    """

    path: Path
    record: dict
    table: dict[str, list]
    scores: dict

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The table as a frame, made on demand: for thousands of runs this would be slow."""
        return pd.DataFrame(self.table)

    @cached_property
    def counts(self) -> SubjectCounts:
        """The confusion matrix of each subject."""
        return SubjectCounts.of(self.table, self.record['classes'])

    @property
    def synthetic(self) -> bool:
        return self.record['synthetic'] or self.record.get('data', {}).get('store', {}).get('synthetic', False)

    @property
    def rescored(self) -> bool:
        """Whether others published the predictions, so that seed, config and store are not known."""
        return self.record['source'] == RESCORED

    @property
    def place(self) -> Path:
        """Its folder below that of the results it is committed with."""
        record = self.record
        if not self.rescored:
            return place_of(record['config']['name'], record['method'], record['seed'])
        return Path(RESCORED, folder_name(record['dataset'], 'a data set'), folder_name(record['method'], 'a method'))


@dataclass(frozen=True)
class Method:
    """The runs of one method on the same data, one per seed, in the order of the seeds.

    Attributes:
        repeat: whether another method has the same settings and a seed of these, on another store of the same data.
    """

    runs: list[Run]
    repeat: bool = False

    @property
    def record(self) -> dict:
        """The record of the first seed; the others differ in what depends on the seed."""
        return self.runs[0].record

    @property
    def name(self) -> str:
        return self.record['method']

    @property
    def base(self) -> str:
        """The name without its options."""
        return self.name.partition('+')[0]

    @property
    def title(self) -> str:
        """The name, and what distinguishes methods of one name."""
        return f'{self.name} ({self.record["config"]["digest"][:8]})'

    @property
    def seeds(self) -> dict[int, Run]:
        return {run.record['seed']: run for run in self.runs}

    @property
    def overrides(self) -> dict[str, str]:
        """The digest of each override, by name."""
        return {override['name']: override['digest'] for override in self.record['overrides']}

    @property
    def counts(self) -> list[SubjectCounts]:
        return [run.counts for run in self.runs]

    @property
    def uf1(self) -> float:
        """The mean over the seeds."""
        return contrast([self.counts], [1], 'uf1').value

    @property
    def settings(self) -> str:
        """The digest of config and overrides, which the seeds share."""
        return settings_of(self.record)


def settings_of(record: dict) -> str:
    """Return the digest of the config and the overrides of a run."""
    return digest_of([record['config']['digest'], *(override['digest'] for override in record['overrides'])])


def methods_of(runs: list[Run]) -> list[Method]:
    """Return the methods of one section: runs that share name, settings, epoch rule and source are seeds of one.

    Where a seed was run on several stores of the same data, each store makes a method; the store of most runs is first,
    and the others are repeats.
    """

    def key(run: Run) -> tuple:
        return run.record['method'], settings_of(run.record), run.record['epoch_rule'], run.record['source']

    usual = Counter(map(store_of, runs))
    methods = []
    for group in group_by(runs, key).values():
        seeds = sorted(group, key=lambda run: run.record['seed'])
        if len({run.record['seed'] for run in seeds}) == len(seeds):
            methods.append(Method(seeds))
            continue
        stores = group_by(seeds, lambda run: (-usual[store_of(run)], store_of(run)))
        methods += [Method(part, repeat=number > 0) for number, part in enumerate(stores.values())]
    return methods


def store_of(run: Run) -> str:
    """Return the digest of the flow that a run read."""
    return run.record['data']['store_digest']


def group_by(runs: list[Run], key: Callable[[Run], tuple]) -> dict[tuple, list[Run]]:
    """Group runs by a key, groups in the order of their keys."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return dict(sorted(groups.items()))


def find_runs(paths: list[str | Path]) -> tuple[list[Path], list[Failure]]:
    """Return the record.json files at `paths`, each once, and the failed runs.

    A folder with a failure.json is a failed run unless its record is complete: then an earlier attempt failed.

    Args:
        paths: each a record.json, a run folder or a folder above run folders. One that holds published.csv needs no
            runs.
    """
    records, failed = {}, {}
    for path in map(Path, paths):
        found = sorted(path.rglob(RECORD)) if path.is_dir() else [path]
        notes = sorted((path if path.is_dir() else path.parent).rglob(FAILURE))
        if not path.exists() or not (found or notes or Path(path, 'published.csv').is_file()):
            raise InputError(
                f'{path}: expected a record.json or a folder that holds one, but there is none; '
                'run mer-bench train first or check the path'
            )
        records |= {os.path.realpath(record): record for record in found}  # a loop of links raises nothing
        failed |= {note.resolve().parent: note.resolve() for note in notes}
    failures = {folder: read_failure(note) for folder, note in sorted(failed.items())}
    kept = [
        path for path in records.values() if path.parent.resolve() not in failures or is_complete(read_record(path))
    ]
    finished = {path.parent.resolve() for path in kept}
    return kept, [failure for folder, failure in failures.items() if folder not in finished]


def read_runs(paths: list[Path]) -> list[Run]:
    """Read complete runs; refuse a run with missing folds, or with scores that differ from its predictions."""
    records = {path: read_record(path) for path in paths}
    if unfinished := [text for path, record in records.items() if (text := describe_unfinished(path, record))]:
        raise InputError(
            f'expected complete runs, but these are not: {listed(unfinished)}; '
            'run the same mer-bench train command again, it continues where it stopped'
        )
    return [_read_run(path, record) for path, record in records.items()]


def describe_unfinished(path: Path, record: dict) -> str | None:
    """Return path, method and missing folds of an unfinished run; None of a complete one."""
    if is_complete(record):
        return None
    text = 'rescored'
    if 'folds' in record:
        text = f'seed {record["seed"]}: {missing_folds(record)} of {record["folds"]["total"]} missing'
    return f'{path} ({record["method"]}, {text})'


def is_complete(record: dict) -> bool:
    """Return whether a run has all its folds and its scores."""
    return not missing_folds(record) and record['complete'] and record['scores'] is not None


def missing_folds(record: dict) -> int:
    """Return the number of missing folds; a published log has no folds."""
    folds = record.get('folds', {'missing': [], 'total': 0, 'done': 0})
    return max(len(folds['missing']), folds['total'] - folds['done'])


def _read_run(path: Path, record: dict) -> Run:
    file = path.with_name(PREDICTIONS)
    refuse_changed_files(path, record, WITH_DIGEST)
    table = read_columns(file)
    n, classes = len(table['y_true']), [name.removeprefix('score_') for name in table if name.startswith('score_')]
    classes = classes or record['classes']
    if classes != record['classes'] or n != record['n_clips']:
        raise InputError(
            f'{path}: expected {record["n_clips"]} predictions of the classes {", ".join(record["classes"])}, but '
            f'predictions.csv holds {n} of {", ".join(map(str, classes))}; run the same command again'
        )
    try:
        scores = score_table(table, classes, intervals=False)
    except InputError as error:
        raise InputError(f'{file}: {error}') from None
    if not same_scores(scores, record['scores']):
        stored = f'{record["scores"]["full"]["uf1"]:.4f}' if 'full' in record['scores'] else 'unknown'
        raise InputError(
            f'{path}: expected the scores that predictions.csv beside it gives (UF1 {scores["full"]["uf1"]:.4f}), but '
            f'the record holds others (UF1 {stored}); write the record again from its predictions'
        )
    if fault := disagreement(record, table):
        raise InputError(f'{path}: {fault}; write the record again from its predictions')
    return Run(path, record, table, scores)


def same_scores(computed: dict, stored: dict) -> bool:
    """Compare the scores of every data set; the intervals are left out, numpy may change its random streams.

    A metric that is not in the record is newer than the record; the schema requires the others.
    """
    per_class = 'f1_per_class', 'recall_per_class', 'confusion_matrix'
    keys = 'n', 'n_subjects', *(metric.name for metric in METRICS), *per_class
    return computed.keys() == stored.keys() and all(
        _close(part[key], stored[name][key]) for name, part in computed.items() for key in keys if key in stored[name]
    )


def _close(computed: object, stored: object) -> bool:
    """Compare numbers to 1e-9, lists and tables part by part."""
    if isinstance(computed, dict):
        return computed.keys() == stored.keys() and all(_close(value, stored[key]) for key, value in computed.items())
    if isinstance(computed, list):
        return len(computed) == len(stored) and all(map(_close, computed, stored))
    return isinstance(stored, int | float) and abs(computed - stored) <= 1e-9


def disagreement(record: dict, table: dict[str, list]) -> str | None:
    """Return where the counts of a record differ from its predictions; None if they agree."""
    subjects = len({*table['subject']})
    if record['n_subjects'] != subjects:
        return f'expected {record["n_subjects"]} subjects, as in the record, but the predictions are of {subjects}'
    if record['source'] == RESCORED:
        return None
    pairs = {*zip(table['y_true'], table['subject'], strict=True)}
    per_class = {
        'clips_per_class': dict(Counter(table['y_true'])),
        'subjects_per_class': dict(Counter(label for label, _ in pairs)),
    }
    for key, counted in per_class.items():
        stored = {name: number for name, number in record[key].items() if number != 0}
        if stored != counted:
            return f'expected {key} to be {counted}, as in the predictions, but it is {stored}'
    seeds = {*map(str, table.get('seed', ()))}
    if seeds != {str(record['seed'])}:
        found = ', '.join(sorted(seeds)) or 'no seed'
        return f'expected predictions of seed {record["seed"]} alone, but found {found}'
    folds = {*table.get('fold', ())}
    if len(folds) != record['folds']['total']:
        return (
            f'expected predictions of {record["folds"]["total"]} folds, as in the record, but they are of {len(folds)}'
        )
    if (temperatures := temperatures_of(record)) and temperatures.keys() != folds:
        odd = min(temperatures.keys() ^ folds)
        return f'expected a temperature for each fold of the predictions, but the two differ in {odd}'
    return None
