"""Tables of predictions: our predictions.csv, csv tables and logs of other programs, read into one frame.

The text of a file shows its form: a csv by its header, JSON or a Python dict by its first character, a log by its
lines. Nothing in a file is executed.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from mer_bench.errors import InputError, cause_of, listed
from mer_bench.evaluation.clip_lines import NAMES, RawTable, bare, name_columns, read_csv, read_megc_log
from mer_bench.evaluation.labels import WHOLE, compare_labels, plain_label, shown
from mer_bench.evaluation.subject_lists import ADVICE, read_dict, read_subject_log
from mer_bench.files import refuse_special

LARGEST, LONGEST_LINE = 512 << 20, 1_000_000  # bytes
RUNS = ('seed', 'run', 'repeat', 'epoch')  # columns that explain why a clip appears several times
OWN_FILE = 'predictions.csv'  # of a run
UNNAMED = 'unnamed'  # data set of a file that names none


def load_predictions(source: object) -> pd.DataFrame:
    """Return predictions from a file, a folder, a DataFrame or a run; see :func:`read_predictions`.

    Args:
        source: a file of predictions, a folder or record.json with a predictions.csv, a DataFrame with the columns of
            such a file, or an object whose `predictions` are one of these.
    """
    if not isinstance(source, pd.DataFrame | str | Path):
        source = getattr(source, 'predictions', source)
    if isinstance(source, pd.DataFrame):
        return _read_frame(source)
    if not isinstance(source, str | Path):
        raise InputError(
            f'expected a path, a DataFrame or an object with predictions, but got {type(source).__name__}; '
            'give for example the folder of a run'
        )
    return read_predictions(source)


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read the predictions of a method: a csv, a log, JSON or a Python dict; of a folder its predictions.csv.

    Returns:
        One row per clip: sample_id (`<dataset>/<subject>/<clip>`), dataset, subject (`<dataset>/<subject>`),
        clip, y_true, y_pred, then the other columns of a csv. Labels are strings from a csv; from the other forms they
        are ints where all are whole numbers.
    """
    return pd.DataFrame(read_columns(path))


def read_columns(path: str | Path) -> dict[str, list]:
    """Read the same as lists, one per column: building the frames of thousands of runs would be slow."""
    path = _file_of(Path(path))
    return _finish(path, _read_raw(path, _read_bytes(path)))


def _file_of(path: Path) -> Path:
    """Return the predictions.csv of a folder or beside a record.json; any other file is itself."""
    if path.name == 'record.json':
        return path.with_name(OWN_FILE)
    if not path.is_dir() or (path / OWN_FILE).is_file():
        return path / OWN_FILE if path.is_dir() else path
    runs = sorted(file.parent for file in path.rglob(OWN_FILE) if 'folds' not in file.parts)
    advice = f'give one run, such as {runs[0]}' if runs else 'finish the run, or check the path'
    raise InputError(f'{path}: expected a run folder with a {OWN_FILE}, but it holds none; {advice}')


