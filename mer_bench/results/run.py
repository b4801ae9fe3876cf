"""Runs as a leaderboard takes them: found, and each record held against the predictions beside it."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, listed
from mer_bench.evaluation.metrics import scores_of_labels
from mer_bench.evaluation.predictions import read_columns
from mer_bench.evaluation.statistics import SCORES, check_classes, count_by_subject, resample_counts
from mer_bench.results.record import FAILURE, RECORD, RESCORED, Failure, find_records, read_failure, read_record

COMPARED = ('n', 'n_subjects', *SCORES, 'f1_per_class', 'recall_per_class', 'confusion_matrix')


@dataclass(frozen=True)
class Run:
    """One method with one seed.

    Attributes:
        path: of its record.
        record: as it was read.
        table: the predictions beside it, one list a column.
        counts: hits, true and predicted clips of each subject and class, (S, 3, C); see `statistics.subject_counts`.
        scores: of the full table and each data set, computed anew from the predictions, without intervals.
    """

    path: Path
    record: dict
    table: dict[str, list]
    counts: np.ndarray
    scores: dict

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The table as a frame, made where one is asked for: of thousands of runs this takes long."""
        return pd.DataFrame(self.table)

    @cached_property
    def resampled(self) -> dict[str, np.ndarray]:
        """The scores of 1000 draws of subjects, the same subjects for every run on the same data."""
        return resample_counts(self.counts)

    @property
    def synthetic(self) -> bool:
        return self.record['synthetic'] or self.record.get('data', {}).get('store', {}).get('synthetic', False)

    @property
    def rescored(self) -> bool:
        """Whether somebody published the predictions, so that seed, config and store are not known."""
        return self.record['source'] == RESCORED


def find_runs(paths: list[str | Path]) -> tuple[list[Path], list[Failure]]:
    """Return the record.json files at `paths`, and the runs that did not finish.

    A folder with a failure.json did not finish unless its record is complete: then the failure was an earlier try. A
    folder that holds published.csv needs no runs.
    """
    paths = [path for path in paths if not _only_published(Path(path))]
    failed = {failure.path.parent: failure for failure in map(read_failure, _failure_files(paths))}
    records = [
        path for path in find_records(paths) if path.parent.resolve() not in failed or is_complete(read_record(path))
    ]
    finished = {path.parent.resolve() for path in records}
    return records, [failure for folder, failure in failed.items() if folder not in finished]


def _only_published(path: Path) -> bool:
    runs = (name for pattern in (RECORD, FAILURE) for name in path.rglob(pattern))
    return Path(path, 'published.csv').is_file() and next(runs, None) is None


def _failure_files(paths: list[str | Path]) -> list[Path]:
    folders = [Path(path) if Path(path).is_dir() else Path(path).parent for path in paths]
    return sorted({file.resolve() for folder in folders for file in folder.rglob(FAILURE)})


def read_runs(paths: list[Path]) -> list[Run]:
    """Read complete runs; a run that lacks folds, or whose scores its predictions do not give, is refused."""
    records = {path: read_record(path) for path in paths}
    _refuse_incomplete(records)
    return [_read_run(path, record) for path, record in records.items()]


def _refuse_incomplete(records: dict[Path, dict]) -> None:
    unfinished = [text for path, record in records.items() if (text := describe_unfinished(path, record))]
    if unfinished:
        raise InputError(
            f'expected complete runs, but these are not: {listed(unfinished)}; '
            'run the same tools/train.py command again, it continues where it stopped'
        )


def describe_unfinished(path: Path, record: dict) -> str | None:
    """Return path, method and missing folds of an unfinished run; None of a complete one."""
    if is_complete(record):
        return None
    text = 'rescored'
    if 'folds' in record:
        text = f'seed {record["seed"]}: {missing_folds(record)} of {record["folds"]["total"]} missing'
    return f'{path} ({record["method"]}, {text})'


def is_complete(record: dict) -> bool:
    """Tell whether a run has all its folds and its scores."""
    return not missing_folds(record) and record['complete'] and record['scores'] is not None


def missing_folds(record: dict) -> int:
    """Return the number of folds that a run still lacks; a published log has none of ours."""
    folds = record.get('folds', {'missing': [], 'total': 0, 'done': 0})
    return max(len(folds['missing']), folds['total'] - folds['done'])


