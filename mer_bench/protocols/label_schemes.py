"""Label schemes: which clips of the annotation tables a protocol uses, and the class of each.

A scheme is a list of rules (data set, column, value -> label), each with its source, in label_schemes.csv. Clips that a
protocol leaves out for another reason are rows of excluded_clips.csv. The value `*` is any other value, an empty one
too. A scheme of your own is a csv of the same columns, with an excluded_clips.csv beside it where one is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mer_bench.datasets.spellings import OBJECTIVE_CLASSES
from mer_bench.errors import InputError, did_you_mean, listed
from mer_bench.files import Stamp, digest_of, refuse_special, stamp_of

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
    """The classes and the rules that choose them.

    Attributes:
        name: Of the scheme.
        classes: In the order of their numbers.
        rules: One for each value of a data set.
        excluded: (sample_id, reason) of the clips that are left out by name.
        path: The csv.
        digest: SHA-256 of what decides a label: class order, rules, clips left out; not of names, sources and reasons.
        built_in: Whether it is part of the package; one of the user's may have the same name.
    """

    name: str
    classes: tuple[str, ...]
    rules: tuple[Rule, ...]
    excluded: tuple[tuple[str, str], ...]
    path: Path
    digest: str
    built_in: bool


def scheme_names() -> list[str]:
    """Return the names of the built-in schemes."""
    return list(dict.fromkeys(built_in_rules()['scheme']))


def load_scheme(name_or_path: str | Path) -> LabelScheme:
    """Return the built-in scheme of this name, or the one in a csv, which is named after its file without `.csv`.

    A csv is read again only if it or its excluded_clips.csv changed.
    """
    path = Path(name_or_path)
    if path.suffix.lower() == '.csv':
        refuse_special(path)
        return _own_scheme(path, (stamp_of(path), stamp_of(path.with_name(EXCLUDED_CLIPS))))
    return _built_in_scheme(str(name_or_path))


@lru_cache(maxsize=32)
def _own_scheme(path: Path, stamps: tuple[Stamp | None, ...]) -> LabelScheme:
    table = read_cells(path, list(Rule._fields))
    if 'scheme' in table and table['scheme'].nunique() > 1:
        raise InputError(f'{path}: expected one scheme, found {table["scheme"].nunique()}; give each its own file')
    return make_scheme(path.stem, table, path)


@lru_cache(maxsize=32)
def _built_in_scheme(name: str) -> LabelScheme:
    table = built_in_rules()
    table = table[table['scheme'] == name]
    if table.empty:
        raise InputError(
            f'label scheme {name!r}{did_you_mean(name, scheme_names())}: expected one of {", ".join(scheme_names())}, '
            f'or the path of a csv with the columns {", ".join(Rule._fields)}'
        )
    return make_scheme(name, table, SCHEMES)


def make_scheme(name: str, table: pd.DataFrame, path: Path) -> LabelScheme:
    """Return the scheme of the rows of a csv; classes are numbered in the order of first appearance."""
    rules = read_rules(table, path)
    classes = tuple(dict.fromkeys(rule.label for rule in rules))
    excluded = read_excluded(path.with_name(EXCLUDED_CLIPS), name)
    digest = digest_of([classes, sorted(rules), sorted(sample_id for sample_id, _ in excluded)])
    return LabelScheme(name, classes, rules, excluded, path, digest, path == SCHEMES)


@lru_cache
def built_in_rules() -> pd.DataFrame:
    """Return label_schemes.csv."""
    return read_cells(SCHEMES, ['scheme', *Rule._fields])


def read_cells(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a csv as text without outer blanks; `columns` must be there, others may."""
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


def select_clips(
    tables: Sequence[tuple[str | Path, pd.DataFrame]], scheme: LabelScheme
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply a scheme to tables that share no clip, and of each of which it uses clips.

    Args:
        tables: (place, annotation table); errors name the place.
        scheme: Which clips are used, and their classes.

    Returns:
        kept: the rows of the clips in use, by sample_id, with the columns label and place.
        dropped: sample_id and reason of the other clips.
    """
    check_clips_differ(tables)
    if not scheme.built_in:
        refuse_unused_values(pd.concat([table[['dataset', 'emotion']] for _, table in tables]), scheme)
    parts = []
    for place, table in tables:
        try:
            kept, dropped = apply_scheme(table, scheme)
        except InputError as error:
            raise InputError(f'{place}: {error}') from error
        parts.append((kept.assign(place=str(place)), dropped))
    kept, dropped = (pd.concat(rows).sort_values('sample_id', ignore_index=True) for rows in zip(*parts, strict=True))
    absent = absent_clips(scheme.excluded, pd.concat([kept['sample_id'], dropped['sample_id']]))
    if absent and not scheme.built_in:
        raise InputError(
            f'{scheme.path.with_name(EXCLUDED_CLIPS)}: expected clips of the data, found {", ".join(absent)}; correct '
            'dataset, subject (without data set) and clip, or remove the row'
        )
    return kept, dropped


def check_clips_differ(tables: Sequence[tuple[str | Path, pd.DataFrame]]) -> None:
    """Refuse a clip that is in two tables: it would be trained on and tested."""
    names = pd.concat([table['sample_id'] for _, table in tables])
    for name in names[names.duplicated()].head(1):
        first, second = [place for place, table in tables if (table['sample_id'] == name).any()][:2]
        raise InputError(f'{name} is in {first} and in {second}; give folders that share no clip')


def refuse_unused_values(clips: pd.DataFrame, scheme: LabelScheme) -> None:
    """Refuse an emotion in a rule that no clip of its data set has, such as `hapiness`.

    Data sets that are not in `clips` are not looked at. An emotion that a built-in scheme names for the data set is
    accepted: a release may lack it.
    """
    built_in = built_in_rules()
    official = {*zip(built_in['dataset'], built_in['column'], built_in['value'], strict=True)}
    emotions = {name: sorted(rows.unique()) for name, rows in clips.groupby('dataset')['emotion']}
    for rule in scheme.rules:
        found = emotions.get(rule.dataset)
        if found is None or rule.column != 'emotion' or rule.value in (ANY, *found) or rule[:3] in official:
            continue
        near = did_you_mean(rule.value, found) or f', but {listed(found)}'
        raise InputError(
            f'{scheme.path}: rule {",".join(rule)}: no clip of {rule.dataset} has the emotion {rule.value}{near}; '
            'correct or remove the rule'
        )


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


def count_reasons(reasons: list[str]) -> str:
    """Return the most frequent reasons with their numbers of clips."""
    counts = pd.Series(reasons, dtype=object).value_counts().head(5)
    return '; '.join(f'{reason} ({number} clips)' for reason, number in counts.items()) or 'no clip at all'


def absent_clips(excluded: tuple[tuple[str, str], ...], sample_ids: pd.Series) -> list[str]:
    """Return the clips of `excluded` that the data lack, although clips of their data set are there."""
    known, datasets = set(sample_ids.str.lower()), set(sample_ids.str.split('/').str[0])
    return [name for name, _ in excluded if name.lower() not in known and name.split('/')[0].lower() in datasets]
