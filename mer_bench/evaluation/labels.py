"""How the labels of predictions compare.

Blanks around a label do not count. Whole numbers compare as numbers: 0, 0.0, -0, 00 and 0e0 are one class. Names
compare letter by letter, and two that differ in upper and lower case only are refused, since one of them is a slip. A
probability, a list, `tensor(0)` and an empty cell are not labels.
"""

import re
from collections.abc import Callable

import pandas as pd

from mer_bench.errors import InputError

NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?', re.ASCII | re.IGNORECASE)
WHOLE = re.compile('[0-9]{1,10}')  # what plain_label leaves of a whole number
NO_LABEL = ('', 'nan', 'none', '<na>')
NO_CLASS = re.compile(r'[\[({]|([a-z_]+\.)?(tensor|array|ndarray|u?int\d*|float\d*|bool_?|str_)\(', re.IGNORECASE)
LARGEST = 10**9
LONGEST = 100  # characters of a label


def shown(text: str) -> str:
    """Return text as an error shows it: on one line, and at most 60 characters of it."""
    return repr(text if len(text) <= 60 else f'{text[:57]}...')


def compare_labels(
    columns: dict[str, list[str]], classes: list[str], where: Callable[[int], str]
) -> dict[str, list[str]]:
    """Return the columns y_true and y_pred with one spelling for each class.

    Args:
        columns: y_true and y_pred as the file has them.
        classes: the names that the file has columns of scores for; they stay as they are.
        where: returns file and line of a row.
    """
    found, first = {}, {}
    for key in ('y_true', 'y_pred'):
        plain = {label: plain_label(label, classes) for label in dict.fromkeys(columns[key])}
        for label in plain:
            if fault := _fault_of(plain[label], classes):
                row = where(columns[key].index(label))
                raise InputError(f'{row}: expected {fault[0]} in {key}, but got {shown(label)}; {fault[1]}')
        found[key] = [plain[label] for label in columns[key]]
    for key, labels in found.items():
        for label in dict.fromkeys(labels):
            other, seen_in = first.setdefault(label.casefold(), (label, key))
            if other != label and not {other, label} <= {*classes}:  # one of the two is a slip
                raise InputError(
                    f'{where(labels.index(label))}: expected one spelling of each class, but got {label!r} in {key} '
                    f'and {other!r} in {seen_in}; write both in the same way'
                )
    return found


def plain_label(text: str, classes: list[str] = ()) -> str:
    """Return a label without blanks around it, and a whole number in its shortest spelling."""
    text = text.strip()
    if text in classes or len(text) > LONGEST or not NUMBER.fullmatch(text):
        return text
    number = float(text)
    return str(int(number)) if abs(number) <= LARGEST and number.is_integer() else text


def _fault_of(label: str, classes: list[str]) -> tuple[str, str] | None:
    """Return what was expected and what to do if a text cannot be a label."""
    if label.lower() in NO_LABEL:
        return 'a label', 'predict every clip'
    if len(label) > LONGEST or not label.isprintable():
        return 'the name of a class', f'give a printable name of at most {LONGEST} characters'
    if label in classes:
        return None
    if NO_CLASS.match(label) or (' ' in label and all(map(NUMBER.fullmatch, label.split()))):
        return 'the name or the whole number of one class', 'write it alone, as in 0'
    if NUMBER.fullmatch(label) and not label.removeprefix('-').isdigit():
        return 'the name or the whole number of a class', 'give the class that has the highest probability or score'
    if classes:
        names = ', '.join(classes[:12]) + (', ...' if len(classes) > 12 else '')
        return f'a class that has a score column ({names})', 'correct the label or add its column'
    return None


def name_labels(frame: pd.DataFrame, classes: list[str], source: object) -> pd.DataFrame:
    """Return predictions whose labels are names of `classes`: numbers are positions in them, names stay."""
    labels = {*frame['y_true'].unique().tolist(), *frame['y_pred'].unique().tolist()}
    numbered = all(WHOLE.fullmatch(str(label)) for label in labels) and not labels <= {*classes}
    names = {label: classes[int(label)] for label in labels if int(label) < len(classes)} if numbered else {}
    unknown = labels - {*(names or classes)}
    if unknown:
        raise InputError(
            f'{source}: expected labels of the classes {", ".join(classes)}, found {min(unknown, key=str)}; name every '
            'class in the order of the labels'
        )
    return frame.assign(**{key: frame[key].map(names) for key in ('y_true', 'y_pred')}) if numbered else frame
