"""A short run of the fuzz command: a few inputs for every door, and what it does with a bad one."""

import os

import pytest

from mer_bench.errors import InputError
from tests.fuzz.__main__ import as_table, main, run
from tests.fuzz.doors import DOORS, Door, text_file

INPUTS = 100  # over all doors, at least one each


@pytest.fixture(scope='module')
def outcomes():
    """The example of each door is read first, and must be accepted."""
    return run(DOORS, INPUTS)


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_door_raises_nothing_but_input_errors(door, outcomes):
    assert outcomes[door.name].others == {}
    assert outcomes[door.name].inputs


def raise_what_it_reads(folder):
    text = (folder / 'text.txt').read_bytes() if (folder / 'text.txt').is_file() else b''
    if text == b'fine':
        return
    if len(text) % 3 == 0:
        os.abort()
    raise (InputError if len(text) % 3 == 1 else KeyError)(text)


BAD = Door('bad', text_file('fine'), raise_what_it_reads)


def test_another_exception_and_the_end_of_a_process_are_named_with_a_seed():
    outcomes = run([BAD], 30)
    assert {'KeyError in test_doors.py:raise_what_it_reads', 'process ends (-6)'} <= outcomes['bad'].others.keys()
    assert "--door 'bad' --seed" in as_table(outcomes)
    assert outcomes['bad'].inputs == 30


@pytest.mark.parametrize(('read', 'status'), [(raise_what_it_reads, 1), (lambda folder: None, 0)])
def test_the_exit_code_says_whether_anything_but_input_errors_came(monkeypatch, capsys, read, status):
    monkeypatch.setattr('tests.fuzz.__main__.DOORS', [Door('bad', text_file('fine'), read)])
    assert main(['--inputs', '10']) == status
    assert 'other exceptions' in capsys.readouterr().out


def test_ctrl_c_leaves_the_table_of_what_was_read(monkeypatch):
    def stop_after_two(*args):
        yield (BAD, 0), 'accepted', 0.1
        yield (BAD, 1), 'refused', 0.1
        raise KeyboardInterrupt

    monkeypatch.setattr('tests.fuzz.__main__.results_of', stop_after_two)
    found = run([BAD], 30)['bad']
    assert (found.inputs, found.accepted, found.refused) == (2, 1, 1)
