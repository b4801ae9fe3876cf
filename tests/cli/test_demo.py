"""The steps of `mer-bench demo`; that it ends with a leaderboard is seen by running `make demo`."""

import re
import subprocess

import pytest

from mer_bench.cli import demo, prepare
from mer_bench.errors import InputError
from mer_bench.evaluation.figures import KINDS
from mer_bench.experiment.config_files import find_config, find_override
from tests.conftest import ROOT


def test_the_steps_are_those_of_the_readme(tmp_path, monkeypatch):
    """Faces, flow, the model and three ablations on them, and a control on still pictures, then a leaderboard."""
    commands = [words for _, words in demo.steps(tmp_path)]
    assert [words[0] for words in commands] == ['prepare'] * 3 + ['train'] * 5 + ['leaderboard'] + ['plot'] * 2 + [
        'leaderboard'
    ]
    for name in ('run_dataset', 'run_synthetic'):
        monkeypatch.setattr(prepare, name, lambda **options: None)
    for words in commands[:3]:
        prepare.main(words[1:])  # its options are known
    for words in commands[9:11]:
        assert words[words.index('--kind') + 1] in KINDS
    for _, config, *words in commands[3:8]:
        overrides = words[words.index('--override') + 1 :]
        assert find_config(config).endswith('configs/mer_smic.py')
        assert [find_override(name).rpartition('/')[2] for name in overrides[:2]] == [
            'quarter_width.py',
            'small_input.py',
        ]
    trained = [
        re.search('--work-dir (.*?) ', ' '.join(words))[1].removeprefix(f'{tmp_path}/') for words in commands[3:8]
    ]
    names = ['full', 'no_multiscale', 'no_attention', 'single_head']
    assert trained == [f'runs/{name}' for name in names] + ['still_control']
    assert [words[-1] for words in commands[4:7]] == names[1:]


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path):
    (tmp_path / 'smic').mkdir()  # data that a user prepared
    with pytest.raises(InputError, match='expected an empty folder or that of an earlier demo'):
        demo.main(['--out', str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ['smic']


def test_every_step_runs_under_its_heading(tmp_path, monkeypatch, capsys):
    class Command:
        def __init__(self, name):
            self.name = name.removeprefix('mer_bench.cli.')

        def main(self, words):
            print(self.name, *words)

    monkeypatch.setattr(demo, 'import_module', Command)
    demo.main(['--out', str(tmp_path)])
    lines = [line for heading, words in demo.steps(tmp_path) for line in (f'== {heading}', ' '.join(words))]
    shown = {
        'ablations.png': 'what each part of the model adds',
        'curves.png': 'how the full model learns',
        'site/index.html': 'the leaderboard as a web page',
    }
    lines += ['== look at', *(f'{tmp_path}/{path}: {words}' for path, words in shown.items())]
    assert capsys.readouterr().out.splitlines() == lines


def test_make_demo_is_the_command():
    done = subprocess.run(
        ['make', 'demo', '--dry-run', '--no-print-directory'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == '.venv/bin/mer-bench demo --out demo'
