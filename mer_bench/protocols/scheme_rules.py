"""The rules of a label scheme as rows of a csv, and the checks that tell a wrong row before anything is trained."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mer_bench.datasets.spellings import OBJECTIVE_CLASSES
from mer_bench.errors import InputError
from mer_bench.files import refuse_special

ANY = '*'  # the value of a rule for every value that no other rule of its data set names
NOT_A_LABEL = ('nan', 'none', '<na>', 'full')  # predictions and scores read these as no label and as the whole table


class Rule(NamedTuple):
    """Clips of `dataset` whose `column` (emotion or objective_class) holds `value` (or ANY) get the class `label`."""

    dataset: str
    column: str
    value: str
    label: str


def read_cells(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a csv as text without outer blanks; `columns` must be there, others may."""
    refuse_special(path)
    if not path.exists():
        raise InputError(f'{path}: no such file; expected a csv with the columns {", ".join(columns)}')
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding='utf-8-sig')
    except (ValueError, OverflowError) as error:  # empty, ragged or not UTF-8
        fault = ' '.join(str(error).split())
        raise InputError(f'{path}: expected a csv in UTF-8, found none ({fault}); save it as csv') from error
    table = table.rename(columns=str.strip)
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f'{path}: expected the columns {", ".join(columns)}, missing {", ".join(missing)}; add them')
    return table.fillna('').apply(lambda cells: cells.str.strip())


def read_rules(table: pd.DataFrame, path: Path) -> tuple[Rule, ...]:
    """Return the rules of one scheme, or raise an InputError where one can never apply or two contradict each other."""
    rules = [Rule(*row) for row in table[list(Rule._fields)].itertuples(index=False)]
    labels, columns = {}, {}
    for rule in rules:
        fault = find_fault(rule)
        if not fault and columns.setdefault(rule.dataset, rule.column) != rule.column:
            fault = f'expected one column for {rule.dataset}, found {columns[rule.dataset]} before'
        if not fault and labels.setdefault(rule[:3], rule.label) != rule.label:
            fault = f'expected one label for this value, found {labels[rule[:3]]} before'
        if fault:
            raise InputError(f'{path}: rule {",".join(rule)}: {fault}; correct the rule')
    if len(set(labels.values())) < 2:
        raise InputError(f'{path}: expected at least 2 classes, found {len(set(labels.values()))}; add rules')
    return tuple(rules)


def find_fault(rule: Rule) -> str | None:
    """Say what is wrong with a rule by itself, if anything."""
    if not all(rule):
        return 'expected no empty cell'
    if rule.column not in ('emotion', 'objective_class'):
        return f'expected the column emotion or objective_class, found {rule.column}'
    if rule.column == 'objective_class' and rule.value not in (*OBJECTIVE_CLASSES, ANY):
        return f'expected an objective class I to VII, found {rule.value}'
    if rule.column == 'emotion' and rule.value != rule.value.lower():
        return f'expected the emotion in lower case as in annotations.csv, found {rule.value}'
    if rule.label.lower() in NOT_A_LABEL:
        return f'expected the name of a class, found {rule.label}, which stands for something else'
    return None
