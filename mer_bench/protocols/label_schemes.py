"""Label schemes: which clips a protocol uses, and the class of each.

A scheme is a list of rules (data set, column, value -> label), each with its source, in label_schemes.csv. Clips that a
protocol leaves out for another reason are rows of excluded_clips.csv. The value `*` is any other value, an empty one
too. A scheme of your own is a csv of the same columns, with an excluded_clips.csv beside it where one is needed.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mer_bench.datasets.spellings import OBJECTIVE_CLASSES
from mer_bench.errors import InputError, did_you_mean
from mer_bench.files import digest_of, refuse_special

SCHEMES = Path(__file__).with_name('label_schemes.csv')
ANY = '*'  # the value of a rule for every value that no other rule of its data set names
NOT_A_LABEL = ('nan', 'none', '<na>', 'full')  # predictions and scores read these as no label and as the whole table
EXCLUDED_CLIPS = 'excluded_clips.csv'
COLUMNS = ['scheme', 'dataset', 'subject', 'clip', 'reason']  # of excluded_clips.csv


class Rule(NamedTuple):
    """Clips of `dataset` whose `column` (emotion or objective_class) holds `value` (or ANY) get the class `label`."""

    dataset: str
    column: str
    value: str
    label: str


@dataclass(frozen=True)
class LabelScheme:
    """The classes in the order of their numbers, the rules, (sample_id, reason) of the clips left out, and the csv."""

    name: str
    classes: tuple[str, ...]
    rules: tuple[Rule, ...]
    excluded: tuple[tuple[str, str], ...]
    path: Path

    @property
    def built_in(self) -> bool:
        """Whether this scheme is part of the package; one of the user's may have the same name."""
        return self.path == SCHEMES

    @property
    def digest(self) -> str:
        """SHA-256 of what decides a label: class order, rules, clips left out; not of names, sources and reasons."""
        return digest_of([self.classes, sorted(self.rules), sorted(sample_id for sample_id, _ in self.excluded)])


def scheme_names() -> list[str]:
    """Return the names of the built-in schemes."""
    return list(dict.fromkeys(built_in_rules()['scheme']))


def load_scheme(name_or_path: str | Path) -> LabelScheme:
    """Return the built-in scheme of this name, or the one in a csv, which is named after its file without `.csv`."""
    path = Path(name_or_path)
    if path.suffix.lower() == '.csv':
        table = read_cells(path, list(Rule._fields))
        if 'scheme' in table and table['scheme'].nunique() > 1:
            raise InputError(f'{path}: expected one scheme, found {table["scheme"].nunique()}; give each its own file')
        return make_scheme(path.stem, table, path)
    table = built_in_rules()
    table = table[table['scheme'] == str(name_or_path)]
    if table.empty:
        raise InputError(
            f'label scheme {str(name_or_path)!r}{did_you_mean(str(name_or_path), scheme_names())}: expected one of '
            f'{", ".join(scheme_names())}, or the path of a csv with the columns {", ".join(Rule._fields)}'
        )
    return make_scheme(str(name_or_path), table, SCHEMES)


def make_scheme(name: str, table: pd.DataFrame, path: Path) -> LabelScheme:
    """Return the scheme of the rows of a csv; classes are numbered in the order of first appearance."""
    rules = read_rules(table, path)
    classes = tuple(dict.fromkeys(rule.label for rule in rules))
    return LabelScheme(name, classes, rules, read_excluded(path.with_name(EXCLUDED_CLIPS), name), path)


@lru_cache
def built_in_rules() -> pd.DataFrame:
    """Return label_schemes.csv."""
    return read_cells(SCHEMES, ['scheme', *Rule._fields])


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
    """Return what is wrong with a rule on its own, None if nothing is."""
    if not all(rule):
        return 'expected no empty cell'
    if rule.column not in ('emotion', 'objective_class'):
        return f'expected the column emotion or objective_class, found {rule.column}'
    if rule.column == 'objective_class' and rule.value not in (*OBJECTIVE_CLASSES, ANY):
        return f'expected an objective class I to VII, found {rule.value}'
    if rule.column == 'emotion' and rule.value != rule.value.lower():
        return f'expected the emotion in lower case as in annotations.csv, found {rule.value}'
    if rule.label.lower() in NOT_A_LABEL:
        return f'expected the name of a class, found {rule.label}, which means something else in tables of predictions'
    return None


def read_excluded(path: Path, scheme: str) -> tuple[tuple[str, str], ...]:
    """Return (sample_id, reason) of the clips that a scheme leaves out by name; none if there is no file."""
    if not path.is_file():
        return ()
    clips = read_cells(path, COLUMNS)
    for name in clips['scheme'].unique():
        if name != scheme and name.lower() == scheme.lower():
            raise InputError(f'{path}: expected the scheme {scheme}, found {name}; write it as its file is called')
    clips = clips[clips['scheme'] == scheme]
    sample_ids = clips['dataset'] + '/' + clips['subject'] + '/' + clips['clip']
    return tuple(zip(sample_ids, clips['reason'], strict=True))


def unknown_emotions(annotations: pd.DataFrame) -> pd.Series:
    """Return how many clips have each emotion that no built-in scheme names; of `a+b`, both must be known."""
    rules = built_in_rules()
    known = {*rules.loc[rules['column'] == 'emotion', 'value'], *rules['label']} - {ANY}
    counts = annotations['emotion'].value_counts()
    return counts[[not known.issuperset(emotion.split('+')) for emotion in counts.index]]
