"""Annotation sheets as the owners of the data sets write them, for synthetic clips: names, columns, order, spellings.

The columns are those that public loaders of the data sets read; docs/datasets.md has the sources. The bytes of a file
depend on its cells alone.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from openpyxl import Workbook

from mer_bench.datasets.synthetic.units import split_unit
from mer_bench.errors import InputError
from mer_bench.files import write_atomically

Cell = int | float | str | None
Sheets = Mapping[str, Sequence[Sequence[Cell]]]  # name -> rows; text that begins with '=' is a formula

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
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows
FOURDME_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 23, 24, 25, 26, 28, 38, 43, 45)  # a guess
FOURDME_EMOTIONS = ('Positive', 'Negative', 'Surprise', 'Repression', 'Others')
CODES = ('', '+M58', '', '+AD38')  # that sheets of DFME have beside units


@dataclass(frozen=True)
class SheetRow:
    """The content of a sheet's row about one clip, before its owner's spelling.

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


# A column of a sheet: a field of the row, a function of the row and its number in the sheet, or None for empty cells.
Column = str | Callable[[SheetRow, int], Cell] | None


def write_sheet(like: str, rows: Sequence[SheetRow], path: Path) -> None:
    """Write an annotation sheet.

    Args:
        like: a key of :data:`SHEETS`: the data set, or `casme2_objective` for the second sheet of CASME II.
        rows: one per clip, at least one.
        path: the file, which ends in .xlsx, .xls or .csv.
    """
    if like not in SHEETS:
        raise InputError(f'like={like!r}: expected a data set with a sheet: {", ".join(SHEETS)}')
    path = Path(path)
    if path.suffix not in WRITERS:
        raise InputError(f'{path}: expected a name that ends in {", ".join(WRITERS)}; choose one of them')
    content = WRITERS[path.suffix](SHEETS[like](rows))
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def sheet(
    columns: Mapping[str, Column],
    rows: Iterable[SheetRow],
    name: str = 'Sheet1',
    above: Sequence[Sequence[Cell]] = (),
    below: Sequence[Sequence[Cell]] = (),
) -> Sheets:
    """Return a workbook of one sheet with a header; a column whose name begins with `blank` has none there."""
    header = [None if column.startswith('blank') else column for column in columns]
    cells = [[cell(row, number, column) for column in columns.values()] for number, row in enumerate(rows)]
    return {name: [*above, header, *cells, *below]}


def cell(row: SheetRow, number: int, column: Column) -> Cell:
    """Return what a row has in a column."""
    return getattr(row, column) if isinstance(column, str) else column and column(row, number)


def numeric(text: str) -> Cell:
    """Return a lone number as a number, as Excel does when it is typed in."""
    return int(text) if text.isdigit() else text or None


def units(row: SheetRow, number: int) -> Cell:
    return numeric(row.action_units)


def arabic(row: SheetRow, number: int) -> int:
    return ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII').index(row.objective_class) + 1


def with_legend(units: str) -> str:
    """Return A12 for 12, A/L14 for L14 and 7C+A12B for 7+12: A is asymmetric, a letter behind a number an intensity."""
    names = units.split('+')
    if not all(re.fullmatch(r'[LR]?\d+', name) for name in names):
        return units
    if len(names) == 1:
        return f'A/{units}' if units[0] in 'LR' else f'A{units}'
    return '+'.join([*(f'{name}C' for name in names[:-1]), f'A{names[-1]}B'])


def milliseconds(row: SheetRow, last: int) -> float:
    return round((last - row.onset + 1) * 1000 / 60, 2)


def duration(row: SheetRow, number: int) -> int:
    return row.offset - row.onset + 1