def _read_run(path: Path, record: dict) -> Run:
    file = path.with_name('predictions.csv')
    table = read_columns(file)
    n, classes = len(table['y_true']), [name.removeprefix('score_') for name in table if name.startswith('score_')]
    classes = classes or record['classes']
    if classes != record['classes'] or n != record['n_clips']:
        raise InputError(
            f'{path}: expected {record["n_clips"]} predictions of the classes {", ".join(record["classes"])}, but '
            f'predictions.csv holds {n} of {", ".join(map(str, classes))}; run the same command again'
        )
    try:
        counts, scores = _score(table, classes)
    except InputError as error:
        raise InputError(f'{file}: {error}') from None
    if not same_scores(scores, record['scores']):
        raise InputError(
            f'{path}: expected the scores that predictions.csv beside it gives (UF1 {scores["full"]["uf1"]:.4f}), but '
            f'the record holds others (UF1 {_stored_uf1(record)}); write the record again from its predictions'
        )
    fault = disagreement(record, table)
    if fault:
        raise InputError(f'{path}: {fault}; write the record again from its predictions')
    return Run(path, record, table, counts, scores)


def _score(table: dict[str, list], classes: list) -> tuple[np.ndarray, dict]:
    """Return the counts of the full table, and the scores of it and of each data set."""
    check_classes(classes)
    if unknown := {*table['y_true'], *table['y_pred']} - {*classes}:
        raise InputError(f'expected labels of {", ".join(classes)}, found {min(map(str, unknown))}; correct the labels')
    place = {name: number for number, name in enumerate(classes)}
    y_true, y_pred = (np.array([place[label] for label in table[name]]) for name in ('y_true', 'y_pred'))
    subjects, datasets = (np.array(table[name], dtype=object) for name in ('subject', 'dataset'))
    counts, full = _score_part(subjects, y_true, y_pred, classes)
    names = sorted({*table['dataset']})
    if len(names) == 1:
        return counts, {'full': full, names[0]: full}
    parts = {name: datasets == name for name in names}
    return counts, {'full': full} | {
        name: _score_part(subjects[part], y_true[part], y_pred[part], classes)[1] for name, part in parts.items()
    }


def _score_part(subjects: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, classes: list) -> tuple:
    """Return the counts of one table, and its scores."""
    names, numbers = np.unique(subjects, return_inverse=True)
    counts = count_by_subject(numbers, y_true, y_pred, len(names), len(classes))
    return counts, scores_of_labels(y_true, y_pred, len(names), classes)


def _stored_uf1(record: dict) -> str:
    full = record['scores'].get('full')
    stored = full.get('uf1') if isinstance(full, dict) else None
    return f'{stored:.4f}' if isinstance(stored, float) else 'unknown'


def same_scores(computed: dict, stored: dict) -> bool:
    """Compare the scores of every data set; the intervals are left out, numpy may change its random streams."""
    return computed.keys() == stored.keys() and all(
        isinstance(stored[name], dict) and key in stored[name] and _close(part[key], stored[name][key])
        for name, part in computed.items()
        for key in COMPARED
    )


def _close(computed: object, stored: object) -> bool:
    """Compare numbers to 1e-9, lists and tables part by part; whatever else is stored is another."""
    if isinstance(computed, dict):
        return (
            isinstance(stored, dict)
            and computed.keys() == stored.keys()
            and all(_close(value, stored[key]) for key, value in computed.items())
        )
    if isinstance(computed, list):
        return (
            isinstance(stored, list)
            and len(computed) == len(stored)
            and all(_close(*pair) for pair in zip(computed, stored, strict=True))
        )
    return isinstance(stored, int | float) and not isinstance(stored, bool) and abs(computed - stored) <= 1e-9


def disagreement(record: dict, table: dict[str, list]) -> str | None:
    """Return what a record counts otherwise than its predictions, beside the scores; None where they agree."""
    subjects = len({*table['subject']})
    if record['n_subjects'] != subjects:
        return f'expected {record["n_subjects"]} subjects, as it says, but its predictions are of {subjects}'
    if record['source'] == RESCORED:
        return None
    for key, counted in _per_class(table).items():
        stored = {name: number for name, number in record[key].items() if number != 0}
        if stored != counted:
            return f'expected {key} to be {counted}, as its predictions say, but it is {stored}'
    seeds = {*map(str, table.get('seed', ()))}
    if seeds != {str(record['seed'])}:
        return f'expected predictions of seed {record["seed"]} alone, but its predictions are of {_list(seeds)}'
    folds = len({*table.get('fold', ())})
    if folds != record['folds']['total']:
        return f'expected predictions of {record["folds"]["total"]} folds, as it says, but they are of {folds}'
    return None


def _per_class(table: dict[str, list]) -> dict[str, dict]:
    pairs = {*zip(table['y_true'], table['subject'], strict=True)}
    return {
        'clips_per_class': dict(Counter(table['y_true'])),
        'subjects_per_class': dict(Counter(label for label, _ in pairs)),
    }


def _list(names: set[str]) -> str:
    return ', '.join(sorted(names)) or 'no seed'
