"""A short run of the fuzz command: a few inputs for every door, and what it does with a bad one."""

import os

import pytest

from mer_bench.errors import InputError
from tests.fuzz.__main__ import as_table, at_door, run
from tests.fuzz.doors import DOORS, Door, text_file

INPUTS = 12  # of a usual door


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_door_raises_nothing_but_input_errors(door):
    """The example of each door is read first, and must be accepted."""
    number = INPUTS if door.share == 1 else 2
    outcome = at_door(door, range(number))
    assert outcome.others == {}
    assert outcome.inputs == number


def raise_what_it_reads(folder):
    text = (folder / 'text.txt').read_text(errors='replace')
    if text == 'fine':
        return
    if len(text) % 3 == 0:
        os.abort()
    raise (InputError if len(text) % 3 == 1 else KeyError)(text)


def test_another_exception_and_the_end_of_a_process_are_named_with_a_seed():
    outcomes = run([Door('bad', text_file('fine'), raise_what_it_reads)], 30)
    assert {'KeyError in test_doors.py:raise_what_it_reads', 'process ends (-6)'} <= outcomes['bad'].others.keys()
    assert "--door 'bad' --seed" in as_table(outcomes)
    assert outcomes['bad'].inputs == 30
