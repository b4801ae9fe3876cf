import os
import re
import signal
import subprocess
import sys

import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.files import digest_file
from tests.conftest import ROOT
from tests.events import group_has_ended, started, wait_for
from tests.in_process import tool
from tests.preparation.conftest import write_clip_of_shifts

TOOL = str(ROOT / 'tools' / 'prepare.py')
SLOW_ENOUGH = ['--flow', 'tvl1', '--clip-len', '8', '--size', '28', '--workers', '2']


# the tool, which waits for ever where its second clip is done
PAUSED = f"""
import runpy, sys, time
from mer_bench.preparation.store import fill
noted, append_done = [], fill.append_done
def append_one(build, clip):
    time.sleep(1e6 if noted else 0)
    append_done(build, clip)
    noted.append(clip)
fill.append_done = append_one
sys.argv[0] = {TOOL!r}
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def prepare(*args, **options):
    return tool('prepare', *args, **options)


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    """SMIC-HS of 8 clips that keep TV-L1 busy for a moment each."""
    raw = tmp_path_factory.mktemp('smic') / 'raw'
    for seed in range(8):
        clip = raw / f'SMIC_all_cropped/HS/s{seed % 2 + 1}/micro/negative/s{seed % 2 + 1}_ne_0{seed}'
        write_clip_of_shifts(clip, [0, 0.3, 0.6, 1, 1.5, 1.1, 0.7, 0.5, 0.2], seed=seed, shape=(90, 80))
    return raw


@pytest.fixture(scope='module')
def uninterrupted(raw):
    """The folder of a preparation that ran through."""
    out = raw.parent / 'uninterrupted'
    assert prepare('smic', '--raw', raw, '--out', out, *SLOW_ENOUGH).returncode == 0
    return out


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_preparation_continues_to_the_identical_store(raw, uninterrupted, tmp_path, number):
    arguments = ['smic', '--raw', raw, '--out', tmp_path, *SLOW_ENOUGH]
    with started(sys.executable, '-c', PAUSED, *arguments) as process:
        wait_for(
            lambda: (
                any(path.stat().st_size for path in tmp_path.glob('.store-*/done.txt')) or process.poll() is not None
            )
        )
        if number == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, number)  # Ctrl-C reaches the workers too
        assert process.wait() == (-9 if number == signal.SIGKILL else 130)
        wait_for(lambda: group_has_ended(process.pid))
    assert not (tmp_path / 'store').exists()
    (build,) = tmp_path.glob('.store-*')
    done = (build / 'done.txt').read_text()
    assert prepare(*arguments).returncode == 0
    assert done.count('\n') == 1
    for name in ('store/flow.npy', 'store/index.csv', 'annotations.csv'):
        assert digest_file(tmp_path / name) == digest_file(uninterrupted / name)


def test_the_summary_names_the_files_and_the_next_command(raw, uninterrupted):
    out = prepare('smic', '--raw', raw, '--out', uninterrupted, *SLOW_ENOUGH).stdout
    assert '8 clips of 2 subjects' in out
    assert f'next: python tools/train.py configs/mer_smic.py --data-root {uninterrupted}' in out


@pytest.mark.parametrize(
    ('args', 'fault'),
    [
        (['smic', '--raw', 'nowhere'], 'no such folder'),
        (['smic', '--raw', '.', '--clip-len', '0'], 'clip-len must be at least 1'),
        (['smic', '--raw', '.', '--size', '27'], 'size must be at least 28'),
        (['smic', '--raw', '.', '--workers', '0'], 'workers must be at least 1'),
        (['smic', '--raw', '.', '--annotations-only', '--faces', 'dlib'], 'reads no frame'),
        (['smic', '--raw', '.', '--annotations-only', '--preview', 'a.png'], 'reads no frame'),
        (['flow-images', 'nowhere'], 'no such folder'),
        (['flow-images', '.'], 'found neither'),
        (['synthetic', '--like', 'smic', '--out', 'out', '--subjects', '0'], 'at least 1 subject'),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, args, fault):
    run = prepare(*args, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ''
    (sentence,) = [line for line in run.stderr.splitlines() if line.startswith('error: ')]
    assert fault in sentence
    assert 'Traceback' not in run.stderr


def test_a_broken_picture_in_a_worker_is_one_sentence_too(tmp_path):
    for name in ('s1_ne_01', 's1_ne_02'):
        write_clip_of_shifts(tmp_path / 'HS/s1/micro/negative' / name, [0, 1], shape=(40, 40))
    (tmp_path / 'HS/s1/micro/negative/s1_ne_02/reg_image101.bmp').write_text('no picture')
    run = prepare('smic', '--raw', tmp_path, '--out', tmp_path / 'out', '--flow', 'dis', '--workers', '2')
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith('error: ')
    assert 'Traceback' not in run.stderr


@pytest.mark.parametrize(('layout', 'tree'), [('cropped', 'SMIC_all_cropped'), ('raw', 'SMIC_all_raw')])
def test_a_synthetic_tree_is_read_as_smic(tmp_path, layout, tree):
    args = ['--subjects', '1', '--clips', '2', '--layout', layout]
    assert prepare('synthetic', '--like', 'smic', '--out', tmp_path / 'raw', *args).returncode == 0
    table = read_dataset(DATASETS['smic'], Places(tmp_path / 'raw')).table
    assert len(table) == 2
    assert table['synthetic'].all()
    assert (tmp_path / 'raw' / tree / 'HS' / table['frames_dir'].iloc[0]).is_dir()


def test_a_path_with_a_space_is_quoted_in_the_next_command(tmp_path):
    out = prepare('synthetic', '--like', 'smic', '--out', tmp_path / 'a b', '--subjects', '1', '--clips', '2').stdout
    assert f"--raw '{tmp_path}/a b' --out '{tmp_path}/a b_prepared'" in out


def test_the_help_shows_defaults_as_a_user_would_write_them():
    shown = ' '.join(prepare('smic', '--help').stdout.split())
    assert 'in this order (default: u v strain)' in shown
    assert '(default: 16)' in shown
    assert not re.search(r'\(default: (\[|\(|None|False)', shown)


def test_help_starts_without_opencv_and_torch():
    code = f'import sys, runpy; sys.argv = ["prepare.py", "smic", "--help"]\ntry: runpy.run_path({TOOL!r}, '
    code += 'run_name="__main__")\nexcept SystemExit: assert not {"cv2", "torch"} & set(sys.modules)'
    assert (
        '--clip-len' in subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    )
