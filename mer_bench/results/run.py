"""Runs as a leaderboard takes them: found, and each record held against the predictions beside it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.evaluation.statistics import SCORES
from mer_bench.results.record import FAILURE, RECORD, RESCORED, Failure, find_records, read_failure, read_record

COMPARED = ('n', 'n_subjects', *SCORES, 'f1_per_class', 'recall_per_class', 'confusion_matrix')


@dataclass(frozen=True)
class Run:
    """One method with one seed; `scores` is computed anew from `predictions`, the table beside the record."""

    path: Path
    record: dict
    predictions: pd.DataFrame
    scores: dict

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
    unfinished = [told for path, record in records.items() if (told := tell_unfinished(path, record))]
    if unfinished:
        raise InputError(
            f'expected complete runs, but these are not: {", ".join(unfinished)}; '
            'run the same tools/train.py command again, it continues where it stopped'
        )


def tell_unfinished(path: Path, record: dict) -> str | None:
    """Return path, method and missing folds of an unfinished run; None of a complete one."""
    if is_complete(record):
        return None
    told = 'rescored'
    if 'folds' in record:
        told = f'seed {record["seed"]}: {missing_folds(record)} of {record["folds"]["total"]} missing'
    return f'{path} ({record["method"]}, {told})'


def is_complete(record: dict) -> bool:
    """Tell whether a run has all its folds and its scores."""
    return not missing_folds(record) and record['complete'] and record['scores'] is not None


def missing_folds(record: dict) -> int:
    """Return the number of folds that a run still lacks; a published log has none of ours."""
    folds = record.get('folds', {'missing': [], 'total': 0, 'done': 0})
    return max(len(folds['missing']), folds['total'] - folds['done'])


def _read_run(path: Path, record: dict) -> Run:
    predictions = read_predictions(path.with_name('predictions.csv'))
    classes = classes_of(predictions) if any(name.startswith('score_') for name in predictions) else record['classes']
    if classes != record['classes'] or len(predictions) != record['n_clips']:
        raise InputError(
            f'{path}: expected {record["n_clips"]} predictions of the classes {", ".join(record["classes"])}, but '
            f'predictions.csv holds {len(predictions)} of {", ".join(map(str, classes))}; run the same command again'
        )
    scores = score_table(predictions, classes)
    if not same_scores(scores, record['scores']):
        raise InputError(
            f'{path}: expected the scores that predictions.csv beside it gives (UF1 {scores["full"]["uf1"]:.4f}), but '
            f'the record holds others (UF1 {_stored_uf1(record)}); write the record again from its predictions'
        )
    fault = disagreement(record, predictions)
    if fault:
        raise InputError(f'{path}: {fault}; write the record again from its predictions')
    return Run(path, record, predictions, scores)


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


def disagreement(record: dict, predictions: pd.DataFrame) -> str | None:
    """Return what a record counts otherwise than its predictions, beside the scores; None where they agree."""
    subjects = predictions['subject'].nunique()
    if record['n_subjects'] != subjects:
        return f'expected {record["n_subjects"]} subjects, as it says, but its predictions are of {subjects}'
    if record['source'] == RESCORED:
        return None
    for key, counted in _per_class(predictions).items():
        stored = {name: number for name, number in record[key].items() if number != 0}
        if stored != counted:
            return f'expected {key} to be {counted}, as its predictions say, but it is {stored}'
    seeds = set(predictions['seed'].astype(str)) if 'seed' in predictions else set()
    if seeds != {str(record['seed'])}:
        return f'expected predictions of seed {record["seed"]} alone, but its predictions are of {_list(seeds)}'
    folds = predictions['fold'].nunique() if 'fold' in predictions else 0
    if folds != record['folds']['total']:
        return f'expected predictions of {record["folds"]["total"]} folds, as it says, but they are of {folds}'
    return None


def _per_class(predictions: pd.DataFrame) -> dict[str, dict]:
    return {
        'clips_per_class': predictions['y_true'].value_counts().to_dict(),
        'subjects_per_class': predictions.groupby('y_true')['subject'].nunique().to_dict(),
    }


def _list(names: set[str]) -> str:
    return ', '.join(sorted(names)) or 'no seed'
