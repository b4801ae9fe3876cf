"""The state of a run folder: finished and continued folds, the record of a complete run, or a failure."""

from collections import Counter
from contextlib import suppress
from datetime import date
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.escaping import shorten_folders
from mer_bench.experiment.provenance import read_run, weights_of
from mer_bench.files import FolderInUse, locked, refuse_special, sealed, write_json
from mer_bench.results.record import FAILURE, read_failure
from mer_bench.sweeps.plan import PlannedRun
from mer_bench.training.fold_folder import (
    PREDICTIONS,
    finished_folders,
    folder_in_work,
    names_in,
    read_result,
)

SCHEMA_VERSION = 1
STATES = ('new', 'continued', 'finished', 'failed')


def count_folds(run: PlannedRun) -> Counter:
    """Count the folds of a run by `STATES`; all unfinished folds of a failed run count as failed."""
    names, failed = names_in(run.folder), run.fault or has_failed(run)
    states = Counter()
    for fold, _ in run.folds:
        if fold.folder in names:
            states['finished'] += 1
        elif failed:
            states['failed'] += 1
        else:
            states['continued' if folder_in_work(run.folder, fold).name in names else 'new'] += 1
    return states


def count_finished(run: PlannedRun) -> int:
    """Count the finished folds of a run."""
    return len(finished_folders(run.folder, [fold for fold, _ in run.folds]))


def state_of(run: PlannedRun) -> str:
    """Return finished, failed or unfinished."""
    return 'finished' if is_complete(run) else 'failed' if has_failed(run) else 'unfinished'


def stored_record(run: PlannedRun) -> dict | None:
    """Return the record in the folder of a run; None if there is none that can be read."""
    try:
        return read_run(run.folder)
    except InputError:
        return None


def score_of(run: PlannedRun) -> float | None:
    """Return UF1 over all clips; None for a run without scores."""
    record = stored_record(run)
    return record['scores']['full']['uf1'] if record and record['scores'] else None


def is_complete(run: PlannedRun) -> bool:
    """Whether a run with these settings is finished and scored."""
    record = stored_record(run)
    return not run.fault and (
        bool(record and record['complete'])
        and not has_other_settings(run, record)
        and count_finished(run) == len(run.folds)
        and is_whole(run)
    )


def is_whole(run: PlannedRun) -> bool:
    """Whether all folds of a finished run are undamaged and predictions.csv has a row for each of their clips."""
    try:
        rows = sum(read_result(run.folder, fold)['n_test'] for fold, _ in run.folds)
        refuse_special(run.folder / PREDICTIONS)
        return (run.folder / PREDICTIONS).read_bytes().count(b'\n') == 1 + rows
    except (OSError, InputError):
        return False


def holds_other_settings(run: PlannedRun) -> bool:
    """Whether the folder of a run has folds of another config, label scheme or data; such folds are never mixed."""
    if run.settings is None or not any((run.folder / 'folds').glob('*')):
        return False
    record = stored_record(run)
    return record is None or has_other_settings(run, record)


def has_other_settings(run: PlannedRun, record: dict) -> bool:
    """Whether a record is of another config, label scheme, file of weights, data or seed than a run."""
    stored = dict(
        config=record['config']['digest'],
        label_scheme=record['label_scheme']['digest'],
        pretrained=weights_of(record),
        annotations_digest=record['data']['annotations_digest'],
        store_digest=record['data']['store_digest'],
    )
    return stored != run.settings or record['seed'] != run.seed


def has_failed(run: PlannedRun) -> bool:
    """Whether the last attempt at a run failed."""
    return (run.folder / FAILURE).exists()


def failure_stamp(run: PlannedRun) -> int | None:
    """When failure.json was written, in nanoseconds; None without one."""
    try:
        return (run.folder / FAILURE).stat().st_mtime_ns
    except OSError:
        return None


def read_reason(run: PlannedRun) -> str:
    """Return the reason in failure.json."""
    try:
        return read_failure(run.folder / FAILURE).content['reason']
    except InputError:
        return f'unknown, because {run.folder / FAILURE} cannot be read'


def write_failure(run: PlannedRun, reason: str) -> None:
    """Write failure.json, unless another process is using the folder and will know better.

    Paths in the reason are cut to their last parts, so that it does not show the folders of this machine.
    """
    folders = (run.folder.parents[2], *run.data_root, Path.cwd(), Path.home())
    content = dict(
        schema_version=SCHEMA_VERSION,
        method=run.method,
        config=run.config_name,
        dataset=run.dataset,
        protocol=run.protocol,
        seed=run.seed,
        synthetic=run.synthetic,
        reason=shorten_folders(reason, folders),
        date=date.today().isoformat(),
    )
    with suppress(FolderInUse), locked(run.folder, 'in use'):
        write_json(run.folder / FAILURE, sealed(content))


def remove_failure(run: PlannedRun) -> None:
    """Remove the failure.json of an earlier attempt."""
    if has_failed(run):  # a finished run may be on a read-only disk
        (run.folder / FAILURE).unlink(missing_ok=True)
