"""A finished run as a leaderboard takes it: its record, checked against its predictions."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.results.agreement import disagreement, same_scores
from mer_bench.results.record import RESCORED, read_record


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
