"""The Python door, and the blocks of docs/python.md, run on small data."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mer_bench
from mer_bench.errors import InputError
from tests.conftest import ROOT
from tests.in_process import tool

PAGES = [(ROOT / name).read_text(encoding='utf-8') for name in ('docs/python.md', 'README.md')]
BLOCKS = [block for page in PAGES for block in re.findall(r'```python\n(.*?)```', page, flags=re.S)]
SMALL = {
    "out='data/smic')": "out='data/smic', flow='dis', clip_len=2, size=32, workers=1)",
    "['ststnet']": "['ststnet'], cfg_options={'train_cfg.max_epochs': 2}, device='cpu', jobs=1",
    "['linear_svm']": "['linear_svm'], device='cpu', jobs=1",
    "('clip.mp4', onset=12, apex=20, offset=31)": "(next(Path('FOLDER_OF_SMIC').glob('*/HS/*/micro/*/*')))",
    'no_full=True': "no_full=True, device='cpu', jobs=1",
}


@pytest.mark.slow
def test_every_block_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawn = tool(
        'prepare', 'synthetic', '--like', 'smic', '--out', 'FOLDER_OF_SMIC', '--subjects', 2, '--clips', 6, cwd=tmp_path
    )
    assert drawn.returncode == 0
    names = dict(Path=Path)
    for block in BLOCKS:
        for words, small in SMALL.items():
            block = block.replace(words, small)
        if 'load_model' in block:
            words = ['--override', 'ststnet', '--cfg-options', 'train_cfg.max_epochs=2', '--out', 'model']
            assert tool('fit', 'mer_smic', *words, '--device', 'cpu', cwd=tmp_path).returncode == 0
        exec(block, names)
    run = names['run']
    assert run.scores['full']['n'] == len(run.predictions) == len(names['clips']) == 12
    assert run.folder.parts[-3:] == ('mer_smic', run.record['method'], 'seed0')
    assert 'record' not in repr(run)  # a notebook shows it
    monkeypatch.chdir(tmp_path.parent)  # the run is found from everywhere
    assert mer_bench.compare(run, names['other']).names[0] == f'{run.record["method"]}/seed0'
    assert len(mer_bench.leaderboard([run])) == 1
    assert [*run.per_subject()['subject']] == sorted({*names['clips']['subject']})
    assert names['scores']['full']['uf1'] == run.scores['full']['uf1']
    assert [*names['table']['method']] != []
    assert {*names['runs']['state']} == {'finished'}
    assert names['batch']['inputs'].shape[1:] == (3, 2, 32, 32)
    assert names['prediction'].label in names['prediction'].probabilities
    assert 'no such config file: mer_smik (did you mean mer_smic' in capsys.readouterr().out


@pytest.mark.parametrize(
    'settings', [{'seed': 'x'}, {'seed': -1}, {'jobs': 0}, {'jobs': '2'}, {'stack': 'all'}, {'device': 'gpu'}]
)
def test_a_wrong_setting_is_one_sentence_and_writes_nothing(tmp_path, monkeypatch, prepared_data, settings):
    monkeypatch.chdir(tmp_path)
    ((name, value),) = settings.items()
    with pytest.raises(InputError, match=f'{name} .*{value}.*: expected'):
        mer_bench.train('mer_smic', overrides='ridge', data_root=prepared_data, **settings)
    assert [*tmp_path.iterdir()] == []


def test_no_run_makes_no_leaderboard():
    with pytest.raises(InputError, match='expected at least one run'):
        mer_bench.leaderboard([])


def test_the_page_shows_every_name_of_the_door():
    shown = {*re.findall(r'mer_bench\.(\w+)', '\n'.join(BLOCKS))}
    assert {*mer_bench.__all__} - {'list_methods'} <= shown
    assert 'mer_bench.list_methods()' in PAGES[0]


@pytest.mark.parametrize('name', mer_bench.__all__)
def test_every_name_is_a_function_with_a_docstring(name):
    function = getattr(mer_bench, name)
    assert function.__name__ == name
    assert function.__doc__
    assert name in dir(mer_bench)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mer_bench' has no attribute 'trian'"):
        mer_bench.trian  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, mer_bench; print({'numpy', 'pandas', 'torch', 'mmengine'} & {*sys.modules})"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'set()\n'


def test_methods_are_listed_with_a_line_each():
    methods = mer_bench.list_methods()
    assert methods['ststnet'].startswith('STSTNet (Liong, Gan')
    assert {*methods} == {path.stem for path in (ROOT / 'configs/baselines').glob('*.py')}
