"""A protocol on given data as text for the screen: classes, folds, official counts, clips left out."""

from collections.abc import Mapping

import pandas as pd
from tabulate import tabulate

from mer_bench.errors import NAMED, visible
from mer_bench.protocols.action_units import parse_action_units
from mer_bench.protocols.folds import Fold, fold_title
from mer_bench.protocols.label_schemes import LabelScheme, absent_clips
from mer_bench.protocols.official_counts import (
    WHOLE,
    absence_note,
    count_classes,
    counts_title,
    official_counts,
    official_note,
)

LOST = ('left out', 'wrong numbers', 'no face', 'damaged')  # kinds of notes on clips that are in no table


def format_protocol(
    kept: pd.DataFrame, dropped: pd.DataFrame, scheme: LabelScheme, folds: list[Fold], rule: str | Mapping
) -> str:
    """Lay out what `select_clips` and `make_folds` return."""
    counts = count_classes(kept, scheme)
    parts = [
        f'{scheme.name}, {len(scheme.classes)} classes',
        tabulate(counts, headers='keys'),
        '\n'.join(f'note: class {name} has no clip in these data' for name in scheme.classes if not counts[name].any()),
        format_official(kept, scheme),
        format_folds(kept, folds, rule),
        format_dropped(dropped),
        format_excluded(kept, dropped, scheme),
        format_action_units(kept),
    ]
    return '\n\n'.join(part for part in parts if part)


def format_official(kept: pd.DataFrame, scheme: LabelScheme) -> str:
    """Return whether the counts are the official ones, and of which data sets none are known."""
    known = set(official_counts(scheme, kept)['dataset']) - {WHOLE}
    unknown = sorted(set(kept['dataset']) - known)
    same = f'{counts_title(scheme)}: the same ({", ".join(sorted(known))})'
    lines = [
        (official_note(kept, scheme) or same) if known else None,
        f'{counts_title(scheme)}: none known for {", ".join(unknown)}' if unknown else None,
        absence_note(kept, scheme),
    ]
    return '\n'.join(line for line in lines if line)


def fold_sizes(kept: pd.DataFrame, folds: list[Fold]) -> pd.DataFrame:
    """Return fold, train and test: the clips in each part."""
    test = tested_in(kept, folds)['fold'].value_counts().reindex([fold.name for fold in folds])
    return pd.DataFrame({'fold': test.index, 'train': len(kept) - test.to_numpy(), 'test': test.to_numpy()})


def format_folds(kept: pd.DataFrame, folds: list[Fold], rule: str | Mapping) -> str:
    """Return the number of folds and their sizes; each of them where there are ten or fewer."""
    sizes = fold_sizes(kept, folds)
    test, title = sizes['test'], fold_title(rule)
    number = '' if title.startswith(f'{len(folds)} folds') else f': {len(folds)} folds'
    text = f'{title}{number}, {test.min()} to {test.max()} test clips (median {test.median():g})'
    return f'{text}\n{tabulate(sizes, headers="keys", showindex=False)}' if len(folds) <= 10 else text


def format_dropped(dropped: pd.DataFrame) -> str:
    """Return the clips left out, by data set and reason."""
    if dropped.empty:
        return 'left out: no clip'
    datasets = dropped['sample_id'].str.split('/').str[0].rename('dataset')
    counts = dropped.groupby([datasets, 'reason']).size().reset_index(name='clips')
    table = tabulate(counts[['dataset', 'clips', 'reason']], headers='keys', showindex=False)
    return f'left out: {len(dropped)} clips\n{table}'


def format_excluded(kept: pd.DataFrame, dropped: pd.DataFrame, scheme: LabelScheme) -> str:
    """Name the clips that the scheme leaves out by name, and those of them that the data lack; '' where none are."""
    names = [name.lower() for name, _ in scheme.excluded]
    excluded = dropped[dropped['sample_id'].str.lower().isin(names)]
    absent = absent_clips(scheme.excluded, pd.concat([kept['sample_id'], dropped['sample_id']]))
    lines = [f'  {clip.sample_id}: {clip.reason}' for clip in excluded.itertuples()]
    lines += [f'  {sample_id}: not in these data' for sample_id in absent]
    return '\n'.join(['left out by name:', *lines]) if lines else ''


def format_lost(reports: Mapping[str, pd.DataFrame]) -> str:
    """Count the clips that the tables lack though their sheets have them, and name the first; '' if there are none.

    Args:
        reports: {place of a table: its report.csv}, with subject, clip, kind and detail.
    """
    lines = []
    for place, notes in reports.items():
        lost = notes[notes['kind'].isin(LOST)]
        if len(lost):
            lines.append(f'not prepared in {place}: {len(lost)} clips')
        rows = lost.head(NAMED).itertuples()
        lines += [visible(f'  {row.subject} {row.clip}: {row.kind}: {row.detail}') for row in rows]
        if len(lost) > NAMED:
            lines.append(f'  and {len(lost) - NAMED} more in {place}/report.csv')
    return '\n'.join(lines)


def format_action_units(kept: pd.DataFrame) -> str:
    """Return how many clips have action units, and which cells leave them open; '' where no cell has any."""
    texts = kept['action_units']
    open_cells = [text for text in texts.unique() if parse_action_units(text) is None]
    unknown = texts[texts.isin(open_cells)]
    if len(unknown) == len(texts):
        return ''
    counts = unknown.value_counts()
    cells = ', '.join(f'{text!r} {number}' for text, number in counts.head(NAMED).items())
    cells += f', and {len(counts) - NAMED} others' if len(counts) > NAMED else ''
    return f'action units: {len(texts) - len(unknown)} clips' + (f'; unknown {len(unknown)} ({cells})' if cells else '')


def tested_in(kept: pd.DataFrame, folds: list[Fold]) -> pd.DataFrame:
    """Return sample_id, label and fold (the one that tests the clip) of every clip in use."""
    fold_of = {subject: fold.name for fold in folds for subject in fold.test_subjects}
    return kept[['sample_id', 'label']].assign(fold=kept['subject'].map(fold_of))
