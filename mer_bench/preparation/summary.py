"""What preparation prints: progress, what was found, missing and corrected, where the files are, what to run next."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import shorten

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import track as rich_track
from tabulate import tabulate

from mer_bench.datasets.dataset import DataSet
from mer_bench.datasets.reader import Reading
from mer_bench.errors import command, listed, visible
from mer_bench.files import write_atomically
from mer_bench.protocols.label_schemes import unknown_emotions
from mer_bench.protocols.official_counts import official_summary

REPORT = 'report.csv'
MOST_EMOTIONS = 30  # columns on the screen
SHOWN = 12  # notes on the screen; all of them are in the report


def write_report(notes: pd.DataFrame, out: Path) -> None:
    """Write every note to OUT/report.csv."""
    with write_atomically(out / REPORT) as temporary:
        notes.to_csv(temporary, index=False, lineterminator='\n')


def print_reading(dataset: DataSet, reading: Reading) -> None:
    """Print what was read and where, and how many clips are usable."""
    for sheet in reading.rows.sheets:
        print(f'sheet: {sheet}{", which is hidden" if sheet.hidden else ""}')
    if reading.rows.frames is not None:
        print(f'frames: {reading.rows.frames}')
    found = len(reading.table) + len(reading.lost)
    print(f'{dataset.title}: {found} clips found, {len(reading.table)} usable')


def print_notes(notes: pd.DataFrame, out: Path) -> None:
    """Print the first notes and how many there are of each kind; all are in OUT/report.csv."""
    if notes.empty:
        return
    kinds = notes['kind'].value_counts(sort=False)
    print(', '.join(f'{kind}: {number}' for kind, number in kinds.items()))
    for note in notes.head(SHOWN).itertuples():
        print(visible('  ' + ': '.join(filter(None, [f'{note.subject} {note.clip}'.strip(), note.kind, note.detail]))))
    if len(notes) > SHOWN:
        print(f'  and {len(notes) - SHOWN} more in {out / REPORT}')


def print_summary(
    table: pd.DataFrame, out: Path, config: str, lost: pd.DataFrame | None = None, store: bool = True
) -> None:
    """Print what was prepared, how it compares with the official counts, where it is and what to run next."""
    subjects = table['subject'].nunique()
    print(f'{len(table)} clips of {subjects} subjects{" (synthetic)" if table["synthetic"].any() else ""}')
    counts = table['emotion'].value_counts()
    shown = table['emotion'].where(table['emotion'].isin(counts.index[:MOST_EMOTIONS]), '(more)')
    emotions = pd.crosstab(table['dataset'], shown)
    print(tabulate(emotions, headers=['', *emotions.columns], disable_numparse=True))
    if note := unknown_note(table):
        print(note)
    if not table['synthetic'].any() and (text := official_summary(table, lost)):
        print(text)
    print(f'in {out}: annotations.csv{" and store/" if store else ", without a store"}')
    if store:
        print(f'next: {command("train")} {config} --data-root {shlex.quote(str(out))}')


def unknown_note(table: pd.DataFrame) -> str:
    """Return one sentence on the emotions that no label scheme knows, '' where all are known."""
    unknown = unknown_emotions(table)
    if unknown.empty:
        return ''
    names = [f'{shorten(repr(name), 40)} ({number} clip{"s" * (number > 1)})' for name, number in unknown.items()]
    return (
        f'note: no label scheme knows the emotion {listed(names)}; correct the sheet, give numbers their names with '
        '--classes (csv), or train with a label scheme of your own (docs/protocols.md)'
    )


def progress_bar() -> Progress:
    """Return a bar of clips and time left, on stderr."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def track(items: Sequence, description: str) -> Iterable:
    """Show how many of `items` are done, on stderr."""
    return rich_track(items, description, console=Console(stderr=True), transient=True)
