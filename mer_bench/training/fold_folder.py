"""The folder of one fold: what a finished one holds, and what an unfinished one continues from.

Nothing here needs torch at import: methods of scikit-learn, and a run that is finished, do without.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError, cause_of
from mer_bench.evaluation.curves import CURVES, curves_text
from mer_bench.evaluation.epoch_audit import AUDIT
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import describe_device
from mer_bench.files import digest_file, is_changed, read_json, refuse_special, sealed, write_atomically, write_json
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import (
    PREDICTIONS,
    Count,
    Duration,
    Line,
    Name,
    Part,
    Score,
    SmallerBatch,
    Temperature,
    check_schema,
    describe_batch,
)

EPOCH = 'epoch'  # file with the number of finished epochs, for the progress bar of the parent
BATCH = 'batch'  # of a run or a fold: how many clips are computed at a time, where a batch did not fit on the GPU
POINTER = 'last_checkpoint'  # MMEngine's name for the file with the path of the newest checkpoint
CHECKPOINT = 'checkpoint.pth'
IN_WORK = re.compile(r'(?:epoch|iter)_([0-9]{1,9})\.pth')  # MMEngine's, to continue from
FLOAT_FORMAT = '%.9g'  # nine digits distinguish every float32 from its neighbours
EPOCH_SCORES = 'epoch_scores.npy'  # with audit.csv: the class scores of each clip in its order, (N, E, C) float32
# keys of fold.json
DIGESTS = {AUDIT: 'audit_digest', EPOCH_SCORES: 'epoch_scores_digest', CURVES: 'curves_digest'}
RESULTS = (PREDICTIONS, 'config.py', 'train.log', 'fold.json', CHECKPOINT, *DIGESTS)
REMEDY = 'restore it, or remove the folder of this fold and run the same command to train it again'


class Together(Part):
    """How a fold was trained with others."""

    way: Line
    folds: Count


class InnerChoice(Part):
    """What a fold chose, the inner UF1 of all that it could choose in their order, the temperature of the inner scores
    of its choice, and how long that took."""

    candidate: Line
    epoch: Count | None = None
    uf1: list[Score]
    temperature: Temperature | None = None
    seconds: Duration | None = None


class FoldResult(Part):
    """The content of fold.json. Folds of earlier versions lack digests or `stack`; `digest` is that of all else."""

    fold: Name
    n_train: Count
    n_test: Count
    train_seconds: Duration | None
    test_seconds: Duration | None
    device: Line
    versions: dict[Line, Line | None]
    commit: Line | None
    date: Line
    stack: Together | None = None
    batch: SmallerBatch | None = None
    fit: Line | None = None
    inner: InnerChoice | None = None
    predictions_digest: Line | None = None
    audit_digest: Line | None = None
    epoch_scores_digest: Line | None = None
    curves_digest: Line | None = None
    digest: Line | None = None


def finished_folders(work_dir: Path, folds: Iterable[Fold]) -> dict[str, Path]:
    """Return the folder of each finished fold by the name of the fold; it appears whole, by a rename."""
    names = names_in(work_dir)
    return {fold.name: work_dir / 'folds' / fold.folder for fold in folds if fold.folder in names}


def names_in(work_dir: Path) -> set[str]:
    """Return the names in `folds/` of a run folder, those of unfinished folds with their dot."""
    try:
        return {*os.listdir(work_dir / 'folds')}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def folder_in_work(work_dir: Path, fold: Fold) -> Path:
    """The folder of a fold that is being trained."""
    return work_dir / 'folds' / f'.{fold.folder}'


def run_title(experiment: Experiment, fold: Fold | None, seed: int) -> str:
    """Return the first line of the log of a fold, or of a whole run."""
    method, place = experiment.method, describe_device(experiment)
    return ', '.join([method.config_name, method.name, *([f'fold {fold.name}'] if fold else []), f'seed {seed}', place])


def describe_result(result: dict) -> str:
    """Return the line about a finished fold."""
    seconds = result['train_seconds']
    time = 'continued' if seconds is None else f'{seconds:.0f} s'
    parts = f', {describe_batch(result["batch"])}' if 'batch' in result else ''
    return f'{result["fold"]}: {result["n_train"]} clips to train, {result["n_test"]} to test, {time}{parts}'


def write_predictions(table: pd.DataFrame, path: str | Path) -> None:
    """Write predictions.csv in the order of sample_id."""
    with write_atomically(path) as temporary:
        temporary.write_text(predictions_text(table), encoding='utf-8')


def predictions_text(table: pd.DataFrame) -> str:
    """Return the text of predictions.csv, in the order of sample_id."""
    return table.sort_values('sample_id').to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator='\n')


def write_curves(table: pd.DataFrame, folder: Path) -> None:
    """Write curves.csv of a fold in work."""
    (folder / CURVES).write_text(curves_text(table), encoding='utf-8')


def finish_fold(fold: Fold, work_dir: Path, result: dict) -> None:
    """Write fold.json, remove what is no result, and rename the folder in work to its final name."""
    folder = folder_in_work(work_dir, fold)
    digests = dict(predictions_digest=digest_file(folder / PREDICTIONS))
    digests |= {key: digest_file(folder / name) for name, key in DIGESTS.items() if (folder / name).exists()}
    write_json(folder / 'fold.json', sealed(result | digests))
    for path in folder.iterdir():  # checkpoints for continuing, and MMEngine's empty log folder
        if path.is_dir() or path.name not in RESULTS:
            remove(path)
    folder.rename(folder.with_name(fold.folder))


def read_result(work_dir: Path, fold: Fold) -> dict:
    """Return the fold.json of a finished fold.

    Raises:
        InputError: It, or predictions.csv beside it, is not what was written. A fold of an earlier version has
            no digest of its predictions, so only its clips and labels are checked, later.
    """
    path, table = (work_dir / 'folds' / fold.folder / name for name in ('fold.json', PREDICTIONS))
    result = read_json(path, REMEDY)
    check_schema(path, result, FoldResult, REMEDY)
    if result['fold'] != fold.name:
        raise InputError(f'{path}: expected the fold {fold.name}, but it is of the fold {result["fold"]}; {REMEDY}')
    refuse_special(table, REMEDY)
    try:
        digest = digest_file(table)
    except OSError as error:
        raise InputError(
            f'{table}: expected the predictions of a fold, but got {cause_of(error)!r}; {REMEDY}'
        ) from None
    if result.get('predictions_digest') not in (None, digest):
        raise InputError(f'{table}: expected the predictions that were written, but they are others; {REMEDY}')
    if is_changed(result):
        raise InputError(f'{path}: expected what was written, but it was changed; {REMEDY}')
    for name, key in DIGESTS.items():
        file = table.with_name(name)
        if result.get(key) and not (file.is_file() and digest_file(file) == result[key]):
            raise InputError(f'{file}: expected the file that was written, but it is missing or another; {REMEDY}')
    return result


def mend_folder(work_dir: Path, fold: Fold) -> str | None:
    """Let an unfinished fold continue from its newest whole checkpoint, or begin again if none is whole.

    Returns:
        A line about what was damaged, if anything.
    """
    folder = folder_in_work(work_dir, fold)
    pointer = folder / POINTER
    if os.path.lexists(pointer):
        remove(pointer)
    found = sorted((path for path in folder.glob('*.pth') if IN_WORK.fullmatch(path.name)), key=_number, reverse=True)
    if not found:
        return None
    whole = next((path for path in found if can_resume(path)), None)
    if whole is None:
        shutil.rmtree(folder)
        return f'{fold.name}: {found[0].name} is damaged; this fold is trained again from its beginning'
    damaged = found[: found.index(whole)]
    with write_atomically(pointer) as temporary:
        temporary.write_text(str(whole))
    for path in damaged:
        remove(path)
    return f'{fold.name}: {damaged[0].name} is damaged; this fold continues from {whole.name}' if damaged else None


def can_resume(path: Path) -> bool:
    """Whether a checkpoint of MMEngine's Runner is whole, holds no code, and has what a training continues from."""
    import torch

    from mer_bench.models.backbones.pretrained import is_whole

    try:
        content = (
            path.is_file() and is_whole(path) and torch.load(path, map_location='cpu', weights_only=True, mmap=True)
        )
        parts = [content[key] for key in ('state_dict', 'optimizer', 'message_hub')]
        numbers = [content['meta'][key] for key in ('epoch', 'iter')]
    except Exception:  # a damaged or hostile file can raise anything
        return False
    return all(isinstance(part, dict) for part in parts) and all(type(number) is int for number in numbers)


