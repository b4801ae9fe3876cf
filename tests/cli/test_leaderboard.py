"""tools/leaderboard.py from the command line."""

import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from mer_bench.errors import InputError
from mer_bench.results.record import read_record, write_record
from tests.in_process import tool

TESTS = Path(__file__).parents[1]
TOOL = TESTS.parent / 'tools' / 'leaderboard.py'
main = import_module('mer_bench.cli.leaderboard').main
write_run = runpy.run_path(str(TESTS / 'results' / 'conftest.py'))['write_run']


def leaderboard(*args):
    return tool('leaderboard', *args)


def test_the_table_is_printed_and_its_path_at_the_end(tmp_path):
    write_run(tmp_path / 'runs' / 'seed0')
    out = tmp_path / 'leaderboards' / 'smic.md'
    command = [sys.executable, TOOL, tmp_path / 'runs', '--out', out]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith(out.read_text(encoding='utf-8'))
    files = out, out.with_suffix('.csv'), out.with_suffix('.tex')
    assert result.stdout.splitlines()[-1] == 'written: {}, {} and {}'.format(*files)
    assert sorted(out.parent.iterdir()) == sorted(files)


def break_run(folder, fault):
    if fault == 'incomplete':
        write_run(folder, complete=False, folds={'total': 4, 'done': 3, 'missing': ['s04']})
    elif fault == 'synthetic':
        write_run(folder, synthetic=True)
    elif fault == 'tampered':
        path = write_run(folder) / 'record.json'
        record = read_record(path)
        record['scores']['full']['accuracy'] = 0.5
        write_record(path, record)
    elif fault == 'no predictions':
        (write_run(folder) / 'predictions.csv').unlink()


@pytest.mark.parametrize('fault', ['no record', 'incomplete', 'synthetic', 'tampered', 'no predictions'])
def test_a_fault_is_one_sentence_and_the_old_table_stays(tmp_path, fault):
    break_run(tmp_path / 'runs', fault)
    out = tmp_path / 'smic.md'
    out.write_text('old')
    result = leaderboard(tmp_path / 'runs', '--out', out)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert result.stderr.startswith('error: ')
    assert out.read_text() == 'old'


def test_runs_are_collected_shown_and_checked(tmp_path, capsys):
    write_run(tmp_path / 'runs' / 'seed0', synthetic=True)
    results, tables = str(tmp_path / 'results'), tmp_path / 'leaderboards'
    assert main(['--collect', str(tmp_path / 'runs'), '--into', results]) == 0
    assert main([results, '--out-dir', str(tables)]) == 0
    assert capsys.readouterr().out.split()[-2:] == [str(tables / 'synthetic_smic.md'), str(tables / 'README.md')]
    assert main([results, '--out-dir', str(tables), '--check']) == 0
    capsys.readouterr()
    (tables / 'synthetic_smic.md').write_text('better')
    assert main([results, '--out-dir', str(tables), '--check']) == 1
    assert capsys.readouterr().out == '1 fault\n'
    (tables / 'old.md').touch()
    assert main([results, '--out-dir', str(tables), '--check']) == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ['error:'] * 2


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ('--collect runs', '--collect RUNS and --into DIR go together'),
        ('--into results/x', '--collect RUNS and --into DIR go together'),
        ('--collect runs --into x --check', '--collect RUNS goes with --into DIR alone'),
        ('--collect runs --into x --out y.md', '--collect RUNS goes with --into DIR alone'),
        ('--collect runs --into x --compare y', '--collect RUNS goes with --into DIR alone'),
        ('--compare full', '--compare METHOD expects runs'),
        ('runs --out-dir x --check --compare full', '--check and --compare METHOD exclude each other'),
        ('--with-predictions', '--with-predictions expects --collect'),
        ('--out x.md', '--out FILE.md expects the runs of the page'),
        ('runs --out x.md --check', '--out FILE.md expects the runs of the page and no --check'),
        (
            'runs',
            'expected --out FILE.md for one page, --out-dir DIR for a page per protocol, --html SITE for a web page',
        ),
        ('runs --html x --check', '--check compares tables, not the page'),
        ('--collect runs --into x --html y', '--collect RUNS goes with --into DIR alone'),
        ('runs --tidy x.csv --compare y', '--tidy FILE goes with runs alone'),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, told):
    with pytest.raises(InputError, match=f'^{re.escape(told)}'):
        main(arguments.split())


def test_a_path_to_check_that_is_not_there_ends_with_code_2(tmp_path):
    result = leaderboard(tmp_path / 'gone', '--out-dir', tmp_path, '--check')
    assert (result.returncode, result.stderr.count('\n')) == (2, 1)


def test_the_tool_starts_without_what_takes_long_to_import():
    code = "import sys, mer_bench.cli.leaderboard; print({'torch', 'scipy', 'sklearn', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'set()\n'


def test_a_published_log_is_scored_and_shown(tmp_path, capsys):
    (tmp_path / 'log.txt').write_text('smic s01\nclip0 0 0\nclip1 1 1\nsmic s02\nclip2 2 0\n')
    score = import_module('mer_bench.cli.score').main
    record = ['--record', str(tmp_path / 'theirs'), '--method', 'Their net', '--url', 'https://example.org/log']
    with pytest.raises(InputError, match='--record expects --dataset and --protocol and --classes as well'):
        score([str(tmp_path / 'log.txt'), *record])
    place = ['--dataset', 'smic', '--protocol', 'LOSO, smic_3class', '--classes', 'negative', 'positive', 'surprise']
    score([str(tmp_path / 'log.txt'), *record, *place])
    assert main([str(tmp_path / 'theirs'), '--out', str(tmp_path / 'smic.md')]) == 0
    # F1 of negative 2/3, of positive 1, of surprise 0
    assert '| Their net | 0.556 |' in capsys.readouterr().out


def test_without_a_clone_the_default_folders_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr('mer_bench.cli.leaderboard.clone', lambda: None)
    for arguments in ([], ['--check']):
        with pytest.raises(InputError, match='expected runs and --out-dir DIR, since there is no clone'):
            main(arguments)
    write_run(tmp_path / 'runs')
    assert main([str(tmp_path / 'runs'), '--out-dir', str(tmp_path / 'out')]) == 0


def test_every_method_is_set_against_one_from_the_command_line(tmp_path, capsys):
    write_run(tmp_path / 'runs' / 'a', 'perfect', method='net')
    write_run(tmp_path / 'runs' / 'b', 'one wrong', method='other')
    assert main([str(tmp_path / 'runs'), '--out', str(tmp_path / 'smic.md'), '--compare', 'net']) == 0
    assert '### Every method against net' in capsys.readouterr().out
