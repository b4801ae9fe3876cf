"""What all readers share: corrections of sheets, and names of clips, which tell the sheets of data sets apart."""

import re
from itertools import permutations

import pandas as pd
import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.dataset import CORRECTION, CORRECTIONS, read_corrections
from mer_bench.datasets.reader import apply_corrections
from mer_bench.errors import InputError
from tests.datasets.raw_data import read

SUBJECT_AND_CLIP = {
    'smic_e_hs': (1, 's1_ne_01'),
    'casme2': ('sub01', 'EP02_01f'),
    'samm': ('006', '006_1_2'),
    'casme': (1, 'EP01_12'),
    'casme3': ('spNO.1', 'b'),
    'mmew': (1, 'S01-01-001'),
    'dfme': ('sub0003', 'sub0003_01'),
}


def write_rows(path, reader, *names):
    """Write a sheet with the columns of a reader and the clips of others."""
    header = f'Subject,Filename,{"OnsetF" if reader == "casme" else "Onset"},Apex,ApexF1,Offset,OffsetF,AU,Emotion'
    rows = [f'{subject},{clip},46,59,59,86,86,4,fear' for subject, clip in names]
    path.write_text('\n'.join([header, *rows]) + '\n')
    return path


# CASME and CASME II name their clips alike, and are told apart by their columns
PAIRS = [pair for pair in permutations(SUBJECT_AND_CLIP, 2) if set(pair) != {'casme', 'casme2'}]


@pytest.mark.parametrize(('reader', 'other'), PAIRS)
def test_a_row_of_another_data_set_is_named(tmp_path, reader, other):
    own, strange = SUBJECT_AND_CLIP[reader], SUBJECT_AND_CLIP[other]
    with pytest.raises(InputError) as error:
        read(reader, sheets=[write_rows(tmp_path / 'a.csv', reader, own, own, strange)], with_frames=False)
    expected, _, found = str(error.value).partition(', found the row ')
    assert f'expected the clips of {DATASETS[reader].title} (' in expected
    assert found.startswith(f"'{strange[0]} | {strange[1]} | 46")
    assert re.search(rf'looks like one of .*; prepare .*\b{other}\b.*, or give', found)


@pytest.mark.parametrize('reader', SUBJECT_AND_CLIP)
def test_one_strange_name_is_read_and_a_sheet_of_them_refused(tmp_path, reader):
    own, strange = SUBJECT_AND_CLIP[reader], (SUBJECT_AND_CLIP[reader][0], 'mine')
    sheet = write_rows(tmp_path / 'a.csv', reader, own, own, strange)
    assert len(read(reader, sheets=[sheet], with_frames=False).table) == 2
    with pytest.raises(InputError, match=r"found the row '\w+(\.1)? \| mine \| 46.*'; give the sheet of"):
        read(reader, sheets=[write_rows(tmp_path / 'a.csv', reader, strange, strange, own)], with_frames=False)


FIX = pd.DataFrame([['sub07', 'EP06_01', 'offset', '68', '91', 'a mistake', 'its owner']], columns=CORRECTION)


def rows(clip, offset):
    return pd.DataFrame({'subject': ['sub07'], 'clip': [clip], 'offset': [offset]})


def test_a_cell_with_the_old_value_is_corrected_with_any_capitals_in_its_clip():
    corrected, (note,) = apply_corrections(rows('ep06_01', '68'), FIX)
    assert corrected['offset'].tolist() == ['91']
    assert note['detail'] == "offset '68' -> 91: a mistake (its owner)"


def test_another_value_or_another_clip_stays():
    for table in (rows('EP06_01', '90'), rows('EP06_02', '68')):
        corrected, notes = apply_corrections(table, FIX)
        assert corrected.equals(table)
        assert notes == []


def test_every_correction_that_is_shipped_has_a_reason_and_a_source():
    tables = [read_corrections(path.stem) for path in CORRECTIONS.glob('*.csv')]
    assert tables
    assert all(
        (table[['subject', 'clip', 'column', 'old', 'reason', 'source']] != '').all(axis=None) for table in tables
    )
