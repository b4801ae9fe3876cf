"""The command mer-bench and the doors in tools/."""

import argparse
import re
import shlex
import subprocess
import sys
from itertools import takewhile

import pytest

import mer_bench
from mer_bench.cli import main as door
from mer_bench.datasets.catalogue import DATASETS
from tests.conftest import ROOT
from tests.in_process import tool


def mer_bench_command(monkeypatch, capsys, *words):
    """Return exit code, output and errors of `mer-bench`."""
    monkeypatch.setattr(sys, 'argv', ['mer-bench', *words])
    try:
        door.main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    return code, *capsys.readouterr()


def test_help_names_every_command(monkeypatch, capsys):
    code, out, _ = mer_bench_command(monkeypatch, capsys, '--help')
    assert code == 0
    names = [line.split()[0] for line in out.splitlines() if line.startswith('  ') and line[2].isalpha()]
    assert names == [*door.COMMANDS]


def test_without_a_command_help_is_shown_and_the_exit_code_is_2(monkeypatch, capsys):
    assert mer_bench_command(monkeypatch, capsys)[0] == 2


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    code, out, _ = mer_bench_command(monkeypatch, capsys, '--version')
    assert (code, out) == (0, f'mer_bench {mer_bench.__version__}\n')


@pytest.mark.parametrize(('word', 'near'), [('trian', ' (did you mean train?)'), ('xyz', '')])
def test_an_unknown_command_is_answered_with_the_nearest(monkeypatch, capsys, word, near):
    code, out, err = mer_bench_command(monkeypatch, capsys, word)
    assert (code, out) == (2, '')
    assert err == f'error: mer-bench has no command {word}{near}; mer-bench --help lists the commands\n'


@pytest.mark.parametrize(
    ('words', 'answer'),
    [
        ('train mer_smic --overide majority', 'unrecognized arguments: --overide majority (did you mean --override?)'),
        ('list confgs', '(did you mean configs?)'),
        ('prepare smik --raw x', '(did you mean smic?)'),
        ('sweep', 'the following arguments are required: --configs'),
        ('compare', 'the following arguments are required: A, B'),
        ('protocol smic_3clas x', "label scheme 'smic_3clas' (did you mean smic_3class?)"),
    ],
)
def test_a_mistake_in_a_command_line_is_answered_with_one_line(monkeypatch, capsys, words, answer):
    code, out, err = mer_bench_command(monkeypatch, capsys, *words.split())
    assert (code, out, err.count('\n')) == (2, '', 1)
    assert err.startswith('error: ')
    assert answer in err


@pytest.mark.parametrize('name', door.COMMANDS)
def test_help_is_shown_and_names_the_program_that_was_called(monkeypatch, capsys, name):
    code, out, err = mer_bench_command(monkeypatch, capsys, name, '--help')
    assert (code, err) == (0, '')
    assert out.startswith(f'usage: mer-bench {name} ')
    if (ROOT / f'tools/{name}.py').exists():
        done = tool(name, '--help')
        assert done.returncode == 0
        assert done.stdout.startswith(f'usage: {name}.py ')


def test_help_is_shown_for_everything_that_can_be_prepared(monkeypatch, capsys):
    for name in (*DATASETS, 'check', 'flow-images', 'synthetic'):
        code, out, err = mer_bench_command(monkeypatch, capsys, 'prepare', name, '--help')
        assert (code, out.split()[:4], err) == (0, ['usage:', 'mer-bench', 'prepare', name], '')


def test_every_door_in_tools_is_that_of_a_command():
    doors = {path.stem for path in (ROOT / 'tools').glob('*.py')} - {'benchmark'}
    assert doors <= {*door.COMMANDS}


def examples_of(text, name):
    """Return the command lines of one command in a text, as words."""
    lines = re.findall(rf'^(?:mer-bench |python tools/){name}(?:\.py)?\b.*$', text.replace('\\\n', ' '), re.M)
    return [[*takewhile('>'.__ne__, shlex.split(line, comments=True))] for line in lines]


@pytest.mark.parametrize('name', door.COMMANDS)
def test_the_help_of_a_command_has_two_examples_that_its_parser_takes(name):
    module = door.module_of(name)
    parser = module.make_parser()
    below = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for each in (parser, *(below[0].values() if below else ())):
        command = ' '.join([name, *each.prog.split()[-1:]] if each is not parser else [name])
        examples = examples_of(each.format_help(), command)
        assert len(examples) >= 2, f'{command} --help'
        for example in examples:
            words = example[2:]
            getattr(module, 'parse', parser.parse_args)(words)


@pytest.mark.parametrize('start', ['tool', 'command'])
def test_ctrl_c_during_the_imports_ends_in_one_line_with_code_130(monkeypatch, capsys, start):
    class Interrupted:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == 'mer_bench.cli.score':
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, 'mer_bench.cli.score', raising=False)
    monkeypatch.setattr(sys, 'meta_path', [Interrupted, *sys.meta_path])
    if start == 'tool':
        done = tool('score', 'predictions.csv')
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        code, out, err = mer_bench_command(monkeypatch, capsys, 'score', 'predictions.csv')
    assert (code, out, err) == (130, '', 'stopped; run the same command again to continue\n')


def test_the_command_itself_imports_nothing_heavy():
    code = "import sys, mer_bench.cli.main; print({'numpy', 'pandas', 'torch', 'mmengine'} & {*sys.modules})"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'set()\n'
