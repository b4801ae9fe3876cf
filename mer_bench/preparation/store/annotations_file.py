"""annotations.csv of a prepared data set: written anew where the sheet changed, never over what a person changed."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from mer_bench.datasets.table import write_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file, write_json
from mer_bench.preparation.store.flow_store import seal
from mer_bench.preparation.store.state import read_json

TABLE_ALONE = '.annotations.json'  # digest of a table that was written without a store


def refuse_changes_by_hand(out: Path, table: pd.DataFrame) -> None:
    """Refuse to write over an annotations.csv that is neither as it was written nor as `table` has it."""
    path = out / 'annotations.csv'
    if not path.is_file():
        return
    infos = [read_json(out / name) or {} for name in ('store/store.json', TABLE_ALONE)]
    written = [info.get('annotations_digest') for info in infos]
    if digest_file(path) not in (*written, digest_of_table(table)):
        raise InputError(
            f'{path}: expected the table as tools/prepare.py wrote it, found one that was changed since; undo the '
            'change, or make it a data set of its own with `tools/prepare.py csv --sheet`; if you want it written '
            'anew, delete it'
        )


def write_table_alone(out: Path, table: pd.DataFrame) -> None:
    """Write annotations.csv where there is no store."""
    refuse_changes_by_hand(out, table)
    write_annotations(table, out / 'annotations.csv')
    write_json(out / TABLE_ALONE, {'annotations_digest': digest_file(out / 'annotations.csv')})


def renew(out: Path, table: pd.DataFrame) -> bool:
    """Write the table beside the finished store if it is missing or another; return whether it was.

    The store.json of an earlier version gets its digest of itself.
    """
    path, store_json = out / 'annotations.csv', out / 'store' / 'store.json'
    info, digest = read_json(store_json), digest_of_table(table)
    anew = not path.is_file() or not digest_file(path) == digest == info['annotations_digest']
    if anew:
        write_annotations(table, path)
    if (sealed := seal(info | {'annotations_digest': digest})) != info:
        write_json(store_json, sealed)
    return anew


def digest_of_table(table: pd.DataFrame) -> str:
    """Return the digest of annotations.csv as it would be written."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'annotations.csv'
        write_annotations(table, path)
        return digest_file(path)
