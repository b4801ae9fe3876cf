"""Clips that a protocol leaves out by name: the rows of excluded_clips.csv beside the rules of a scheme."""

from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.protocols.scheme_rules import read_cells

EXCLUDED_CLIPS = 'excluded_clips.csv'
COLUMNS = ['scheme', 'dataset', 'subject', 'clip', 'reason']


def read_excluded(path: Path, scheme: str) -> tuple[tuple[str, str], ...]:
    """Return (sample_id, reason) of the clips that a scheme leaves out; none if there is no file."""
    if not path.is_file():
        return ()
    clips = read_cells(path, COLUMNS)
    for name in clips['scheme'].unique():
        if name != scheme and name.lower() == scheme.lower():
            raise InputError(f'{path}: expected the scheme {scheme}, found {name}; write it as its file is called')
    clips = clips[clips['scheme'] == scheme]
    sample_ids = clips['dataset'] + '/' + clips['subject'] + '/' + clips['clip']
    return tuple(zip(sample_ids, clips['reason'], strict=True))


def absent_clips(excluded: tuple[tuple[str, str], ...], sample_ids: pd.Series) -> list[str]:
    """Return the clips of `excluded` that the data lack, although clips of their data set are there."""
    known, datasets = set(sample_ids.str.lower()), set(sample_ids.str.split('/').str[0])
    return [name for name, _ in excluded if name.lower() not in known and name.split('/')[0].lower() in datasets]
