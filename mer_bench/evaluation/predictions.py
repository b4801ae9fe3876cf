"""Tables of predictions: our predictions.csv and the MEGC prediction log, read into one frame.

The log is the format in which results of the Micro-Expression Grand Challenge were published (MEGC 2019,
See et al., https://doi.org/10.1109/FG.2019.8756611): a header line `<database> <subject>`, then one line
`<clip> <ground truth> <prediction>` for each of the subject's clips, labels as whole numbers.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError

CSV_COLUMNS = ('sample_id', 'y_true', 'y_pred')
NO_LABEL = ('', 'nan', 'none', '<na>')
KNOWN_DATABASES = ('smic', 'casme', 'casme2', 'casme3', 'samm', 'mmew', '4dme', 'dfme')


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a predictions.csv or a MEGC log.

    Returns:
        One row per clip: sample_id (`<dataset>/<subject>/<clip>`), dataset, subject (`<dataset>/<subject>`),
        clip, y_true, y_pred, then whatever else a csv holds. Labels are strings from a csv, ints from a log.
    """
    lines = _read_lines(Path(path))
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InputError(f'{path}: expected a prediction for each clip, but the file is empty; give another file')
    rows = _csv_rows(path, lines) if ',' in first else _log_rows(path, lines)
    return pd.DataFrame(_each_clip_once(path, rows))


def classes_of(frame: pd.DataFrame) -> list:
    """Return the class names in the order of the main `score_<class>` columns, else the sorted labels.

    Take them from the full table and use the same list for each of its slices.
    """
    named = [column.removeprefix('score_') for column in frame.columns if column.startswith('score_')]
    return named or sorted({*frame['y_true'], *frame['y_pred']})


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode('utf-8-sig')
    except OSError as error:
        raise InputError(
            f'{path}: expected a file of predictions, but got {error.strerror!r}; check the path'
        ) from None
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text:
        raise InputError(f'{path}: expected UTF-8 text, but it is not; give a predictions.csv or a log')
    return text.splitlines()


def _each_clip_once(path: str | Path, rows: Iterator[tuple[int, dict]]) -> list[dict]:
    """Collect the rows; `rows` yields (line number, row)."""
    line_of: dict[str, int] = {}
    collected = []
    for number, row in rows:
        if row['sample_id'] in line_of:
            raise InputError(
                f'{path}, line {number}: expected every clip once, but {row["sample_id"]} stands in line '
                f'{line_of[row["sample_id"]]} already; remove one of the two lines'
            )
        if row['dataset'] == 'full':
            raise InputError(f"{path}, line {number}: expected a data set, but 'full' names the whole table; rename it")
        line_of[row['sample_id']] = number
        collected.append(row)
    if not collected:
        raise InputError(f'{path}: expected a prediction for each clip, but there is none; give another file')
    return collected


def _csv_rows(path: str | Path, lines: list[str]) -> Iterator[tuple[int, dict]]:
    reader = csv.DictReader(lines)
    columns = reader.fieldnames = [name.strip() for name in reader.fieldnames]
    wrong = [name for name in CSV_COLUMNS if name not in columns] or [n for n, k in Counter(columns).items() if k > 1]
    if wrong:
        raise InputError(
            f'{path}, line {reader.line_num}: expected the columns {", ".join(CSV_COLUMNS)}, each name once, '
            f'but {", ".join(wrong)} is missing or twice there; correct the header'
        )
    classes = [name.removeprefix('score_') for name in columns if name.startswith('score_')]
    for row in reader:
        where = f'{path}, line {reader.line_num}'
        if None in row or None in row.values():
            raise InputError(
                f'{where}: expected {len(columns)} cells as in the header, but got another number; mend it'
            )
        row = {name: cell.strip() for name, cell in row.items()}
        yield (
            reader.line_num,
            {**_identity(where, row), **_labels(where, row, classes), **_others(where, row)},
        )


def _identity(where: str, row: dict) -> dict:
    """Return sample_id, dataset, subject and clip; the columns dataset and subject may be absent."""
    parts = row['sample_id'].split('/', 2)
    dataset = row.get('dataset') or parts[0]
    subject = row.get('subject') or '/'.join(parts[:2])
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f'{where}: expected the sample_id <dataset>/<subject>/<clip>, but got {row["sample_id"]!r}; '
            'write it in full'
        )
    if not subject.startswith(f'{dataset}/'):
        subject = f'{dataset}/{subject}'
    return {'sample_id': row['sample_id'], 'dataset': dataset, 'subject': subject, 'clip': parts[2]}


def _labels(where: str, row: dict, classes: list[str]) -> dict:
    for column in ('y_true', 'y_pred'):
        if row[column].lower() in NO_LABEL:
            raise InputError(f'{where}: expected a label in {column}, but got {row[column]!r}; predict every clip')
        if classes and row[column] not in classes:
            raise InputError(
                f'{where}: expected in {column} a class that has a score column ({", ".join(classes)}), '
                f'but got {row[column]!r}; correct the label or add its column'
            )
    return {'y_true': row['y_true'], 'y_pred': row['y_pred']}


def _others(where: str, row: dict) -> dict:
    """Return the remaining cells, the scores (`score_<class>`, `<output>_score_<class>`) as finite floats."""
    others = {}
    for name, cell in row.items():
        if name in ('sample_id', 'dataset', 'subject', 'clip', 'y_true', 'y_pred'):
            continue
        others[name] = _finite(where, name, cell) if 'score_' in name else cell
    return others


def _finite(where: str, name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f'{where}: expected a finite number in {name}, but got {cell!r}, as a diverged model gives it; '
            'predict again'
        )
    return number


def _log_rows(path: str | Path, lines: list[str]) -> Iterator[tuple[int, dict]]:
    numbered = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    header_at = [len(words) == 2 for _, words in numbered]
    databases = Counter(words[0].lower() for _, words in numbered if len(words) == 2)
    labels = {words[1] for _, words in numbered if len(words) == 3}
    dataset = subject = None
    for i, (number, words) in enumerate(numbered):
        where = f'{path}, line {number}'
        if len(words) == 3 and dataset:
            yield number, _log_clip(where, dataset, subject, words)
        elif len(words) == 2:
            # A clip line without its prediction has two words as well: `EP02_01f 1`.
            known = i == 0 or databases[words[0].lower()] > 1 or words[0].lower() in KNOWN_DATABASES
            if (words[1] in labels and not known) or all(header_at[i : i + 2]):
                raise InputError(
                    f'{where}: expected <clip> <ground truth> <prediction>, or <database> <subject> and its '
                    f"clips, but got '{' '.join(words)}'; add the missing prediction or clips"
                )
            dataset, subject = words[0].lower(), words[1]
        else:
            expected = '<clip> <ground truth> <prediction>' if dataset else 'a header <database> <subject>'
            raise InputError(
                f"{where}: expected {expected}, but got '{' '.join(words)[:60]}'; "
                'give a MEGC log or a csv with sample_id, y_true, y_pred'
            )


def _log_clip(where: str, dataset: str, subject: str, words: list[str]) -> dict:
    clip, *labels = words
    if not all(label.isascii() and label.isdigit() for label in labels):
        raise InputError(
            f"{where}: expected whole numbers as ground truth and prediction, but got '{' '.join(labels)}'; "
            'predict every clip'
        )
    subject = f'{dataset}/{subject}'
    names = {'sample_id': f'{subject}/{clip}', 'dataset': dataset, 'subject': subject, 'clip': clip}
    return {**names, 'y_true': int(labels[0]), 'y_pred': int(labels[1])}
