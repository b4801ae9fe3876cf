"""Action units of a clip as sheets write them: '4+L10', 'R12A', 'A/L12', '7C+A12B', 'AU 12 (R)', 'AU4(k)+L7', '?'.

Only the number counts. Side (L, R; A is asymmetric, in the legend of SAMM's sheet), half of the face (T, B) and
intensity (A to E behind the number) are ignored, and so are action descriptors and movement codes (AD38, M58) and a
unit marked (k), which 4DME has for units that do not move. A unit that SAMM sets in ref(...) counts, as in CD6ME. Unit
0, the neutral face, is none. A cell that leaves open which units were seen ('?', 'AU12A or AU14', an empty
cell) is unknown as a whole, never "none".
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mer_bench.datasets.spellings import no_unit

# CD6ME: one model of 12 units, leave one data set out over CASME, CASME II, SAMM, 4DME, MMEW and CAS(ME)^3 (Varanka et
# al., TAC 2023, arXiv 2211.11425; `dataset_aus` in github.com/tvaranka/meb).
CD6ME_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)

REFERENCE = re.compile(r'ref ?\((.*)\)', re.IGNORECASE)
SIDE, BEHIND = '[LRTBA](?:/?[LRTBA])*', '[LRA-E](?:/?[LRA-E])*'  # letters before and behind a number
UNIT = re.compile(rf'(?:AU)? ?(?:{SIDE})? ?(\d{{1,2}}) ?(?:{BEHIND})? ?(?:\([LRTB]\))? ?(\(k\))?', re.IGNORECASE)


def read_cell(text: str) -> tuple[tuple[int, ...], bool]:
    """Return the sorted units that a cell names for certain, and whether it leaves others open.

    What is between two + is read alone, as in the code of CD6ME: '12+14 or 15' names 12 and leaves open which of
    the others was seen.
    """
    text = ' '.join(unicodedata.normalize('NFKC', text).split())  # full-width digits and signs are plain
    if text.lower() == 'none':
        return (), False
    parts = [REFERENCE.sub(r'\1', part.strip()) for part in text.split('+') if not no_unit(part)]
    units = [UNIT.fullmatch(part) for part in parts]
    return tuple(sorted({int(unit[1]) for unit in units if unit and not unit[2]} - {0})), not all(units)


def parse_action_units(text: str) -> tuple[int, ...] | None:
    """Return the sorted numbers of a cell: (4, 10) for '4+L10', () for '0', None where it is not certain."""
    units, is_open = read_cell(text)
    return None if is_open else units


def truth_text(text: str) -> str:
    """Return a cell as predictions.csv has it: '4+10', '' for none, '?' for unknown, '12+?' where 12 is certain."""
    units, is_open = read_cell(text)
    return format_action_units([*units, '?'] if is_open else units)


def format_action_units(units: Sequence[int | str] | None) -> str:
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
