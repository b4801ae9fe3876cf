"""The label scheme of a run as a csv beside its record: it gives the same classes when the original has changed."""

from pathlib import Path

import pandas as pd

from mer_bench.files import write_atomically
from mer_bench.loading.prepared_data import PreparedData
from mer_bench.protocols.clip_selection import absent_clips
from mer_bench.protocols.label_schemes import COLUMNS, EXCLUDED_CLIPS, LabelScheme

SCHEME_FILE = 'label_scheme.csv'


def write_scheme(scheme: LabelScheme, data: PreparedData, folder: Path) -> None:
    """Write the rules as label_scheme.csv, and beside it the clips of the data that are left out by name, if any.

    `--cfg-options label_scheme=FOLDER/label_scheme.csv` reads both.
    """
    write_csv(pd.DataFrame(scheme.rules).assign(scheme=scheme.name), folder / SCHEME_FILE)
    clips = pd.concat([data.annotations['sample_id'], data.dropped['sample_id']])
    absent = absent_clips(scheme.excluded, clips)  # an own scheme must not name them
    name = Path(SCHEME_FILE).stem
    rows = [(name, *clip.split('/', 2), reason) for clip, reason in scheme.excluded if clip not in absent]
    if rows:
        write_csv(pd.DataFrame(rows, columns=COLUMNS), folder / EXCLUDED_CLIPS)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as it is, atomically."""
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')
