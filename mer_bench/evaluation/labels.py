"""How the labels of predictions compare.

Blanks around a label do not count. Whole numbers compare as numbers: 0, 0.0, -0, 00 and 0e0 are one class. Names
compare letter by letter, and two that differ in upper and lower case only are refused, since one of them is a slip. A
probability, a list, `tensor(0)` and an empty cell are no labels.
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


def compare_labels(frame: pd.DataFrame, classes: list[str], where: Callable[[int], str]) -> dict[str, pd.Series]:
    """Return the columns y_true and y_pred with one spelling for each class.

    Args:
        frame: y_true and y_pred as the file has them, as text or as categories.
        classes: the names that the file has columns of scores for; they stay as they are.
        where: returns file and line of the row at a position.
    """
    columns = {}
    for key in ('y_true', 'y_pred'):
        cells = frame[key].astype('category')
        plain = [plain_label(label, classes) for label in cells.cat.categories]
        faults = {code: fault for code, label in enumerate(plain) if (fault := _fault_of(label, classes))}
        if faults:
            row = int(cells.cat.codes.isin(list(faults)).argmax())
            expected, advice = faults[cells.cat.codes.iloc[row]]
            raise InputError(f'{where(row)}: expected {expected} in {key}, but got {shown(cells.iloc[row])}; {advice}')
        columns[key] = cells.astype(str).map(dict(zip(cells.cat.categories, plain, strict=True)))
    _refuse_two_spellings(columns, classes, where)
    return columns


def plain_label(text: str, classes: list[str] = ()) -> str:
    """Return a label without blanks around it, and a whole number in its shortest spelling."""
    text = text.strip()
    if text in classes or len(text) > LONGEST or not NUMBER.fullmatch(text):
        return text
    number = float(text)
    return str(int(number)) if abs(number) <= LARGEST and number.is_integer() else text


def _fault_of(label: str, classes: list[str]) -> tuple[str, str] | None:
    """Return what was expected and what to do, for a text that cannot be a label."""
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


def _refuse_two_spellings(columns: dict[str, pd.Series], classes: list[str], where: Callable[[int], str]) -> None:
    """Refuse two labels that differ in upper and lower case only."""
    first: dict[str, tuple[str, str]] = {}
    for key, labels in columns.items():
        for label in labels.unique():
            other, seen_in = first.setdefault(label.casefold(), (label, key))
            if other != label and not {other, label} <= {*classes}:
                row = int((labels == label).argmax())
                raise InputError(
                    f'{where(row)}: expected one spelling of each class, but got {label!r} in {key} and {other!r} in '
                    f'{seen_in}; write both in the same way'
                )


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
