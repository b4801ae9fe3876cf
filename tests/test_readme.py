"""The commands of README.md, run on small data."""

import re
import shlex
import subprocess
import sys

import pytest

from tests.conftest import ROOT

BLOCKS = re.findall(r'```sh\n(.*?)```', (ROOT / 'README.md').read_text(encoding='utf-8'), flags=re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


def run(words, cwd=ROOT):
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_the_make_targets_exist():
    targets = [line for line in COMMANDS if line.startswith('make ')]
    assert targets == ['make demo', 'make test']
    for target in targets:
        assert run([*shlex.split(target), '--dry-run']).returncode == 0


@pytest.mark.slow
def test_every_command_runs_as_written(tmp_path, tiny_override):
    """In a folder of its own, on a synthetic tree and on one flow picture a clip, with a small model."""
    for name in ('configs', 'ablations', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ('smic', 'casme2', 'samm'):
        raw = [
            'tools/prepare.py',
            'synthetic',
            '--like',
            name,
            '--out',
            f'raw/{name}',
            '--subjects',
            '2',
            '--clips',
            '5',
        ]
        assert run([sys.executable, *raw], tmp_path).returncode == 0
    write_flow_pictures(tmp_path / 'pictures')
    small = ['--override', str(tiny_override), '--jobs', '1']
    flow = ['--flow', 'dis', '--clip-len', '2', '--size', '32']
    extra = {'train.py': small, 'smic': flow, 'casme2': flow, 'samm': flow}
    for line in COMMANDS:
        if not line.startswith('python '):
            continue
        words = line.replace('FOLDER_OF_PICTURES', 'pictures').split()[1:]
        words = [re.sub('FOLDER_OF_(.*)', lambda name: f'raw/{name[1].lower()}', word) for word in words]
        words += [word for key, more in extra.items() if words[0].endswith(key) or words[1] == key for word in more]
        if 'configs/baselines' in line and 'train.py' in line:  # the small override is of the full model
            words = [*words[: words.index(str(tiny_override)) - 1], '--cfg-options', 'train_cfg.max_epochs=2']
        words = [word.replace('my_tables/smic', 'my_tables/synthetic_smic') for word in words]
        done = run([sys.executable, *words], tmp_path)
        assert done.returncode == 0, f'{line}\n{done.stderr}'
    assert 'no_attention' in (tmp_path / 'my_tables/synthetic_smic.md').read_text()


def write_flow_pictures(folder):
    """Two subjects with a clip of each class, in the layout of one folder per held-out subject."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    pictures = {(subject, label): rng.integers(0, 255, (28, 28, 3)) for subject in ('s01', 's02') for label in range(3)}
    for held_out in ('s01', 's02'):
        for (subject, label), picture in pictures.items():
            part = folder / held_out / ('u_test' if subject == held_out else 'u_train') / str(label)
            part.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(part / f'{subject}_{subject}_po_0{label}.png'), picture)
