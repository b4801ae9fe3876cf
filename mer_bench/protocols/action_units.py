"""Action units of a clip as sheets write them: '4+L10', 'R12A', 'AU 12 (R)', 'AU4(k)+L7', '?'.

Only the number counts: side (L, R), half of the face (T, B) and intensity (A to E) are left off, and so is a unit
marked (k), which 4DME has for units that do not move. Unit 0, the neutral face, is none. A cell that does not tell for
certain which units were seen ('?', 'AU12A or AU14', an empty cell) is unknown as a whole, never "none".
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

# CD6ME: one model of 12 units, leave one data set out over CASME, CASME II, SAMM, 4DME, MMEW and CAS(ME)^3 (Varanka et
# al., TAC 2023, arXiv 2211.11425; `dataset_aus` in github.com/tvaranka/meb).
CD6ME_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)

UNIT = re.compile(r'(?:AU)?\s*[LRTB]?\s*(\d{1,2})\s*[LR]?[A-E]?\s*(?:\([LRTB]\))?\s*(\(k\))?', re.IGNORECASE)


def parse_action_units(text: str) -> tuple[int, ...] | None:
    """Return the sorted numbers of a cell: (4, 10) for '4+L10', () for '0', None where it is not certain."""
    text = unicodedata.normalize('NFKC', text).strip()  # full-width digits and signs
    if text.lower() == 'none':
        return ()
    units = [UNIT.fullmatch(part.strip()) for part in text.split('+')]
    return tuple(sorted({int(unit[1]) for unit in units if not unit[2]} - {0})) if all(units) else None


def format_action_units(units: Sequence[int] | None) -> str:
    """Return the text of predictions.csv: '4+10', '' for none, '?' for unknown."""
    return '?' if units is None else '+'.join(map(str, units))


def encode_action_units(annotations: pd.DataFrame, units: Sequence[int]) -> np.ndarray:
    """Return which of `units` each clip shows, (N, K) int8: 1 yes, 0 no, -1 unknown (then for all units of a clip)."""
    targets = np.full((len(annotations), len(units)), -1, dtype=np.int8)
    for row, text in zip(targets, annotations['action_units'], strict=True):
        seen = parse_action_units(text)
        if seen is not None:
            row[:] = np.isin(units, seen)
    return targets