NAMES = {'Subject': 'subject', 'Filename': 'clip'}
FRAMES = {'OnsetFrame': 'onset', 'ApexFrame': 'apex', 'OffsetFrame': 'offset'}
# CASME2-coding-20140508.xlsx, with its two columns that have no name.
CASME2 = NAMES | {'blank 1': None} | FRAMES | {'blank 2': None, 'Action Units': units, 'Estimated Emotion': 'emotion'}
# SAMM_Micro_FACS_Codes_v2.xlsx: 13 rows of notes, the header in row 14, the duration a formula.
SAMM_NOTES = [['Synthetic faces in the format of SAMM'], ['Duration = Offset Frame - Onset Frame + 1'], *([[]] * 11)]
SAMM = {
    'Subject': lambda row, number: f'{row.subject:03d}',
    'Filename': 'clip',
    'Inducement Code': lambda row, number: int(row.clip.split('_')[1]),
    'Onset Frame': 'onset',
    'Apex Frame': 'apex',
    'Offset Frame': 'offset',
    'Duration': lambda row, number: f'=F{number + 15}-D{number + 15}+1',
    'Micro': lambda row, number: 'Micro - 1/2',
    'Action Units': lambda row, number: numeric(row.action_units if number % 3 else with_legend(row.action_units)),
    'Estimated Emotion': lambda row, number: 'Other' if row.emotion == 'others' else row.emotion.capitalize(),
    'Objective Classes': arabic,
    'Notes': None,
}
# Section A.xls of CASME: a backslash where there is no second apex, contempt as the sheet spells it.
CASME = NAMES | {
    'blank 1': None,
    'OnsetF': 'onset',
    'ApexF1': 'apex',
    'ApexF2': lambda row, number: row.apex + 1 if row.apex % 3 else '\\',
    'OffsetF': 'offset',
    'blank 2': None,
    'Onset': lambda row, number: milliseconds(row, row.apex),
    'Total': lambda row, number: milliseconds(row, row.offset),
    'AU': units,
    'Emotion': lambda row, number: 'comtempt' if row.emotion == 'contempt' else row.emotion,
}
# cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx; the file name is a letter, the video that the clip is a part of.
CASME3_SPELLINGS = {'happiness': 'happy', 'sadness': 'sad', 'others': 'Others'}
CASME3 = {
    'Subject': lambda row, number: row.clip.split('_')[0],
    'Filename': lambda row, number: row.clip.split('_')[1],
    'Onset': 'onset',
    'Apex': 'apex',
    'Offset': 'offset',
    'AU': units,
    'Objective class': 'objective_class',
    'emotion': lambda row, number: CASME3_SPELLINGS.get(row.emotion, row.emotion),
}
MMEW = NAMES | FRAMES | {'Action Units': units, 'Estimated Emotion': 'emotion', 'remarks': None}
# training_full_with_AU.xlsx and the like.
DFME = {
    'Subject': lambda row, number: f'sub{row.subject:04d}',
    'Filename': 'clip',
    **FRAMES,
    'Emotion': 'emotion',
    'AU': lambda row, number: numeric(row.action_units + CODES[number % 4]),
}
# 4DME_Labelling_Micro_release v1.xlsx: action units and emotions as text and as columns of 0 and 1.
FOURDME = {
    'sub_ID': 'subject',
    'fold_name': 'clip',
    'Onset': 'onset',
    'Apex': 'apex',
    'Offset': 'offset',
    'Total': duration,
    'AUs': lambda row, number: f'AU{row.action_units}',
    **{f'AU{unit}': lambda row, number, unit=unit: int(unit in moved(row)) for unit in FOURDME_UNITS},
    'eye blink': lambda row, number: 0,
    **{name: lambda row, number, name=name: int(name in felt(row)) for name in FOURDME_EMOTIONS},
    'Emotion': lambda row, number: '+'.join(felt(row)),
}


def moved(row: SheetRow) -> set[int]:
    return {split_unit(name)[1] for name in row.action_units.split('+') if name}


def felt(row: SheetRow) -> list[str]:
    return [name.capitalize() for name in row.emotion.split('+')]


def casme_sq(rows: Sequence[SheetRow]) -> Sheets:
    """CAS(ME)^2code_final(Updated).xlsx: three sheets without a header; and its own numbers for people."""
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


def smic_e(rows: Sequence[SheetRow], suffix: str = '', expressions: int = 2) -> Sheets:
    """SMIC-HS-E_annotation_2019.xlsx and SMIC_VIS_E_annotation.xlsx; with the suffix ' NIR' SMIC_NIR_E_annotation.xlsx.

    In the sheet of HS a long clip may have three expressions, and there is a text below the last row.
    """
    more = range(2, expressions + 1)
    columns = {
        **NAMES,
        'blank 1': None,
        f'OnsetF{suffix}': 'onset',
        f'OffsetF{suffix}': 'offset',
        **{f'{name}{number}F': None for number in more for name in ('Onset', 'Offset')},
        'blank 2': None,
        'FirstF': lambda row, number: row.onset - LEAD,
        'LastF': lambda row, number: row.offset + LEAD,
        'TotalMF1': duration,
        **{f'TotalMF{number}': None for number in more if expressions > 2},
        'TotalVL': lambda row, number: duration(row, number) + 2 * LEAD,
        'Emotion': 'emotion',
    }
    text = [[], ['MF: frames of a micro-expression; VL: frames of the video']] if expressions > 2 else []
    return sheet(columns, rows, below=text)


SHEETS: dict[str, Callable[[Sequence[SheetRow]], Sheets]] = {
    'smic_e_hs': partial(smic_e, expressions=3),
    'smic_e_vis': smic_e,
    'smic_e_nir': partial(smic_e, suffix=' NIR'),
    'casme2': partial(sheet, CASME2),
    'casme2_objective': partial(sheet, NAMES | {'Objective Class': arabic}),
    'samm': partial(sheet, SAMM, name='MICRO_ONLY', above=SAMM_NOTES),
    'casme': partial(sheet, CASME),
    'casme_sq': casme_sq,
    'casme3': partial(sheet, CASME3, name='label'),
    'mmew': partial(sheet, MMEW),
    '4dme': partial(sheet, FOURDME),
    'dfme': partial(sheet, DFME),
}


def xlsx_bytes(sheets: Sheets) -> bytes:
    """Return an xlsx without the time of writing, which openpyxl puts into the file and into its zip entries."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    written, timeless = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(timeless, 'w', zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == 'docProps/core.xml':
                content = re.sub(rb'\d{4}-\d\d-\d\dT[\d:.]+Z', b'1980-01-01T00:00:00Z', content)
            target.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return timeless.getvalue()


def xls_bytes(sheets: Sheets) -> bytes:
    """Return a workbook of Excel 97 to 2003."""
    try:
        import xlwt
    except ImportError as error:
        raise InputError('this data set has a sheet in xls, which needs xlwt; run pip install xlwt') from error
    book = xlwt.Workbook(encoding='utf-8')
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if value is not None:
                    sheet.write(y, x, value)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def csv_bytes(sheets: Sheets) -> bytes:
    """Return the first sheet as UTF-8 with commas."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(next(iter(sheets.values())))
    return text.getvalue().encode()


WRITERS: dict[str, Callable[[Sheets], bytes]] = {'.xlsx': xlsx_bytes, '.xls': xls_bytes, '.csv': csv_bytes}
