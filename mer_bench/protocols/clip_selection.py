"""The clips of a run: a label scheme applied to the annotation tables of one or several places."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.protocols.excluded_clips import EXCLUDED_CLIPS, absent_clips
from mer_bench.protocols.label_schemes import LabelScheme, apply_scheme


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
    """Refuse a clip that stands in two tables: it would be trained on and tested."""
    names = pd.concat([table['sample_id'] for _, table in tables])
    for name in names[names.duplicated()].head(1):
        first, second = [place for place, table in tables if (table['sample_id'] == name).any()][:2]
        raise InputError(f'{name} is in {first} and in {second}; give folders that share no clip')
