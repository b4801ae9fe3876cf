"""The measurement of faults: it finds what is planted, and nothing in our quickest commands."""

import json
import shutil

import pytest

from benchmarks.faults import kills, process, spread
from benchmarks.faults.commands import COMMANDS, Command
from benchmarks.faults.damage import BOARD, Reader, damage_often
from benchmarks.faults.kills import Kill, kill_once, make_reference
from mer_bench.files import write_atomically
from mer_bench.results.record import read_record, write_record
from tests.results.conftest import write_run

BY_NAME = {command.name: command for command in COMMANDS}


def in_place(folder, stopped):
    with open(folder / 'table.csv', 'w') as file:
        file.write('a')
        if not stopped:
            file.write('b')


def atomic(folder, stopped):
    with write_atomically(folder / 'table.csv') as temporary:
        temporary.write_text('ab')


def start_over(folder, stopped):
    shutil.rmtree(folder / 'folds', ignore_errors=True)
    for name in ('s01',) if stopped else ('s01', 's02'):
        (folder / f'folds/{name}').mkdir(parents=True)
        (folder / f'folds/{name}/fold.json').write_text('{}')


def litter(folder, stopped):
    (folder / ('.table.csv.1.tmp' if stopped else 'table.csv')).write_text('ab')


def keep_the_first(folder, stopped):
    path = folder / 'record.json'
    if not path.exists():
        path.write_text(json.dumps({'score': 0.5 if stopped else 0.7}))


class Planted:
    """In place of a process: calls a function above, which stops in the middle if it is disturbed."""

    out, errors, writes, seconds = '', '', ['open table.csv'], 0.0

    def __init__(self, words, folder, log, disturbance=None):
        globals()[words[0]](folder, bool(disturbance and disturbance.at_write))

    def wait(self):
        return 0

    def left_alive(self):
        return []


@pytest.mark.parametrize(
    ('program', 'fault'),
    [
        ('atomic', None),
        ('in_place', 'half_written'),
        ('start_over', 'lost'),
        ('litter', 'left_over'),
        ('keep_the_first', 'different'),
    ],
)
def test_a_program_that_does_not_survive_a_kill_is_found(tmp_path, monkeypatch, program, fault):
    monkeypatch.setattr(kills, 'Running', Planted)
    monkeypatch.setattr('benchmarks.faults.commands.Running', Planted)
    command, places = Command(program, [program], (), 1), (tmp_path, tmp_path / 'box', tmp_path / 'log')
    tally = kill_once(Kill(command, 0), {program: make_reference(command, *places)}, *places, seed=0)
    counts = {name: getattr(tally, name) for name in ('lost', 'half_written', 'different', 'left_over')}
    assert counts == dict.fromkeys(counts, 0) | ({fault: 1} if fault else {})


def test_the_first_kills_are_of_all_commands():
    first, second = (Command(name, [], (), 1) for name in 'ab')
    kills = [Kill(first, number) for number in range(4)] + [Kill(second, number) for number in range(2)]
    assert [str(kill) for kill in spread(kills)] == ['a 0', 'b 0', 'a 1', 'a 2', 'b 1', 'a 3']


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """A folder with a run, and processes that begin without torch."""
    folder = tmp_path_factory.mktemp('base')
    path = write_run(folder / 'runs/a') / 'record.json'
    write_record(path, read_record(path))  # with its digest
    with pytest.MonkeyPatch.context() as patch:
        for name in process.LIBRARY_THREADS:
            patch.setenv(name, '1')
        patch.setattr(process, 'PRELOADED', ('mer_bench.cli.leaderboard', 'benchmarks.faults.process'))
        yield folder


def test_our_pages_survive_kills(base, tmp_path):
    command, places = BY_NAME['leaderboard'], (base, tmp_path / 'box', tmp_path / 'log')
    reference = make_reference(command, *places)
    assert len(reference.writes) > 5
    for number in (0, 1):
        assert kill_once(Kill(command, number), {command.name: reference}, *places, seed=0).faults == []


def test_damage_to_a_record_is_named(base, tmp_path):
    found = damage_often(Reader('runs/a/record.json', BOARD, ('runs',)), 2, base, tmp_path / 'box', tmp_path / 'log', 0)
    assert (found.cases, found.named, found.faults) == (2, 2, [])