def remove(path: Path) -> None:
    """Remove a file, a folder, or a link to either."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _number(path: Path) -> int:
    """The number in the name of a checkpoint, epoch_10.pth."""
    return int(IN_WORK.fullmatch(path.name)[1])


def report_epoch(folder: Path, epoch: int) -> None:
    """Note the number of finished epochs."""
    (folder / EPOCH).write_text(str(epoch))


def read_epochs(work_dir: Path, folds: Iterable[Fold], max_epochs: int) -> list[int]:
    """Return how many epochs of each fold are done; `folds/` is listed once."""
    names = names_in(work_dir)
    return [
        max_epochs if fold.folder in names else read_number(folder_in_work(work_dir, fold) / EPOCH, max_epochs)
        for fold in folds
    ]


def read_number(path: Path, most: int) -> int:
    """Return the number that :func:`report_epoch` or :func:`note_batch` wrote to a file; 0 without one."""
    try:
        return max(0, min(most, int((path.is_file() and path.read_text()) or 0)))
    except (OSError, ValueError):  # there is none, or it is being written
        return 0


def read_batch(folder: Path) -> int | None:
    """Return how many clips a run or a fold in work computes at a time; None: whole batches."""
    return read_number(folder / BATCH, 10**9) or None


def note_batch(folder: Path, clips: int) -> None:
    """Note how many clips a run or a fold in work computes at a time."""
    with write_atomically(folder / BATCH) as temporary:
        temporary.write_text(str(clips))
