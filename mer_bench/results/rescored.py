"""Records of published predictions: a log that others published, scored in the same way as our runs."""

from datetime import date
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.evaluation.labels import name_labels
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import read_predictions
from mer_bench.files import digest_file, write_atomically
from mer_bench.results.record import RESCORED, SCHEMA_VERSION, read_record, write_record

COLUMNS = ('sample_id', 'dataset', 'subject', 'y_true', 'y_pred')


def write_rescored(
    log: str | Path,
    folder: str | Path,
    method: str,
    dataset: str,
    protocol: str,
    url: str,
    classes: list[str],
    epoch_rule: str = 'not stated',
) -> dict:
    """Write record.json and predictions.csv of a published log into `folder`, and return the record.

    Args:
        log: a MEGC log or a csv of predictions.
        dataset, protocol: as the records of runs name them: 'megc2019' and 'LOSO, megc2019_3class'.
        url: where the log was published.
        classes: the names of the classes, in the order of the log's labels. A csv has its labels by name already.
        epoch_rule: how its authors chose the epoch.
    """
    if not protocol.count(', '):
        raise InputError(
            f'expected folds and label scheme as protocol, found {protocol!r}; give it as "LOSO, megc2019_3class"'
        )
    _refuse_own_run(Path(log).with_name('record.json'))
    frame = name_labels(read_predictions(log), classes, log)
    folder = Path(folder)
    record = {
        'schema_version': SCHEMA_VERSION,
        'method': method,
        'protocol': protocol,
        'dataset': dataset,
        'classes': classes,
        'n_clips': len(frame),
        'n_subjects': int(frame['subject'].nunique()),
        'complete': True,
        'scores': score_table(frame, classes),
        'url': url,
        'log': {'name': Path(log).name, 'digest': digest_file(log)},
        'date': date.today().isoformat(),
        'source': RESCORED,
        'synthetic': False,
        'epoch_rule': epoch_rule,
    }
    write_record(folder / 'record.json', record)  # first, since it refuses what no record can hold
    with write_atomically(folder / 'predictions.csv') as temporary:
        frame[list(COLUMNS)].to_csv(temporary, index=False)
    return record


def _refuse_own_run(record: Path) -> None:
    """Refuse the predictions of a run of ours, whose record is beside them."""
    if record.is_file() and read_record(record)['source'] != RESCORED:
        raise InputError(
            f'{record.parent}: expected predictions published by others, found a run with its record; '
            'submit it with mer-bench leaderboard --collect'
        )
