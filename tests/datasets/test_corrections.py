import pandas as pd

from mer_bench.datasets.corrections import COLUMNS, FOLDER, apply_corrections, read_corrections

FIX = pd.DataFrame([['sub07', 'EP06_01', 'offset', '68', '91', 'a mistake', 'its owner']], columns=COLUMNS)


def rows(clip, offset):
    return pd.DataFrame({'subject': ['sub07'], 'clip': [clip], 'offset': [offset]})


def test_a_cell_with_the_old_value_is_corrected_whatever_the_capitals_of_its_clip():
    corrected, (note,) = apply_corrections(rows('ep06_01', '68'), FIX)
    assert corrected['offset'].tolist() == ['91']
    assert note['detail'] == "offset '68' -> 91: a mistake (its owner)"


def test_another_value_or_another_clip_stays():
    for table in (rows('EP06_01', '90'), rows('EP06_02', '68')):
        corrected, notes = apply_corrections(table, FIX)
        assert corrected.equals(table)
        assert notes == []


def test_every_correction_that_is_shipped_has_a_reason_and_a_source():
    tables = [read_corrections(path.stem) for path in FOLDER.glob('*.csv')]
    assert tables
    assert all(
        (table[['subject', 'clip', 'column', 'old', 'reason', 'source']] != '').all(axis=None) for table in tables
    )
