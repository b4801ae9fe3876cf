"""The scripts that complete commands in bash and zsh."""

import shutil
import subprocess
import sys

import pytest

from mer_bench.cli.completion import main
from tests.conftest import ROOT

# the line that is completed -> words among the answers
LINES = {
    'mer-bench tr': 'train',
    'mer-bench train --ov': '--override',
    'mer-bench train mer_sm': 'mer_smic',
    'mer-bench train ./configs/mer_sm': './configs/mer_smic.py',
    'mer-bench train mer_smic --override ststnet no_att': 'no_attention',
    'mer-bench sweep --configs mer_smic --overrides stst': 'ststnet',
    'mer-bench plot RUN --kind conf': 'confusion',
    'mer-bench prepare smic --flow t': 'tvl1',
    'mer-bench prepare smic --raw resu': 'results',
    'mer-bench protocol megc2019_3': 'megc2019_3class',
    'mer-bench score READ': 'README.md',
    'mer-bench list --j': '--json',
}
COMPLETE = """
source "$1"; shift
for line in "$@"; do
    read -ra COMP_WORDS <<< "$line"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    $(complete -p mer-bench | sed 's/.*-F \\([^ ]*\\).*/\\1/') mer-bench "${COMP_WORDS[-1]}"
    echo "${COMPREPLY[*]}"
done
"""


@pytest.mark.skipif(not shutil.which('bash'), reason='bash is not installed')
def test_bash_completes_commands_options_choices_files_and_names(tmp_path, capsys):
    main(['bash'])
    script = tmp_path / 'script'
    script.write_text(capsys.readouterr().out)
    command = ['bash', '-c', COMPLETE, 'bash', script, *LINES]
    answers = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for (line, word), answer in zip(LINES.items(), answers, strict=True):
        assert word in answer.split(), line


def test_zsh_gets_every_command_and_name(tmp_path, capsys):
    main(['zsh'])
    script = capsys.readouterr().out
    assert script.startswith('#compdef mer-bench\n')
    for word in ('train', 'leaderboard', '--audit-epochs', 'mer_casme2_samm_3class', 'no_attention', 'ststnet'):
        assert word in script
    if shutil.which('zsh'):
        (tmp_path / 'script').write_text(script)
        words = (
            f'autoload -U compinit; compinit -u -d {tmp_path}/dump; source {tmp_path}/script; print $_comps[mer-bench]'
        )
        done = subprocess.run(['zsh', '-f', '-c', words], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ('_shtab_mer_bench\n', '')
    else:
        assert '== (eval|file) ]]' in script  # zsh calls a script that is sourced a file


def test_the_script_is_made_without_torch():
    code = (
        'import sys; from mer_bench.cli.completion import whole_parser; whole_parser(); print("torch" in sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == 'False\n'
