"""The commands and files of docs/scaling.md, read by the programs that they are for."""

import re
import shlex
import subprocess
import sys

import pytest

from mer_bench.cli.sweep import make_parser
from tests.conftest import ROOT

PAGE = (ROOT / 'docs/scaling.md').read_text(encoding='utf-8')
(SBATCH,) = re.findall(r'```bash\n(.*?)```', PAGE, flags=re.S)
COMMANDS = [line.strip() for line in PAGE.replace(SBATCH, '').splitlines() if line.startswith('    ')]
INNER = [command for line in COMMANDS for command in re.findall(r"'cd mer_bench && (.*)'", line)]
(SRUN,) = [shlex.split(line) for line in SBATCH.replace('\\\n', ' ').splitlines() if line.startswith('srun ')]


def words_of_sweeps():
    """The arguments of every tools/sweep.py of the page."""
    lines = [line for line in [*COMMANDS, *INNER] if 'python tools/sweep.py' in line and '...' not in line]
    words = [shlex.split(line)[2:] for line in lines if not line.startswith('ray')]
    return [*words, SRUN[SRUN.index('tools/sweep.py') + 1 :]]


def test_the_tool_reads_the_commands():
    parser = make_parser()
    assert len(words_of_sweeps()) == 3
    for words in words_of_sweeps():
        parser.parse_args(words)
    template = next(line for line in COMMANDS if '--estimate' in line)
    parser.parse_args(['--configs', 'x.py', *shlex.split(template.partition('...')[2])])


def test_the_tools_and_files_of_the_page_are_there():
    named = re.findall(r'\b(?:tools|configs|results|docs)/[\w/.]*\w', PAGE)
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_bash_reads_the_file_for_slurm():
    assert SBATCH.startswith('#!/bin/bash\n#SBATCH ')
    subprocess.run(['bash', '-n'], input=SBATCH, text=True, check=True)


def test_ray_reads_the_options_of_symmetric_run(monkeypatch):
    scripts = pytest.importorskip('ray.scripts.scripts')
    symmetric = pytest.importorskip('ray.scripts.symmetric_run')
    assert SRUN[1:3] == ['ray', 'symmetric-run']
    options, command = SRUN[3 : SRUN.index('--')], SRUN[SRUN.index('--') + 1 :]
    options = ['4' if option == '$SLURM_JOB_NUM_NODES' else option for option in options]
    monkeypatch.setattr(sys, 'argv', ['symmetric-run', *options, '--', *command])
    context = symmetric.symmetric_run.make_context('symmetric-run', [*options, '--', *command])
    assert context.params['min_nodes'] == 4
    extra = re.search(r'`(--num-gpus=.*?)` before', PAGE)[1]
    for of_start in symmetric.curate_and_validate_ray_start_args(options), shlex.split(extra):
        numbers = [re.sub(r'\$SLURM_\w+', '4', option) for option in of_start]
        scripts.start.make_context('start', ['--address', 'node:6379', *numbers])


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
