"""Annotation sheets as the owners of the data sets write them, for synthetic clips: names, columns, order, spellings.

The columns are those that public loaders of the data sets read; docs/datasets.md has the sources.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mer_bench.datasets.synthetic.units import split_unit
from mer_bench.datasets.synthetic.workbook import Cell, Sheets, write_workbook
from mer_bench.errors import InputError

LEAD = 3  # frames of a long video before the onset and after the offset
STIMULI = (  # of CAS(ME)^2: as clips name it, its code, and the name of its video as folders spell it
    ('disgust1', '0101', 'disgustingteeth'),
    ('anger1', '0401', 'girlcrashing'),
    ('happy1', '0502', 'funnyerrors'),
    ('disgust2', '0102', 'eatingworms'),
    ('anger2', '0402', 'beatingpregnantwoman'),
    ('happy2', '0503', 'unnyfarting'),
    ('happy3', '0505', 'funnyinnovations'),
    ('happy4', '0507', 'climbingthewall'),
    ('happy5', '0508', 'funnydunkey'),
)
VALENCES = {'happiness': 'positive', 'surprise': 'surprise', 'helpless': 'others'}  # any other emotion is negative
FELT = {'positive': 'happiness', 'negative': 'disgust', 'surprise': 'surprise', 'others': 'helpless'}
FOURDME_UNITS = (
    1,
    2,
    4,
    5,
    6,
    7,
    9,
    10,
    12,
    14,
    15,
    17,
    18,
    20,
    23,
    24,
    25,
    26,
    28,
    38,
    43,
    45,
)  # 22; which is a guess
FOURDME_EMOTIONS = ('Positive', 'Negative', 'Surprise', 'Repression', 'Others')


@dataclass(frozen=True)
class SheetRow:
    """What a sheet says about one clip, before its owner's spelling.

    Attributes:
        subject: number of the person.
        clip: as the owner's sheet or folder names it; `spNO.1_a_116` in CAS(ME)^3, where the sheet has its parts.
        apex: a frame number, or what the cell holds instead.
        emotion: in lower case, as in annotations.csv.
        action_units: for example '4+L10'.
        objective_class: I to VII.
        micro: whether it is a micro-expression; some sheets hold macro-expressions too.
    """

    subject: int
    clip: str
    onset: int
    apex: int | str | None
    offset: int
    emotion: str
    action_units: str = ''
    objective_class: str = 'VII'
    micro: bool = True


def write_sheet(like: str, rows: Sequence[SheetRow], path: Path) -> None:
    """Write an annotation sheet.

    Args:
        like: a key of :data:`SHEETS`: the data set, or `casme2_objective` for the second sheet of CASME II.
        rows: one per clip, at least one.
        path: the file, which ends in .xlsx, .xls or .csv.
    """
    if like not in SHEETS:
        raise InputError(f'like={like!r}: expected a data set with a sheet: {", ".join(SHEETS)}')
    write_workbook(SHEETS[like](rows), Path(path))


def numeric(text: str) -> Cell:
    """Return a lone number as a number, as Excel does when it is typed in."""
    return int(text) if text.isdigit() else text or None


def arabic(objective_class: str) -> int:
    return ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII').index(objective_class) + 1


def table(records: Iterable[dict[str, Cell]]) -> list[list[Cell]]:
    """Return header and rows; the keys are the header, and one that begins with `blank` is an empty cell there."""
    records = list(records)
    header = [None if name.startswith('blank') else name for name in records[0]]
    return [header, *(list(record.values()) for record in records)]


def frame_numbers(row: SheetRow, *names: str) -> dict[str, Cell]:
    """Return the columns of onset, apex and offset under these names."""
    return dict(zip(names, (row.onset, row.apex, row.offset), strict=True))


def casme2(rows: Sequence[SheetRow]) -> Sheets:
    """CASME2-coding-20140508.xlsx, with its two columns that have no name."""
    return {
        'Sheet1': table(
            {
                'Subject': row.subject,
                'Filename': row.clip,
                'blank 1': None,
                **frame_numbers(row, 'OnsetFrame', 'ApexFrame', 'OffsetFrame'),
                'blank 2': None,
                'Action Units': numeric(row.action_units),
                'Estimated Emotion': row.emotion,
            }
            for row in rows
        )
    }


def casme2_objective(rows: Sequence[SheetRow]) -> Sheets:
    """CASME2-ObjectiveClasses.xlsx."""
    return {
        'Sheet1': table(
            {'Subject': row.subject, 'Filename': row.clip, 'Objective Class': arabic(row.objective_class)}
            for row in rows
        )
    }


def samm(rows: Sequence[SheetRow]) -> Sheets:
    """SAMM_Micro_FACS_Codes_v2.xlsx: 13 rows of notes, the header in row 14, the duration a formula."""
    notes = [['Synthetic faces in the format of SAMM'], ['Duration = Offset Frame - Onset Frame + 1'], *([[]] * 11)]
    coding = table(
        {
            'Subject': f'{row.subject:03d}',
            'Filename': row.clip,
            'Inducement Code': int(row.clip.split('_')[1]),
            **frame_numbers(row, 'Onset Frame', 'Apex Frame', 'Offset Frame'),
            'Duration': f'=F{line}-D{line}+1',
            'Micro': 'Micro - 1/2',
            'Action Units': numeric(row.action_units if line % 3 else with_legend(row.action_units)),
            'Estimated Emotion': 'Other' if row.emotion == 'others' else row.emotion.capitalize(),
            'Objective Classes': arabic(row.objective_class),
            'Notes': None,
        }
        for line, row in enumerate(rows, start=15)
    )
    return {'MICRO_ONLY': [*notes, *coding]}


def with_legend(units: str) -> str:
    """Return A12 for 12, A/L14 for L14 and 7C+A12B for 7+12: A is asymmetric, a letter behind a number an intensity."""
    names = units.split('+')
    if not all(re.fullmatch(r'[LR]?\d+', name) for name in names):
        return units
    if len(names) == 1:
        return f'A/{units}' if units[0] in 'LR' else f'A{units}'
    return '+'.join([*(f'{name}C' for name in names[:-1]), f'A{names[-1]}B'])


def casme(rows: Sequence[SheetRow]) -> Sheets:
    """Section A.xls of CASME: a backslash where there is no second apex, contempt as the sheet spells it."""

    def milliseconds(row: SheetRow, last: int) -> float:
        return round((last - row.onset + 1) * 1000 / 60, 2)

    return {
        'Sheet1': table(
            {
                'Subject': row.subject,
                'Filename': row.clip,
                'blank 1': None,
                'OnsetF': row.onset,
                'ApexF1': row.apex,
                'ApexF2': row.apex + 1 if row.apex % 3 else '\\',
                'OffsetF': row.offset,
                'blank 2': None,
                'Onset': milliseconds(row, row.apex),
                'Total': milliseconds(row, row.offset),
                'AU': numeric(row.action_units),
                'Emotion': 'comtempt' if row.emotion == 'contempt' else row.emotion,
            }
            for row in rows
        )
    }


def casme_sq(rows: Sequence[SheetRow]) -> Sheets:
    """CAS(ME)^2code_final(Updated).xlsx: three sheets without a header; people have a number of their own there."""
    people = {subject: number for number, subject in enumerate(dict.fromkeys(row.subject for row in rows), start=1)}
    coding = []
    for row in rows:
        felt = FELT.get(row.emotion, row.emotion)
        kind = 'micro-expression' if row.micro else 'macro-expression'
        frames = [row.onset, row.apex, row.offset]
        names = [numeric(row.action_units), VALENCES.get(felt, 'negative'), kind, felt]
        coding.append([people[row.subject], row.clip, *frames, *names])
    return {
        'CASFEcode_final': coding,
        'naming rule1': [[subject, f's{subject}', number] for subject, number in people.items()],
        'naming rule2': [[code, stimulus] for stimulus, code, _ in STIMULI],
    }


def casme3(rows: Sequence[SheetRow]) -> Sheets:
    """cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx; the file name is a letter, the video that the clip is a part of."""
    spellings = {'happiness': 'happy', 'sadness': 'sad', 'others': 'Others'}
    return {
        'label': table(
            {
                'Subject': row.clip.split('_')[0],
                'Filename': row.clip.split('_')[1],
                **frame_numbers(row, 'Onset', 'Apex', 'Offset'),
                'AU': numeric(row.action_units),
                'Objective class': row.objective_class,
                'emotion': spellings.get(row.emotion, row.emotion),
            }
            for row in rows
        )
    }


def mmew(rows: Sequence[SheetRow]) -> Sheets:
    """MMEW_Micro_Exp.xlsx."""
    return {
        'Sheet1': table(
            {
                'Subject': row.subject,
                'Filename': row.clip,
                **frame_numbers(row, 'OnsetFrame', 'ApexFrame', 'OffsetFrame'),
                'Action Units': numeric(row.action_units),
                'Estimated Emotion': row.emotion,
                'remarks': None,
            }
            for row in rows
        )
    }


def fourdme(rows: Sequence[SheetRow]) -> Sheets:
    """4DME_Labelling_Micro_release v1.xlsx: action units and emotions as text and as columns of 0 and 1."""

    def record(row: SheetRow) -> dict[str, Cell]:
        moved = {split_unit(name)[1] for name in row.action_units.split('+') if name}
        felt = [name.capitalize() for name in row.emotion.split('+')]
        return {
            'sub_ID': row.subject,
            'fold_name': row.clip,
            **frame_numbers(row, 'Onset', 'Apex', 'Offset'),
            'Total': row.offset - row.onset + 1,
            'AUs': f'AU{row.action_units}',
            **{f'AU{unit}': int(unit in moved) for unit in FOURDME_UNITS},
            'eye blink': 0,
            **{name: int(name in felt) for name in FOURDME_EMOTIONS},
            'Emotion': '+'.join(felt),
        }

    return {'Sheet1': table(map(record, rows))}


def dfme(rows: Sequence[SheetRow]) -> Sheets:
    """training_full_with_AU.xlsx and the like; AU has action descriptors and movement codes, too, at times."""
    codes = ('', '+M58', '', '+AD38')
    return {
        'Sheet1': table(
            {
                'Subject': f'sub{row.subject:04d}',
                'Filename': row.clip,
                **frame_numbers(row, 'OnsetFrame', 'ApexFrame', 'OffsetFrame'),
                'Emotion': row.emotion,
                'AU': numeric(row.action_units + codes[index % 4]),
            }
            for index, row in enumerate(rows)
        )
    }


def smic_e_hs(rows: Sequence[SheetRow]) -> Sheets:
    """SMIC-HS-E_annotation_2019.xlsx: up to three micro-expressions in a long clip, a text below the last row."""
    coding = table(
        {
            'Subject': row.subject,
            'Filename': row.clip,
            'blank 1': None,
            'OnsetF': row.onset,
            'OffsetF': row.offset,
            **dict.fromkeys(['Onset2F', 'Offset2F', 'Onset3F', 'Offset3F', 'blank 2']),
            **long_clip(row),
            'TotalMF1': row.offset - row.onset + 1,
            **dict.fromkeys(['TotalMF2', 'TotalMF3']),
            'TotalVL': row.offset - row.onset + 1 + 2 * LEAD,
            'Emotion': row.emotion,
        }
        for row in rows
    )
    return {'Sheet1': [*coding, [], ['MF: frames of a micro-expression; VL: frames of the video']]}


def smic_e_slow(rows: Sequence[SheetRow], suffix: str = '') -> Sheets:
    """SMIC_VIS_E_annotation.xlsx; with the suffix ' NIR' SMIC_NIR_E_annotation.xlsx."""
    return {
        'Sheet1': table(
            {
                'Subject': row.subject,
                'Filename': row.clip,
                'blank 1': None,
                f'OnsetF{suffix}': row.onset,
                f'OffsetF{suffix}': row.offset,
                **dict.fromkeys(['Onset2F', 'Offset2F', 'blank 2']),
                **long_clip(row),
                'TotalMF1': row.offset - row.onset + 1,
                'TotalVL': row.offset - row.onset + 1 + 2 * LEAD,
                'Emotion': row.emotion,
            }
            for row in rows
        )
    }


def long_clip(row: SheetRow) -> dict[str, Cell]:
    return {'FirstF': row.onset - LEAD, 'LastF': row.offset + LEAD}


SHEETS: dict[str, Callable[[Sequence[SheetRow]], Sheets]] = {
    'smic_e_hs': smic_e_hs,
    'smic_e_vis': smic_e_slow,
    'smic_e_nir': partial(smic_e_slow, suffix=' NIR'),
    'casme2': casme2,
    'casme2_objective': casme2_objective,
    'samm': samm,
    'casme': casme,
    'casme_sq': casme_sq,
    'casme3': casme3,
    'mmew': mmew,
    '4dme': fourdme,
    'dfme': dfme,
}
