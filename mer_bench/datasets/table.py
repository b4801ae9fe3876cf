"""The annotation table: one row per clip, written as annotations.csv."""

import re
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError, cause_of
from mer_bench.files import digest_of, refuse_special, write_atomically

COLUMNS = [
    'sample_id',
    'dataset',
    'subject',
    'clip',
    'onset',
    'apex',
    'offset',
    'fps',
    'frames_dir',
    'emotion',
    'objective_class',
    'action_units',
    'synthetic',
]
RESERVED = dict(full='the scores of all data sets together', sanity='a column of the leaderboards')
NAME = re.compile(r'(?![\s.])[^/\\+\x00-\x1f\x7f]*[^/\\+\x00-\x1f\x7f\s]')  # of a data set: of folders and files too
MARKER = 'synthetic.json'  # in the folder of generated data
FRAME_NUMBERS = ['onset', 'apex', 'offset']
DTYPES = dict.fromkeys(COLUMNS, str) | dict.fromkeys(FRAME_NUMBERS, 'Int64') | {'fps': float, 'synthetic': bool}


def annotation_table(rows: list[dict] | pd.DataFrame) -> pd.DataFrame:
    """Return `rows` as a checked table sorted by sample_id; keys left out of a row become empty cells."""
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    text = [column for column in COLUMNS if DTYPES[column] is str]
    table[text] = table[text].astype(object).fillna('')
    return in_order(check_annotations(table.astype(DTYPES))).reset_index(drop=True)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` sorted by sample_id."""
    return table if table['sample_id'].is_monotonic_increasing else table.sort_values('sample_id')


def check_annotations(table: pd.DataFrame, source: str | Path = 'the annotation table') -> pd.DataFrame:
    """Return `table`, or raise an :class:`InputError` when it breaks a rule that later steps rely on."""
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(f'{source}: expected the columns {COLUMNS}, missing {missing}; prepare the data again')
    if table.empty:
        raise InputError(f'{source}: expected one row per clip, found none; check the raw folder')
    for name in table['dataset'].unique():
        if name in RESERVED:
            raise InputError(f'{source}: the data set is called {name!r}, which names {RESERVED[name]}; rename it')
        if not NAME.fullmatch(name):
            raise InputError(
                f'{source}: expected the name of a data set as the name of a folder, without + and without a dot or '
                f'space at its beginning, found {name!r}; rename it'
            )
    twice = table.loc[table['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise InputError(f'{source}: sample_id {twice.iloc[0]!r} occurs twice; every clip needs its own name')
    wrong = table.loc[table['sample_id'] != table['subject'] + '/' + table['clip'], 'sample_id']
    if len(wrong):
        raise InputError(f'{source}: sample_id {wrong.iloc[0]!r} is not <subject>/<clip> of its row; correct the row')
    return table[COLUMNS]


def write_annotations(table: pd.DataFrame, path: str | Path) -> None:
    """Write `table` as CSV sorted by sample_id, atomically; the same table gives the same bytes."""
    table = in_order(check_annotations(table).astype(DTYPES))
    table['synthetic'] = table['synthetic'].map({True: 'true', False: 'false'})
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')


def digest_clips(table: pd.DataFrame) -> str:
    """Return the digest of what a table says of its clips: of any order of the rows, and wherever the frames lie.

    Unlike the digest of annotations.csv itself, it leaves out `frames_dir`, and line ends do not matter.
    """
    table = in_order(table.astype(DTYPES)).drop(columns='frames_dir')
    table['fps'] = table['fps'].round(6)
    return digest_of(table.astype(object).where(table.notna(), None).to_numpy().tolist())


def load_annotations(place: str | Path) -> pd.DataFrame:
    """Return the annotation table of a prepared folder, or the one in a csv, checked; see :data:`COLUMNS`."""
    place = Path(place)
    return read_annotations(place if place.suffix.lower() == '.csv' else place / 'annotations.csv')


def read_annotations(path: str | Path) -> pd.DataFrame:
    """Read annotations.csv: text stays text ('006'), frame numbers are nullable integers."""
    path = Path(path)
    refuse_special(path, 'give the table or its folder')
    if not path.exists():
        raise InputError(f'{path}: no such annotation table; run mer-bench prepare to make it')
    empty_is_unknown = {column: [''] for column in [*FRAME_NUMBERS, 'fps']}
    try:
        table = pd.read_csv(path, dtype=DTYPES, keep_default_na=False, na_values=empty_is_unknown)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f'{path}: not an annotation table ({cause_of(error)}); run mer-bench prepare to make it'
        ) from error
    return check_annotations(table, path)
