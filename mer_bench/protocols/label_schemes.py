"""Label schemes: which clips a protocol uses, and the class of each.

A scheme is a list of rules (data set, column, value -> label), each with its source, in label_schemes.csv; the clips
that a protocol leaves out for another reason stand in excluded_clips.csv. The value `*` is any other value, an empty
one too. An own scheme is a csv of the same columns, with an own excluded_clips.csv beside it where one is needed.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.files import digest_of
from mer_bench.protocols.excluded_clips import EXCLUDED_CLIPS, read_excluded
from mer_bench.protocols.scheme_rules import ANY, Rule, read_cells, read_rules

SCHEMES = Path(__file__).with_name('label_schemes.csv')


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
        """Whether this is a scheme of ours, and not an own one that may bear the same name."""
        return self.path == SCHEMES

    @property
    def digest(self) -> str:
        """SHA-256 of what decides a label: class order, rules, clips left out; not of names, sources and reasons."""
        return digest_of([self.classes, sorted(self.rules), sorted(sample_id for sample_id, _ in self.excluded)])


def scheme_names() -> list[str]:
    """Return the names of the built-in schemes."""
    return list(dict.fromkeys(built_in_rules()['scheme']))


def load_scheme(name_or_path: str | Path) -> LabelScheme:
    """Return the built-in scheme of this name, or the one in an own csv, which is called as its file without `.csv`."""
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
            f'label scheme {str(name_or_path)!r}: expected one of {", ".join(scheme_names())}, or the path of a csv '
            f'with the columns {", ".join(Rule._fields)}'
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


def apply_scheme(annotations: pd.DataFrame, scheme: LabelScheme) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the annotation table into the clips that a scheme uses and the others.

    Returns:
        kept: the rows of the clips in use, in their order, with the column `label` (the name of the class).
        dropped: sample_id and reason of every other clip.
    """
    column_of = {rule.dataset: rule.column for rule in scheme.rules}
    label_of = {rule[:3]: rule.label for rule in scheme.rules}
    excluded = {name.lower(): reason for name, reason in scheme.excluded}
    labels, reasons = [], []
    cells = annotations[[name for name in ('dataset', 'emotion', 'objective_class') if name in annotations]]
    for clip in cells.drop_duplicates().to_dict('records'):  # few, however many clips there are
        column = column_of.get(clip['dataset'])
        where = (clip['dataset'], column)
        label = label_of.get((*where, clip.get(column)), label_of.get((*where, ANY)))
        if column is None:
            reason = f'data set {clip["dataset"]!r} is not in {scheme.name}'
        else:
            reason = None if label else f'{column} {clip[column]!r} is not in {scheme.name}'
        labels.append(label)
        reasons.append(reason)
    kind = cells.groupby(list(cells), sort=False, dropna=False).ngroup().to_numpy()
    labels, reasons = (np.array(values, dtype=object)[kind] for values in (labels, reasons))
    for number, name in enumerate(annotations['sample_id'].str.lower() if excluded else ()):
        reasons[number] = excluded.get(name, reasons[number])
    is_kept = pd.isna(reasons)
    if not is_kept.any():
        raise InputError(
            f'label scheme {scheme.name}: expected clips that it uses, found none: {count_reasons(reasons)}; take '
            'another scheme or other data'
        )
    kept = annotations.assign(label=labels)[is_kept].reset_index(drop=True)
    dropped = annotations[['sample_id']].assign(reason=reasons)[~is_kept].reset_index(drop=True)
    return kept, dropped


def unknown_emotions(annotations: pd.DataFrame) -> pd.Series:
    """Return how many clips have each emotion that no built-in scheme names; of `a+b`, both must be known."""
    rules = built_in_rules()
    known = {*rules.loc[rules['column'] == 'emotion', 'value'], *rules['label']} - {ANY}
    counts = annotations['emotion'].value_counts()
    return counts[[not known.issuperset(emotion.split('+')) for emotion in counts.index]]


def count_reasons(reasons: list[str]) -> str:
    """Return the most frequent reasons with their numbers of clips."""
    counts = pd.Series(reasons, dtype=object).value_counts().head(5)
    return '; '.join(f'{reason} ({number} clips)' for reason, number in counts.items()) or 'no clip at all'
