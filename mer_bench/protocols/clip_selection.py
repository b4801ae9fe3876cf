"""The clips of a run: a label scheme applied to one or several annotation tables."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, listed
from mer_bench.protocols.label_schemes import ANY, EXCLUDED_CLIPS, LabelScheme, built_in_rules


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
        near = get_close_matches(rule.value, found, n=1)
        advice = f'did you mean {near[0]}?' if near else f'its emotions are {listed(found)};'
        raise InputError(
            f'{scheme.path}: rule {",".join(rule)}: no clip of {rule.dataset} has the emotion {rule.value}; {advice} '
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
