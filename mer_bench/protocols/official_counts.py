"""How the clips in use differ from the counts that a protocol's authors published (official_counts.csv)."""

from pathlib import Path

import pandas as pd

from mer_bench.errors import NAMED, InputError
from mer_bench.protocols.label_schemes import LabelScheme, apply_scheme, load_scheme, read_cells

COUNTS = Path(__file__).with_name('official_counts.csv')
WHOLE = 'full'  # the row of all data sets of a scheme together
# Not counts of classes, but all rows of the sheets as a protocol of action units took them.
TITLES = {'composite_4class': 'rows of CD6ME'}
COLUMNS = ['scheme', 'dataset', 'label', 'clips', 'subjects', 'source']
DIFFERENCES = ['dataset', 'label', 'quantity', 'official', 'found', 'source']


def count_classes(kept: pd.DataFrame, scheme: LabelScheme) -> pd.DataFrame:
    """Return the clips of each class, all clips and the subjects, in full and per data set (the index)."""
    counts = pd.crosstab(kept['dataset'], kept['label']).reindex(columns=list(scheme.classes), fill_value=0)
    counts['clips'] = counts.sum(axis=1)
    counts['subjects'] = kept.groupby('dataset')['subject'].nunique()
    table = pd.concat([pd.DataFrame([counts.sum()], index=['full']), counts])
    return table.rename_axis(index=None, columns=None)


def compare_counts(kept: pd.DataFrame, scheme: LabelScheme) -> pd.DataFrame:
    """Return the differences to the official counts, for the data sets that are present, and in full with all of them.

    Args:
        kept: the clips that :func:`~mer_bench.protocols.label_schemes.apply_scheme` keeps.
        scheme: one without official counts, as every own one, gives no differences.

    Returns:
        One row per difference: dataset, label (empty for the whole data set), quantity (clips or subjects), official,
        found, source.
    """
    rows = []
    for cell in official_counts(scheme, kept).to_dict('records'):
        clips = kept if cell['dataset'] == WHOLE else kept[kept['dataset'] == cell['dataset']]
        if cell['label']:
            clips = clips[clips['label'] == cell['label']]
        for quantity, found in (('clips', len(clips)), ('subjects', clips['subject'].nunique())):
            if cell[quantity] and int(cell[quantity]) != found:
                rows.append({**cell, 'quantity': quantity, 'official': int(cell[quantity]), 'found': found})
    return pd.DataFrame(rows, columns=DIFFERENCES)


def official_counts(scheme: LabelScheme, kept: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of official_counts.csv of this scheme and of the data sets in `kept`, all cells text."""
    counts = counts_of(scheme)
    wanted = {*kept['dataset'].unique(), *(() if absent_datasets(kept, scheme) else [WHOLE])}
    return counts[counts['dataset'].isin(wanted)]


def counts_of(scheme: LabelScheme) -> pd.DataFrame:
    """Return all rows of a built-in scheme; none of an own one, whatever its name."""
    counts = read_cells(COUNTS, COLUMNS)
    return counts[(counts['scheme'] == scheme.name) & scheme.built_in]


def absent_datasets(kept: pd.DataFrame, scheme: LabelScheme) -> list[str]:
    """Return the data sets without a clip in use, where the scheme has counts of all its data sets together."""
    datasets = set(counts_of(scheme)['dataset'])
    return sorted(datasets - {WHOLE, *kept['dataset'].unique()}) if WHOLE in datasets else []


def counts_title(scheme: LabelScheme) -> str:
    """Return what the counts of a scheme are."""
    return TITLES.get(scheme.name, f'official counts of {scheme.name}')


def official_note(kept: pd.DataFrame, scheme: LabelScheme) -> str | None:
    """Return one sentence on where the counts differ from the official ones, if they do."""
    differences = compare_counts(kept, scheme)
    if differences.empty:
        return None
    return (
        f'note: these are not the {counts_title(scheme)}, which are in brackets: '
        f'{format_differences(differences)}, counted in {"; ".join(differences["source"].unique())}; scores may not '
        'compare with published ones'
    )


def absence_note(kept: pd.DataFrame, scheme: LabelScheme) -> str | None:
    """Return one sentence on data sets of the official counts of which no clip is in use, if there are any."""
    absent = absent_datasets(kept, scheme)
    if not absent:
        return None
    counts = counts_of(scheme)
    whole = counts[counts['dataset'] == WHOLE].iloc[0]
    return (
        f'note: no clip of {", ".join(absent)} is in use; the {whole.clips} clips of {whole.subjects} subjects of '
        f'{scheme.name} have them too'
    )


def format_differences(differences: pd.DataFrame) -> str:
    """Return 'samm surprise clips 14 (15), clips 132 (133); ...' from what :func:`compare_counts` returns."""
    parts = []
    for dataset, rows in differences.groupby('dataset'):
        cells = [f'{row.label} {row.quantity}'.strip() + f' {row.found} ({row.official})' for row in rows.itertuples()]
        parts.append(f'{dataset} {", ".join(cells)}')
    return '; '.join(parts)


def official_summary(annotations: pd.DataFrame, lost: pd.DataFrame | None = None) -> str:
    """Compare a whole annotation table with every scheme that has official counts of its data sets; '' if none has.

    Counts that are not official ones of classes (TITLES) are left out, and schemes of which fewer than two classes have
    clips, found or lost: these labels are of another scheme.

    Args:
        annotations: the annotation table.
        lost: rows of clips that could not be prepared; those that a scheme would use are counted below its difference,
            and the first of them named. All are in report.csv.
    """
    counts = read_cells(COUNTS, COLUMNS)
    lines = []
    names = counts.loc[counts['dataset'].isin(annotations['dataset']), 'scheme'].unique()
    for name in [name for name in names if name not in TITLES]:
        scheme = load_scheme(name)
        kept = clips_in_use(annotations, scheme)
        wanted = kept if lost is None or lost.empty else pd.concat([kept, clips_in_use(lost, scheme)])
        if kept.empty or wanted['label'].nunique() < 2:
            continue
        differences = compare_counts(kept, scheme)
        same = f'{len(kept)} clips of {kept["subject"].nunique()} subjects, the same'
        lines.append(f'  {name}: {same if differences.empty else format_differences(differences)}')
        if len(differences):
            lines.append(f'    counted in {"; ".join(differences["source"].unique())}')
        if len(differences) and lost is not None and len(lost):
            lines += lost_line(clips_in_use(lost, scheme))
    return '\n'.join(['clips in use, with the official count in brackets where it differs:', *lines]) if lines else ''


def lost_line(clips: pd.DataFrame) -> list[str]:
    """Return a line that counts the clips that a scheme lost and names the first; no line where there are none."""
    if clips.empty:
        return []
    names = ', '.join(f'{clip.sample_id} ({clip.label})' for clip in clips.head(NAMED).itertuples())
    rest = f', and {len(clips) - NAMED} more in report.csv' if len(clips) > NAMED else ''
    return [f'    lost: {len(clips)} {"clips" if len(clips) > 1 else "clip"}: {names}{rest}']


def clips_in_use(annotations: pd.DataFrame, scheme: LabelScheme) -> pd.DataFrame:
    """Return the clips that a scheme keeps; none where it has no use for any, as without objective classes."""
    try:
        return apply_scheme(annotations, scheme)[0]
    except InputError:
        return annotations[:0]
