"""docs/adding_a_dataset.md is followed to the letter."""

import re
import types

import pandas as pd

from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from tests.conftest import ROOT

PAGE = (ROOT / 'docs' / 'adding_a_dataset.md').read_text(encoding='utf-8')


def reader_of_the_page():
    (code,) = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
    module = types.ModuleType('smiles')
    exec(compile(code, 'smiles.py', 'exec'), module.__dict__)
    return module.DATASET


def write_smiles(folder):
    for number in range(40, 44):
        frame = folder / 'frames/P01/V3' / f'{number:04d}.jpg'
        frame.parent.mkdir(parents=True, exist_ok=True)
        frame.touch()
    rows = [['P01', 'V3', 40, 42, 43, 'Happy'], ['P01', 'V4', 1, 2, 3, 'Fear']]
    columns = ['Person', 'Video', 'Start', 'Peak', 'End', 'Feeling']
    pd.DataFrame(rows, columns=columns).to_excel(folder / 'smiles.xlsx', index=False)


def test_the_reader_of_the_page_reads_its_layout(tmp_path):
    write_smiles(tmp_path)
    reading = read_dataset(reader_of_the_page(), Places(tmp_path))
    (clip,) = reading.table.to_dict('records')
    assert (clip['sample_id'], clip['apex'], clip['emotion']) == ('smiles/P01/V3', 42, 'happiness')
    assert list(reading.frames['smiles/P01/V3']) == [40, 41, 42, 43]
    assert reading.notes[['clip', 'kind']].to_numpy().tolist() == [['V4', 'left out']]


def test_every_file_that_the_page_names_is_there():
    for name in re.findall(r'`((?:mer_bench|configs|tools)/[\w/]+\.\w+)`', PAGE):
        assert (ROOT / name).is_file() or 'smiles' in name, name
