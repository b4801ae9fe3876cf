"""The commands and files of docs/scaling.md, read by those that they are for."""

import re
import runpy
import shlex

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / 'docs/scaling.md').read_text(encoding='utf-8')
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.startswith('    ')]
INNER = [command for line in COMMANDS for command in re.findall(r"'cd mer_bench && (.*)'", line)]


def words_of(tool):
    commands = [line for line in [*COMMANDS, *INNER] if f'python tools/{tool}' in line]
    return [shlex.split(line)[2:] for line in commands if '...' not in line and not line.startswith('ray')]


@pytest.mark.parametrize('tool', ['sweep.py', 'slurm_sweep.py'])
def test_the_tools_read_the_commands(tool):
    parser = runpy.run_path(str(ROOT / 'tools' / tool))['make_parser']()
    assert words_of(tool)
    for words in words_of(tool):
        parser.parse_args(words)


def test_the_sweep_reads_what_is_meant_for_it():
    parser = runpy.run_path(str(ROOT / 'tools/sweep.py'))['make_parser']()
    for words in words_of('slurm_sweep.py'):
        parser.parse_args(words[words.index('--') + 1 :])
    template = next(line for line in COMMANDS if '--estimate' in line)
    parser.parse_args(['--configs', 'x.py', *shlex.split(template.partition('...')[2])])


def test_the_tools_and_files_of_the_page_are_there():
    named = re.findall(r'\b(?:tools|configs|results|docs)/[\w/.]*\w', PAGE)
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_ray_reads_its_commands():
    scripts = pytest.importorskip('ray.scripts.scripts')
    started = [line.replace('- ~/env/bin/', '').strip() for line in PAGE.splitlines() if 'ray start -' in line]
    started = [line for line in started if line.startswith('ray start')]
    assert len(started) == 4
    for line in started:
        scripts.start.make_context('start', shlex.split(line)[2:])


def test_the_cluster_file_has_the_schema_of_ray():
    util = pytest.importorskip('ray.autoscaler._private.util')
    yaml = pytest.importorskip('yaml')
    (text,) = re.findall(r'```yaml\n(.*?)```', PAGE, flags=re.S)
    util.validate_config(yaml.safe_load(text) | dict(cluster_synced_files=[]))  # Ray fills this key itself
