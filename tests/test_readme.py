"""The commands of README.md and docs/commands.md, run on small data."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mer_bench.cli import main
from tests.conftest import ROOT, quick_trees
from tests.in_process import tool

README = (ROOT / 'README.md').read_text(encoding='utf-8')
PAGES = README + (ROOT / 'docs/commands.md').read_text(encoding='utf-8')
BLOCKS = re.findall(r'```sh\n(.*?)```', PAGES, flags=re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


def run(words, cwd=ROOT):
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_make_targets_exist():
    targets = [line for line in COMMANDS if line.startswith('make ')]
    assert targets == ['make demo', 'make test']
    for target in targets:
        assert run([*shlex.split(target), '--dry-run']).returncode == 0


def test_the_readme_counts_what_there_is():
    methods, ablations = (len([*(ROOT / folder).glob('*.py')]) for folder in ('configs/baselines', 'ablations'))
    assert f'with {methods + 1} methods' in README  # the full model is one
    assert f'with {ablations} ablations' in README


def test_every_link_of_the_readme_leads_to_a_file():
    links = [link for link in re.findall(r'\]\(([^)#]+)', README) if not link.startswith('https://')]
    assert 'docs/leaderboard.svg' in links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_table_of_commands_names_each():
    table = PAGES.partition('# Commands')[2].partition('##')[0]
    assert {*re.findall(r'^\| `(\w+)', table, flags=re.M)} == {*main.COMMANDS}


@pytest.mark.slow
def test_every_command_runs_as_written(tmp_path, tiny_override):
    """In a folder of its own, on a synthetic tree and on one flow picture a clip, with a small model.

    The first command of each tool is a process of its own, of those that import no torch; tests of the command line
    start the others.
    """
    for name in ('configs', 'ablations', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ('smic', 'casme2', 'samm'):
        words = ['--like', name, '--out', tmp_path / 'raw' / name, '--subjects', 2, '--clips', 5]
        with quick_trees():
            assert tool('prepare', 'synthetic', *words).returncode == 0
    write_flow_pictures(tmp_path / 'pictures')
    write_clone(tmp_path / 'CausalNet')
    started = set()
    for line in COMMANDS:
        if not line.startswith('python '):
            continue
        script, *words = small_words(line, tiny_override)
        first = script not in {*started, 'tools/train.py', 'tools/sweep.py'}
        started.add(script)
        command = [sys.executable, script, *words]
        done = run(command, tmp_path) if first else tool(Path(script).stem, *words, cwd=tmp_path)
        assert done.returncode == 0, f'{line}\n{done.stderr}'
    assert started == {f'tools/{name}.py' for name in ('prepare', 'train', 'protocol', 'leaderboard', 'sweep')}
    assert 'no_attention' in (tmp_path / 'my_tables/synthetic_smic.md').read_text()
    (table,) = (tmp_path / 'my_tables').glob('*flow*.md')
    assert 'half_face_kernel_ridge' in table.read_text()


def small_words(line, tiny_override):
    """The words of a command behind `python`, with folders that are there and a training of moments."""
    words = line.replace('FOLDER_OF_PICTURES', 'pictures').split()[1:]
    words = [re.sub('FOLDER_OF_(.*)', lambda name: f'raw/{name[1].lower()}', word) for word in words]
    words = [word.replace('my_tables/smic', 'my_tables/synthetic_smic') for word in words]
    if words[1] in ('smic', 'casme2', 'samm'):
        words += ['--flow', 'dis', '--clip-len', '2', '--size', '32', '--workers', '1']
    if words[0].endswith('train.py'):
        words += ['--jobs', '1']
        if 'configs/baselines' in line:  # the small override is of the full model
            words += ['--cfg-options', 'train_cfg.max_epochs=2']
        else:
            words += ['--override', str(tiny_override)]
    return words


def write_flow_pictures(folder):
    """Two subjects with a clip of each class, in the layout of one folder per held-out subject."""
    rng = np.random.default_rng(0)
    pictures = {(subject, label): rng.integers(0, 255, (28, 28, 3)) for subject in ('s01', 's02') for label in range(3)}
    for held_out in ('s01', 's02'):
        for (subject, label), picture in pictures.items():
            part = folder / held_out / ('u_test' if subject == held_out else 'u_train') / str(label)
            part.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(part / f'{subject}_{subject}_po_0{label}.png'), picture)


def write_clone(folder):
    """Two subjects with a clip of each class, in the layout of the public repository, with its label table."""
    pictures = folder / 'datasets/STSNet_whole_norm_u_v_os'
    pictures.mkdir(parents=True)
    rows = ['dataset,sub,filename_o,label,apex,imagename,sub_filename']
    rng = np.random.default_rng(0)
    for subject in ('s01', 's02'):
        for label in range(3):
            clip = f'{subject}_po_0{label}'
            rows.append(f'smic,{subject},{clip},{label},,{subject}_{clip}.jpg,')
            for further in ('', '_1', '_2', '_3'):
                picture = rng.integers(0, 255, (28, 28, 3))
                cv2.imwrite(str(pictures / f'{subject}_{clip}{further} .png'), picture)
    (folder / 'combined_3_class2_for_optical_flow.csv').write_text('\n'.join(rows))
