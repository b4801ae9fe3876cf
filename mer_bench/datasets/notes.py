"""Notes for report.csv: what happened to a clip or a sheet on its way into the annotation table."""

from textwrap import shorten

import pandas as pd

NOTE = ['subject', 'clip', 'kind', 'detail']
NAMED = 3  # clips that a note on many of them names


def note(kind: str, detail: str, subject: str = '', clip: str = '') -> dict[str, str]:
    """Return a note; one on a whole sheet has neither subject nor clip."""
    return {'subject': subject, 'clip': clip, 'kind': kind, 'detail': detail}


def some(clips: pd.DataFrame) -> str:
    """Return how many clips there are and the names of the first."""
    names = [f'{clip.subject} {clip.clip}' for clip in clips.head(NAMED).itertuples()]
    return f'{len(clips)} clips ({", ".join(names)}{", ..." if len(clips) > NAMED else ""})'


def row_text(cells: dict[str, str]) -> str:
    """Return the cells of a row that are not empty, shortened."""
    return shorten(' | '.join(filter(None, cells.values())), 80, placeholder=' ...')
