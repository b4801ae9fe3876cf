"""Whether a record says what the predictions beside it say."""

import pandas as pd

from mer_bench.evaluation.statistics import SCORES
from mer_bench.results.record import RESCORED

COMPARED = ('n', 'n_subjects', *SCORES, 'f1_per_class', 'recall_per_class', 'confusion_matrix')


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
