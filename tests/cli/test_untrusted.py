"""What a stranger sends is never run: not by score, leaderboard, protocol, compare, audit --record or reproduce.

Every file holds code that leaves a file `ran` in the working folder. The first test shows that the code works.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch

from tests.conftest import write_prepared_data
from tests.in_process import tool
from tests.results.conftest import write_run

CODE = "open('ran', 'w').close()"
TEXT = f"model = dict(type='Pipeline', steps=[])\n{CODE}\n"
SHELL = "$(touch ran)`touch ran`';touch ran;'"
HARMLESS_NAME = '=cmd|x [red] <script> \\input'


class Code:
    """Runs when a pickle is read."""

    def __reduce__(self):
        return eval, (CODE,)


@pytest.fixture(scope='module')
def sent(tmp_path_factory):
    """A folder as a stranger may send it: a run, prepared data, a label scheme, a log and modules."""
    folder = tmp_path_factory.mktemp('sent')
    source = dict(name=SHELL, text=TEXT, digest='c0ffee' * 8)
    note = dict(source, config=TEXT)
    named = dict(method=SHELL, protocol=HARMLESS_NAME, notes=[SHELL, CODE], command=f'mer-bench train {SHELL}')
    choice = dict(rule='inner', metric='uf1', inner_folds=2, candidates=[note])
    for name in ('run', 'other'):
        run = write_run(folder / name, 'one wrong', config=source, overrides=[source], selection=choice, **named)
        torch.save({'state_dict': Code()}, run / 'checkpoint.pth')
        (run / 'label_scheme.csv').write_text(SCHEME)
        (run / 'SHA256SUMS').write_text(f'{"a" * 64}  {SHELL}\n')
        (run / 'folds/s01').mkdir(parents=True)
        (run / 'folds/s01/fold.json').write_text(json.dumps(dict(fold='smic/s01', n_train=6, n_test=2, x=CODE)))
        for path in (run / 'config.py', run / 'folds/s01/config.py', run / 'sitecustomize.py'):
            path.write_text(CODE)
        shutil.copy(run / 'checkpoint.pth', run / 'folds/s01')
    (folder / 'scheme.csv').write_text(SCHEME)
    (folder / 'log.txt').write_text(f"{{'s01': {{'pred': [{CODE}], 'truth': [0]}}}}")
    write_prepared_data(folder / 'smic')
    sheet = pd.read_csv(folder / 'smic/annotations.csv')
    sheet.assign(frames_dir=f'={CODE}').to_csv(folder / 'smic/annotations.csv', index=False)
    for name in ('joblib', 'multiprocessing', 'numpy', 'mer_bench', 'yaml', 'sklearn'):
        (folder / f'{name}.py').write_text(CODE)
    return folder


SCHEME = f'dataset,column,value,label\nsmic,emotion,negative,"{CODE}"\nsmic,emotion,*,{SHELL}\n'


def test_the_code_in_these_files_works(sent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('PYTHONSAFEPATH', raising=False)  # which mer_bench sets
    ran = tmp_path / 'ran'
    record = json.loads((sent / 'run/record.json').read_text())
    for run in (
        lambda: exec(record['config']['text']),
        lambda: exec(record['selection']['candidates'][0]['config']),
        lambda: exec((sent / 'run/config.py').read_text()),
        lambda: torch.load(sent / 'run/checkpoint.pth', weights_only=False),
        lambda: pickle.loads(pickle.dumps(Code())),
        lambda: os.system(f'echo {record["method"]}'),
        lambda: eval((sent / 'log.txt').read_text()),
        lambda: eval(pd.read_csv(sent / 'scheme.csv')['label'][0]),
        lambda: subprocess.run([sys.executable, '-c', 'import joblib'], cwd=sent, check=True) and move(sent, tmp_path),
    ):
        run()
        assert ran.exists()
        ran.unlink()


def move(source, target):
    (source / 'ran').replace(target / 'ran')


COMMANDS = {
    'score': ['run'],
    'score of a log': ['score', 'log.txt'],
    'compare': ['run', 'other'],
    'audit': ['--record', 'run'],
    'leaderboard': ['run', '--out', 'OUT/page.md'],
    'leaderboard as a web page': ['leaderboard', 'run', '--html', 'OUT'],
    'leaderboard of checked results': ['leaderboard', 'run', '--out-dir', 'OUT', '--check'],
    'collect': ['leaderboard', '--collect', 'run', '--into', 'OUT', '--with-predictions'],
    'protocol': ['scheme.csv', 'smic'],
    'reproduce': ['run', '--data-root', 'smic', '--folds', '1', '--jobs', '2'],
}


@pytest.mark.parametrize('name', COMMANDS)
def test_no_code_of_a_stranger_runs(sent, tmp_path, name):
    """Each command comes to its end, or refuses a file in one sentence; started where the files lie."""
    words = COMMANDS[name]
    command = words[0] if words[0] in ('score', 'leaderboard') else name
    words = words[command == words[0] :]
    done = tool(command, *(word.replace('OUT', str(tmp_path)) for word in words), cwd=sent)
    assert done.returncode in (0, 1, 2)
    assert done.stdout or done.stderr.startswith('error: ')
    assert not (sent / 'ran').exists()
    assert not (tmp_path / 'ran').exists()
