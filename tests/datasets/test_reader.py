"""Each reader knows the names of its clips: the sheet of another data set with the same columns is refused."""

import re
from itertools import permutations

import pytest

from mer_bench.datasets.catalogue import DATASETS
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
