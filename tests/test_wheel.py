"""The wheel alone, in a fresh environment outside any clone: the command, the configs, a training, a leaderboard."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT

PIP = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
OF_A_WHEEL = ('mer_bench', 'configs', 'ablations', 'tools', 'model-index.yml', 'pyproject.toml', 'README.md', 'LICENSE')

PUBLISHED = """
from mer_bench.results.markdown import to_markdown
from mer_bench.results.published import published_page, read_published, results_file

print(to_markdown(published_page(read_published(results_file('published.csv')))), end='')
"""


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the clone, which is left as it is."""
    source = tmp_path_factory.mktemp('source')
    for name in OF_A_WHEEL:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    (source / 'results').mkdir()
    for path in (ROOT / 'results').glob('*.csv'):
        shutil.copy(path, source / 'results')
    folder = tmp_path_factory.mktemp('wheel')
    options = ['--no-deps', '--no-build-isolation', '--wheel-dir', str(folder)]
    subprocess.run([*PIP, 'wheel', *options, str(source)], check=True)
    (path,) = folder.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def fresh(wheel, tmp_path_factory):
    """A fresh environment with the wheel, and with the dependencies of the environment of the tests.

    They come by a .pth file: such files of theirs, as of an editable mer_bench, are not read in turn.
    """
    folder = tmp_path_factory.mktemp('fresh')
    venv.create(folder, symlinks=True)
    python = folder / 'bin' / 'python'
    options = ['--no-deps', '--no-index', '--no-compile']
    subprocess.run([*PIP, '--python', str(python), 'install', *options, str(wheel)], check=True)
    (packages,) = (folder / 'lib').glob('python*/site-packages')
    (packages / 'dependencies.pth').write_text('\n'.join({sysconfig.get_path(name) for name in ('purelib', 'platlib')}))
    return folder, packages


@pytest.fixture
def run(fresh, tmp_path):
    """Run a program of the fresh environment in an empty folder, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith('PYTHON')}

    def run(program, *words):
        command = [fresh[0] / 'bin' / program, *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_a_small_training_runs_by_names_outside_any_clone(fresh, run, prepared_data, tmp_path):
    code = 'import mer_bench; print(mer_bench.__file__)'
    assert Path(run('python', '-c', code).strip()) == fresh[1] / 'mer_bench' / '__init__.py'
    options = ['--data-root', prepared_data, '--device', 'cpu', '--jobs', '1']
    run('mer-bench', 'train', 'mer_smic', '--override', 'majority', *options)
    record = json.loads((tmp_path / 'work_dirs/mer_smic/majority/seed0/record.json').read_text())
    assert (record['complete'], record['config']['name'], record['method']) == (True, 'mer_smic', 'majority')
    assert record['scores']['full']['accuracy'] == pytest.approx(1 / 3)  # 2 clips of each of 3 classes a subject
    run('mer-bench', 'leaderboard', 'work_dirs', '--out', 'synthetic_smic.md')
    assert '| Majority class ' in (tmp_path / 'synthetic_smic.md').read_text()


@pytest.mark.slow
def test_the_wheel_lists_what_the_clone_has_and_knows_the_published_numbers(run, tmp_path):
    listed = {line.split()[0] for line in run('mer-bench', 'list').splitlines() if line}
    names = {
        path.stem for folder in ('configs', 'configs/baselines', 'ablations') for path in (ROOT / folder).glob('*.py')
    }
    assert names <= listed
    (tmp_path / 'page.py').write_text(PUBLISHED)
    assert run('python', 'page.py') == (ROOT / 'leaderboards/published.md').read_text(encoding='utf-8')


def shipped(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.suffix in ('.py', '.yml')}


@pytest.mark.slow
def test_the_files_lie_where_openmmlab_looks_for_them(fresh):
    """`.mim` in the package: https://github.com/open-mmlab/mmaction2/blob/v1.2.0/setup.py, add_mim_extension."""
    import yaml

    mim = fresh[1] / 'mer_bench' / '.mim'
    for name in ('configs', 'ablations', 'tools'):
        assert shipped(mim / name) == shipped(ROOT / name) - {'benchmark.py'}
    imports = yaml.safe_load((mim / 'model-index.yml').read_text())['Import']
    models = [model for index in imports for model in yaml.safe_load((mim / index).read_text())['Models']]
    files = [path for folder in ('configs', 'configs/baselines') for path in (ROOT / folder).glob('*.py')]
    assert sorted(model['Config'] for model in models) == sorted(str(path.relative_to(ROOT)) for path in files)
