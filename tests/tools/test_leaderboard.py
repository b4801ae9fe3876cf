"""tools/leaderboard.py from the command line."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TOOL = TESTS.parent / 'tools' / 'leaderboard.py'
write_run = runpy.run_path(str(TESTS / 'results' / 'conftest.py'))['write_run']


def leaderboard(*args):
    return subprocess.run([sys.executable, TOOL, *args], capture_output=True, text=True, check=False)


def test_the_table_is_printed_and_its_path_at_the_end(tmp_path):
    write_run(tmp_path / 'runs' / 'seed0')
    out = tmp_path / 'leaderboards' / 'smic.md'
    result = leaderboard(tmp_path / 'runs', '--out', out)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith(out.read_text(encoding='utf-8'))
    assert result.stdout.splitlines()[-1] == f'written: {out} and {out.with_suffix(".csv")}'
    assert sorted(path.name for path in out.parent.iterdir()) == ['smic.csv', 'smic.md']


def break_run(folder, fault):
    if fault == 'incomplete':
        write_run(folder, complete=False, folds={'total': 4, 'done': 3, 'missing': ['s04']})
    elif fault == 'synthetic':
        write_run(folder, synthetic=True)
    elif fault == 'tampered':
        path = write_run(folder) / 'record.json'
        record = json.loads(path.read_text())
        record['scores']['full']['accuracy'] = 0.5
        path.write_text(json.dumps(record))
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
