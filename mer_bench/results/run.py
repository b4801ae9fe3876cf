"""A finished run as a leaderboard takes it: its record, checked against its predictions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.evaluation.statistics import SCORES
from mer_bench.results.record import RESCORED, read_record

POINT_SCORES = ('n', *SCORES, 'confusion_matrix')


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
    unfinished = []
    for path, record in records.items():
        if not is_complete(record):
            told = 'rescored'
            if 'folds' in record:
                told = f'seed {record["seed"]}: {missing_folds(record)} of {record["folds"]["total"]} missing'
            unfinished.append(f'{path} ({record["method"]}, {told})')
    if unfinished:
        raise InputError(
            f'expected complete runs, but these are not: {", ".join(unfinished)}; '
            'run the same tools/train.py command again, it continues where it stopped'
        )


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
    if not _same_scores(scores, record['scores']):
        raise InputError(
            f'{path}: expected the scores that predictions.csv beside it gives (UF1 {scores["full"]["uf1"]:.4f}), but '
            f'the record holds others (UF1 {_stored_uf1(record)}); write the record again from its predictions'
        )
    return Run(path, record, predictions, scores)


def _same_scores(computed: dict, stored: dict) -> bool:
    """Compare the scores of every data set; the intervals are left out, numpy may change its random streams."""
    return computed.keys() == stored.keys() and all(
        key in stored[name]
        and np.shape(part[key]) == np.shape(stored[name][key])
        and np.allclose(part[key], stored[name][key], rtol=0, atol=1e-9)
        for name, part in computed.items()
        for key in POINT_SCORES
    )


def _stored_uf1(record: dict) -> str:
    stored = record['scores'].get('full', {}).get('uf1')
    return f'{stored:.4f}' if isinstance(stored, float) else 'unknown'