def _read_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Check a table as if it came from a file, where an empty cell is ''."""
    names = name_columns([*map(str, frame.columns)])
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    lacks = [name for name in ('y_true', 'y_pred') if name not in names]
    if lacks or not {'sample_id', 'subject'} & {*names} or len({*names}) < len(names):
        raise InputError(
            f'expected a DataFrame with the columns sample_id (or subject), y_true and y_pred, each once, but it has '
            f'{listed(names)}; rename or add columns'
        )
    by_name = any('score_' in name for name in names) or not all(map(is_integer_dtype, (frame.y_true, frame.y_pred)))
    table = {
        name: frame[name].tolist()
        if 'score_' in name
        else frame[name].astype(object).where(frame[name].notna(), '').map(str).tolist()
        for name in names
    }
    where = 'row {} of the DataFrame'.format
    return pd.DataFrame(_finish('the DataFrame', RawTable(table, where, is_csv=by_name)))


def _finish(path: str | Path, raw: RawTable) -> dict[str, list]:
    """Check a table: every clip once, with a name, labels, and scores that are numbers."""
    table, where = raw.columns, raw.where
    if not table['y_true']:
        raise InputError(f'{path}: expected a prediction for each clip, but there is none; give another file')
    classes = [name.removeprefix('score_') for name in table if name.startswith('score_')]
    columns = _identity(table, where) | compare_labels(table, classes, where)
    if not raw.is_csv and all(map(WHOLE.fullmatch, {*columns['y_true'], *columns['y_pred']})):
        columns |= {key: [*map(int, columns[key])] for key in ('y_true', 'y_pred')}
    others = {name: cells for name, cells in table.items() if name not in NAMES}
    columns |= {name: _scores(name, cells, where) if 'score_' in name else cells for name, cells in others.items()}
    _refuse_twice(columns, where)
    return columns


def classes_of(frame: pd.DataFrame, source: object = 'the predictions', given: Sequence[str] = ()) -> list:
    """Return the class names in the order of the main `score_<class>` columns, else the sorted labels of y_true.

    Take them from the full table and use the same list for each of its slices.

    Args:
        given: all classes, where the predictions do not show each of them; they get the type that the labels have.

    Raises:
        InputError: y_pred has a label that y_true never has, and no column of scores names it.
    """
    if given:
        names = [plain_label(str(name)) for name in given]
        try:
            return list(dict.fromkeys(names if isinstance(frame['y_true'].iloc[0], str) else map(int, names)))
        except ValueError:
            raise InputError(
                f'expected whole numbers as classes, as in the log, but got {" ".join(names)}; '
                'give for example --classes 0 1 2'
            ) from None
    named = [column.removeprefix('score_') for column in frame.columns if column.startswith('score_')]
    if named:
        return named
    true, predicted = ({*frame[key].unique().tolist()} for key in ('y_true', 'y_pred'))
    if extra := predicted - true:
        raise InputError(
            f'{source}: expected in y_pred the labels of y_true ({_listed(true)}), but {_listed(extra)} is there only; '
            'name every class after --classes if it is one, or correct the labels'
        )
    return in_order(true)


def _listed(labels: set) -> str:
    return listed([str(label) for label in in_order(labels)])


def in_order(labels: set) -> list:
    """Sort labels: whole numbers by size, then names."""
    return sorted(labels, key=lambda label: (not WHOLE.fullmatch(str(label)), str(label).zfill(10)))


def _read_bytes(path: Path) -> bytes:
    """Return the content as UTF-8 without a mark; UTF-16 with its mark, as PowerShell writes it, is accepted."""
    refuse_special(path, 'save it as a file of predictions')
    try:
        with open(path, 'rb') as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError(
            f'{path}: no such file or folder; give a run folder, a predictions.csv or a log, or train the run first'
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path}: expected a file of predictions, but got {cause_of(error)!r}; check the path'
        ) from None
    if len(data) > LARGEST:
        raise InputError(f'{path}: expected at most {LARGEST >> 20} MiB of predictions, found more; give another file')
    try:
        if data.startswith((b'\xff\xfe', b'\xfe\xff')):
            data = data.decode('utf-16').encode()
        if not data.isascii():
            data.decode()
    except UnicodeError:
        data = b'\0'
    if b'\0' in data:
        raise InputError(f'{path}: expected UTF-8 text, but it is not; give a predictions.csv or a log')
    data = data.removeprefix(b'\xef\xbb\xbf')
    if not data.strip():
        raise InputError(f'{path}: expected a prediction for each clip, but the file is empty; give another file')
    return data


def _read_raw(path: str | Path, data: bytes) -> RawTable:
    """Read a file by the form that its text has."""
    start = len(data) - len(data.lstrip())
    first = data[start : start + LONGEST_LINE].splitlines()[0].decode(errors='replace')
    found = {mark: name_columns(_cells(first, mark)) for mark in ',;\t'}
    tables = [mark for mark, names in found.items() if {'y_true', 'y_pred'} <= {*names}]
    if not tables and data[start : start + 1] in b'{[' and (table := read_dict(path, data)):
        return table
    if not tables and b'[' in data and (table := read_subject_log(path, data)):
        return table
    if not tables and first.startswith('{'):
        raise InputError(f'{path}: expected lists of labels in JSON or a Python dict, found something else; {ADVICE}')
    _refuse_long_lines(path, data)
    if not tables and ',' not in first:
        return read_megc_log(path, data)
    mark = tables[0] if tables else ','
    return read_csv(path, data[start:], mark, found[mark], 1 + len(data[:start].splitlines()))


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:  # a cell of more than 131,072 characters
        return []


def _refuse_long_lines(path: str | Path, data: bytes) -> None:
    for number, line in enumerate(data.split(b'\n'), 1):
        if len(line) >= LONGEST_LINE:
            raise InputError(
                f'{path}, line {number}: expected at most {LONGEST_LINE} bytes in a line, but got {len(line)}; give a '
                'csv with one row for each clip, or a log'
            )


def _identity(table: dict[str, list[str]], where: Callable[[int], str]) -> dict[str, list[str]]:
    """Return sample_id, dataset, subject and clip of each row, from its sample_id, or from its subject and clip."""
    blank = [''] * len(table['y_true'])
    heads = [*map(_split, table.get('sample_id', blank))]
    named = any(heads) or 'subject' not in table
    clips = table.get('clip' if named or 'sample_id' not in table else 'sample_id', blank)
    numbers: Counter[str] = Counter()
    rows, places = [], {}
    given = (table.get(name, blank) for name in NAMES[:3])
    for row, (sample_id, dataset, subject, clip, head) in enumerate(zip(*given, clips, heads, strict=True)):
        if not named:
            numbers[subject] += 1
            head = subject, clip or str(numbers[subject])
        elif head is None:
            found = shown(sample_id)
            raise InputError(
                f'{where(row)}: expected the sample_id <dataset>/<subject>/<clip>, but got {found}; write it in full'
            )
        key = dataset, subject or head[0], head[0]
        if key not in places:
            places[key] = _place(*key, row, where)
        dataset, subject = places[key]
        rows.append((sample_id if named else f'{subject}/{head[1]}', dataset, subject, head[1]))
    columns = dict(zip(NAMES[:4], map(list, zip(*rows, strict=True)), strict=True))
    if not ''.join(columns['sample_id']).isprintable():
        row, name = next((row, name) for row, name in enumerate(columns['sample_id']) if not name.isprintable())
        raise InputError(f'{where(row)}: expected a printable name, but got {shown(name)}; rename it')
    return columns


def _split(sample_id: str) -> tuple[str, str] | None:
    """Return <dataset>/<subject> and <clip> of a sample_id; None where one of the three is missing."""
    dataset, _, rest = sample_id.partition('/')
    subject, _, clip = rest.partition('/')
    return (f'{dataset}/{subject}', clip) if dataset and subject and clip else None


def _place(dataset: str, subject: str, head: str, row: int, where: Callable[[int], str]) -> tuple[str, str]:
    """Return data set and `<dataset>/<subject>` of a row; `head` is the beginning of its sample_id, or its subject."""
    dataset = dataset or (head.rpartition('/')[0] or UNNAMED)
    subject = subject if subject.startswith(f'{dataset}/') else f'{dataset}/{subject}'
    if subject.endswith('/'):
        raise InputError(f'{where(row)}: expected a subject, but got none; name it')
    if dataset == 'full':
        raise InputError(f"{where(row)}: expected a data set, but 'full' names the whole table; rename it")
    if not subject.isprintable():
        raise InputError(f'{where(row)}: expected a printable name, but got {shown(subject)}; rename it')
    return dataset, subject


def _scores(name: str, cells: list, where: Callable[[int], str]) -> list[float]:
    """Return scores (`score_<class>`, `<output>_score_<class>`) as finite numbers."""
    numbers = [*map(_number, cells)]
    if not np.isfinite(numbers).all():
        row = int(np.isfinite(numbers).argmin())
        raise InputError(
            f'{where(row)}: expected a finite number in {bare(name)}, but got {shown(str(cells[row]))} '
            '(has the model diverged?); predict again'
        )
    return numbers


def _number(cell: object) -> float:
    """Return a score; NaN where only Python sees a number, as in 1_000."""
    try:
        return float(cell) if str(cell).isascii() and '_' not in str(cell) else math.nan
    except (TypeError, ValueError):
        return math.nan


def _refuse_twice(columns: dict[str, list], where: Callable[[int], str]) -> None:
    names = columns['sample_id']
    if len({*names}) == len(names):
        return
    first = {name: row for row, name in reversed([*enumerate(names)])}
    row = next(row for row, name in enumerate(names) if first[name] < row)
    twice = bare(names[row])
    for key in RUNS:
        if key in columns and len({*zip(names, columns[key], strict=True)}) == len(names):
            raise InputError(
                f'{where(row)}: expected every clip once, but {twice} has several values of {key} '
                f'({_listed({*columns[key]})}); give a file for each {key}'
            )
    line = where(first[names[row]]).rpartition(', ')[2]
    raise InputError(f'{where(row)}: expected every clip once, but {twice} is in {line} already; remove one of the two')
