"""Damaged and hostile inputs at everything that reads one: the figures of `make fuzz`, see docs/security.md."""

import argparse

from benchmarks.arguments import add_numbers

HELP = 'damaged and hostile inputs at every reader: how many end in an InputError, or otherwise'
TIMED = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(parser, inputs=(100_000, 1, 'in all'), first=(0, 0, 'the first seed'))
    parser.add_argument('--door', default='', metavar='WORD', help='only doors whose name has this in it')


def measure(args: argparse.Namespace) -> dict:
    """Give every door its share of the inputs.

    Returns:
        found: {door: inputs, accepted, refused, others (the seeds of each other exception), seconds}; tables: their
        sums, and the doors with other exceptions.
    """
    from tests.fuzz.__main__ import run
    from tests.fuzz.doors import DOORS

    outcomes = run([door for door in DOORS if args.door in door.name], args.inputs, args.first)
    rows = [
        (name, *(o.inputs, o.accepted, o.refused, sum(map(len, o.others.values())))) for name, o in outcomes.items()
    ]
    total = ['all', *map(sum, list(zip(*rows, strict=True))[1:])]
    failed = [[*map(str, row)] for row in [*(row for row in rows if row[-1]), total]]
    text = f'Inputs at {len(rows)} doors; those with other exceptions than InputError, and the sum.'
    table = {'text': text, 'headers': ['door', 'inputs', 'accepted', 'InputError', 'other'], 'rows': failed}
    found = {name: vars(outcome) for name, outcome in outcomes.items()}
    return {'seconds': {}, 'ratios': {}, 'found': found, 'tables': [table]}
