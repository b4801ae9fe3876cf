"""Files with one line per clip: a csv with a header, and the log of the Micro-Expression Grand Challenge."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mer_bench.errors import InputError
from mer_bench.evaluation.labels import WHOLE, plain_label, shown

MOST_COLUMNS = 1000
LONGEST_NAME = 200  # of a column
NAMES = ['sample_id', 'dataset', 'subject', 'clip', 'y_true', 'y_pred']
SYNONYMS = {
    'sample_id': ('sampleid',),
    'dataset': ('database',),
    'subject': ('sub', 'subjectid', 'subjectname'),
    'clip': ('filename', 'video', 'videoname', 'clipname', 'file'),
    'y_true': ('ytrue', 'true', 'truth', 'groundtruth', 'gt', 'label', 'labels', 'truelabel', 'target', 'actual'),
    'y_pred': (
        *('ypred', 'pred', 'preds', 'predict', 'predicted', 'prediction', 'predictions'),
        *('predlabel', 'predictedlabel'),
    ),
}
KNOWN_DATABASES = ('smic', 'casme', 'casme2', 'casme3', 'samm', 'mmew', '4dme', 'dfme')


class RawTable(NamedTuple):
    """What a file holds, before it is checked.

    Attributes:
        columns: by name, each a list with one text per clip; y_true and y_pred are among them.
        where: returns file and line of a row, for messages.
        is_csv: whether labels are names, even where all are whole numbers.
    """

    columns: dict[str, list[str]]
    where: Callable[[int], str]
    is_csv: bool = False


def name_columns(names: list[str]) -> list[str]:
    """Rename usual synonyms of our columns, unless a column already has our name."""
    names = [name.strip() for name in names]
    plain = [re.sub('[ _.-]', '', name.lower()) for name in names]
    for ours, others in SYNONYMS.items():
        same = [number for number, name in enumerate(plain) if name in others or name == ours.replace('_', '')]
        if ours not in names and len(same) == 1:
            names[same[0]] = ours
    return names


def read_csv(path: str | Path, data: bytes, mark: str, names: list[str], line: int) -> RawTable:
    """Read a csv that begins with its header, which is line `line` of the file."""
    _check_header(f'{path}, line {line}', names)
    reader = csv.reader(io.StringIO(data.decode(), newline=''), delimiter=mark, strict=True)
    truth = names.index('y_true')
    known = [number for number, name in enumerate(names) if name in NAMES]  # empty in an empty row of Excel
    rows, lines = [], []
    try:
        next(reader)
        for cells in reader:
            if len(cells) != len(names) and any(cells):
                fault = f'{len(names)} cells as in the header, but got {len(cells)}'
                raise InputError(f'{path}, line {line - 1 + reader.line_num}: expected {fault}; correct it')
            if len(cells) == len(names) and (cells[truth].strip() or any(cells[number].strip() for number in known)):
                rows.append(cells)
                lines.append(line - 1 + reader.line_num)
    except csv.Error as error:
        raise InputError(
            f'{path}, line {line - 1 + reader.line_num}: expected a csv with matching quotation marks, but got: '
            f'{error}; correct it'
        ) from None
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    table = {name: [*map(str.strip, cells)] for name, cells in zip(names, columns, strict=True) if name}
    return RawTable(table, lambda row: f'{path}, line {lines[row]}', is_csv=True)


def _check_header(where: str, names: list[str]) -> None:
    lacks = [name for name in ('y_true', 'y_pred') if name not in names]
    lacks = ['sample_id'] * ('sample_id' not in names and 'subject' not in names) + lacks
    wrong = lacks or [name for name, number in Counter(names).items() if name and number > 1]
    if wrong or len(names) > MOST_COLUMNS:
        fault = f'{", ".join(map(bare, wrong[:12]))} is missing or repeated' if wrong else f'there are {len(names)}'
        raise InputError(
            f'{where}: expected the columns sample_id (or subject), y_true, y_pred, each name once and at most '
            f'{MOST_COLUMNS}, but {fault}; correct the header'
        )
    if odd := [name for name in names if len(name) > LONGEST_NAME or not name.isprintable()]:
        raise InputError(
            f'{where}: expected printable names of columns, of at most {LONGEST_NAME} characters, but got '
            f'{shown(odd[0])}; rename it'
        )


def bare(name: str) -> str:
    """Return a name as an error shows it, without quotation marks."""
    return shown(name)[1:-1]


def read_megc_log(path: str | Path, data: bytes) -> RawTable:
    """Read the log of MEGC 2019 (See et al., https://doi.org/10.1109/FG.2019.8756611).

    A header line `<database> <subject>`, then one line `<clip> <ground truth> <prediction>` for each of the subject's
    clips, labels as whole numbers.
    """
    words = ([word.decode() for word in line.split()] for line in data.splitlines())
    lines = [(number, line) for number, line in enumerate(words, 1) if line]
    is_known, truths = _known_databases(lines), {words[1] for _, words in lines if len(words) == 3}
    is_whole = cache(lambda text: WHOLE.fullmatch(plain_label(text)) is not None)
    followers = [len(words) for _, words in lines[1:]] + [2]
    header, rows, numbers = None, [], []
    for (number, words), follower in zip(lines, followers, strict=True):
        fault = None
        if len(words) == 2:
            header = words
            if follower == 2 or (words[1] in truths and words[0].lower() not in is_known):  # `EP02_01f 1`
                fault = (
                    '<clip> <ground truth> <prediction>, or <database> <subject> and its clips',
                    'add the missing prediction or clips',
                )
        elif len(words) != 3 or header is None:
            expected = '<clip> <ground truth> <prediction>' if header else 'a header <database> <subject>'
            fault = expected, 'give a MEGC log or a csv with sample_id, y_true, y_pred'
        elif not (is_whole(words[1]) and is_whole(words[2])):
            fault = 'whole numbers as ground truth and prediction', 'predict every clip'
        else:
            rows.append((header[0].lower(), header[1], *words))
            numbers.append(number)
        if fault:
            raise InputError(
                f'{path}, line {number}: expected {fault[0]}, but got {shown(" ".join(words))}; {fault[1]}'
            )
    columns = dict(
        zip(('dataset', 'subject', 'clip', 'y_true', 'y_pred'), map(list, zip(*rows, strict=True)), strict=True)
    )
    return RawTable(columns, lambda row: f'{path}, line {numbers[row]}')


def _known_databases(lines: list[tuple[int, list[str]]]) -> set[str]:
    """Return the words that begin a header: usual names, the first word of the log, and what begins two headers."""
    times = Counter(words[0].lower() for _, words in lines if len(words) == 2)
    return {*KNOWN_DATABASES, lines[0][1][0].lower(), *(name for name, number in times.items() if number > 1)}
