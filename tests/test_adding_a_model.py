"""docs/adding_a_model.md is followed to the letter, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / 'docs' / 'adding_a_model.md').read_text(encoding='utf-8')
FILES = re.findall(r'`((?:mer_bench|configs)/[\w/]+\.py)`[^`]*?:?\n\n```python\n(.*?)```', PAGE, re.DOTALL)
# in one process, which imports the copy and the stack once; a tool that fails leaves it with its exit code
ONE_AFTER_ANOTHER = """
import runpy, sys
for sys.argv in {}:
    runpy.run_path(sys.argv[0], run_name='__main__')
"""
COMMANDS = [line for block in re.findall(r'```sh\n(.*?)```', PAGE, re.DOTALL) for line in block.splitlines()]


def test_each_model_of_the_page_takes_two_files():
    assert [name for name, _ in FILES] == [
        'mer_bench/models/baselines/two_layers.py',
        'configs/baselines/two_layers.py',
        'mer_bench/models/classical/mean_flow.py',
        'configs/baselines/mean_flow.py',
    ]


@pytest.mark.slow
def test_the_models_of_the_page_train_and_stand_in_the_table(tmp_path, prepared_data):
    for folder in ('mer_bench', 'configs', 'tools'):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns('__pycache__'))
    for name, code in FILES:
        (tmp_path / name).write_text(code, encoding='utf-8')
    shutil.copytree(prepared_data, tmp_path / 'data/smic')
    more = [
        'python tools/train.py configs/mer_smic.py --override configs/baselines/mean_flow.py',
        'python tools/leaderboard.py work_dirs/mer_smic --out my_tables/synthetic_smic.md',
    ]
    train, board, timm = COMMANDS
    train += ' --jobs 1 --cfg-options train_cfg.max_epochs=2'
    commands = [command.split()[1:] for command in (train, f'{more[0]} --jobs 1', more[1])]
    done = subprocess.run(
        [sys.executable, '-c', ONE_AFTER_ANOTHER.format(commands)],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = (tmp_path / 'my_tables/synthetic_smic.md').read_text(encoding='utf-8')
    assert '| mean_flow ' in table
    assert '| two_layers, 2 epochs ' in table
    assert board.replace('/smic.md', '/synthetic_smic.md') == more[1]
    assert timm.endswith('--override timm_resnet18')


def test_every_file_that_the_page_names_is_there():
    examples = [name for name, _ in FILES]
    for name in re.findall(r'`((?:mer_bench|configs|tools|tests)/[\w/]+\.\w+)`', PAGE):
        assert (ROOT / name).is_file() or name in examples, name
