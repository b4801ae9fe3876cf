"""What do kills, full disks and damaged files do to the program? On drawn faces, in a temporary folder.

A command is disturbed, started again, and compared with undisturbed runs: `kills` ends it at seeded moments, `disk`
leaves no room or no right to write, or starts it twice, and `damage` changes bytes of the files that it reads.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import accumulate, count, pairwise
from pathlib import Path
from typing import TypeVar

from benchmarks.arguments import add_numbers
from benchmarks.faults.commands import COMMANDS, make_base
from benchmarks.faults.damage import OF_NETWORKS, READERS, add_pages, damage_often
from benchmarks.faults.hindrances import hinder
from benchmarks.faults.kills import Kill, kill_once, make_reference, sum_of

HELP = 'what kills, full disks and damaged files do: lost work, other numbers, silent damage'
TIMED = False
PARTS = ('kills', 'disk', 'damage')
ALL_KILLS = 200
Item, Result = TypeVar('Item'), TypeVar('Result')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        kills=(ALL_KILLS, 0, 'over all commands; more often the quick ones'),
        cases=(2, 0, 'of a full disk, and of two processes on one folder, for each command'),
        damages=(12, 0, 'of each kind of file, by each command that reads it'),
        seed=(0, 0, 'of all that is drawn'),
        jobs=(1, 1, 'commands that are disturbed at a time'),
        minutes=(0, 0, 'after which nothing more is started; 0: all is done'),
    )
    parser.add_argument('--parts', nargs='*', choices=PARTS, default=[*PARTS], help='default: all; none: only --add')
    text = 'saved results whose other parts and commands are kept, later ones in place of earlier ones'
    parser.add_argument('--add', nargs='+', type=Path, default=[], metavar='FILE', help=text)
    text = 'only commands and files of which the name has one of these words; networks are trained if one is "network"'
    parser.add_argument('--commands', nargs='+', default=[], metavar='WORD', help=text)


def measure(args: argparse.Namespace) -> dict:
    """Disturb commands.

    Returns:
        found: For each command or file what was counted, and a sentence for each fault; tables: see
        :func:`benchmarks.report.tables`.
    """
    place, end = Path(tempfile.mkdtemp(prefix='f')), time.monotonic() + 60 * (args.minutes or 10**6)
    base, log, found = place / 'base', place / 'log', {}
    chosen = [c for c in COMMANDS if not args.commands or any(word in c.name for word in args.commands)]
    networks = not args.commands or any('network' in word for word in args.commands)

    def each(items: Iterable[Item], work: Callable[..., Result]) -> list[tuple[Item, Result]]:
        """Disturb each item in a folder of its own, several at a time, until the time is up."""

        def one(number: int, item: Item) -> tuple[Item, Result] | None:
            folder = place / f'{number}'  # a short name: Ray has sockets in it
            if time.monotonic() > end:
                return None
            result = work(item, base=base, place=folder / 'box', log=folder / 'log')
            shutil.rmtree(folder, ignore_errors=True)
            print(f'{item}: {result}'[:2000], file=sys.stderr, flush=True)
            return item, result

        with ThreadPoolExecutor(args.jobs) as pool:
            return [done for done in pool.map(one, count(), items) if done]

    try:
        if args.parts:
            make_base(base, log, networks)
        if 'kills' in args.parts:
            references = {c.name: reference for c, reference in each(chosen, make_reference)}
            times = dict(zip((c.name for c in chosen), shares_of(args.kills, [c.kills for c in chosen]), strict=True))
            tasks = [Kill(c, number) for number in range(max(times.values())) for c in chosen if number < times[c.name]]
            tallies = each(spread(tasks), partial(kill_once, references=references, seed=args.seed))
            found['kills'] = {c.name: sum_of(t for task, t in tallies if task.command is c) for c in chosen}
        if 'disk' in args.parts:
            hindered = each(chosen, partial(hinder, times=args.cases, seed=args.seed))
            found['disk'] = {
                command.name: {name: dict(asdict(tally), how=how) for name, (tally, how) in parts.items()}
                for command, parts in hindered
            }
        if 'damage' in args.parts:
            add_pages(base, log)
            readers = [*READERS, *(OF_NETWORKS if networks else [])]
            words = args.commands or ['']
            readers = [r for r in readers if any(word in f'{r.file} {command_of(r.words)}' for word in words)]
            damaged = each(readers, partial(damage_often, times=args.damages, seed=args.seed))
            found['damage'] = {
                f'{reader.file} {command_of(reader.words)}': dict(
                    asdict(outcome), file=reader.file, by=command_of(reader.words)
                )
                for reader, outcome in damaged
            }
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for path in reversed(args.add):
        for part, entries in json.loads(path.read_text(encoding='utf-8'))['found'].items():
            found[part] = entries | found.get(part, {})
    makers = dict(kills=table_of_kills, disk=table_of_hindrances, damage=table_of_damage)
    tables = [make(found[part]) for part, make in makers.items() if part in found]
    return {'seconds': {}, 'ratios': {}, 'found': found, 'tables': tables}


def shares_of(total: int, weights: list[int]) -> list[int]:
    """Divide a number by weights into whole numbers that add up to it."""
    ends = [round(total * part / sum(weights)) for part in accumulate(weights, initial=0)]
    return [end - start for start, end in pairwise(ends)]


def spread(kills: list[Kill]) -> list[Kill]:
    """Return the kills in an order in which each command gets its share of any part of them."""
    most = Counter(kill.command.name for kill in kills)
    return sorted(kills, key=lambda kill: kill.number / most[kill.command.name])


def table_of_kills(found: dict[str, dict]) -> dict:
    """Return a line for each command and their sum."""
    keys = ('cases', 'lost', 'half_written', 'different', 'left_over')
    rows = [[name, *(str(tally[key]) for key in keys)] for name, tally in found.items()]
    rows.append(['all', *(str(sum(tally[key] for tally in found.values())) for key in keys)])
    text = (
        'Killed at random moments, every second time before a write, and started again. Lost: finished work was done '
        'again; half-written: a file with its final name is not whole; different: another result than undisturbed; '
        'left over: a file or a process that an undisturbed run does not leave.'
    )
    return {
        'text': text,
        'headers': ['command', 'kills', 'lost', 'half-written', 'different', 'left over'],
        'rows': rows,
    }


def table_of_hindrances(found: dict[str, dict]) -> dict:
    """Return a line for each command, and one for the sum."""
    names = [*next(iter(found.values()))]
    rows, sums = [], dict.fromkeys(names, (0, 0, 0))
    for command, parts in found.items():
        cells = []
        for name in names:
            tally = parts[name]
            counts = tally['cases'], tally['refused'], len(tally['faults'])
            sums[name] = tuple(map(sum, zip(sums[name], counts, strict=True)))
            cells.append('{}, {}, {}'.format(*counts))
        rows.append([command, *cells])
    rows.append(['all', *('{}, {}, {}'.format(*sums[name]) for name in names)])
    how = {name: ' or '.join(dict.fromkeys(parts[name]['how'] for parts in found.values())) for name in names}
    made = '; '.join(f'{name}: {words}' for name, words in how.items())
    text = (
        f'Cases, how many of them ended with one sentence and exit code 2, and faults ({made}). The others did their '
        'work. Each command was then started again without the hindrance, and compared with undisturbed runs.'
    )
    return {'text': text, 'headers': ['command', *names], 'rows': rows}


def table_of_damage(found: dict[str, dict]) -> dict:
    """Return a line for each kind of file and each command that reads it."""
    keys = ('cases', 'named', 'mended', 'same', 'silent', 'traceback')
    rows = []
    for entry in found.values():
        rows.append([entry['file'], entry['by'], *(str(entry[key]) for key in keys)])
    rows.append(['all', '', *(str(sum(entry[key] for entry in found.values())) for key in keys)])
    text = (
        'One byte or digit changed, or the end lost, at seeded places; then a command that reads the file. Named: an '
        'error names the damage, and no number is printed; made again: the file is as it was; no number: the damage '
        'stays, and all that is printed and written is as it was; silent: something else was printed or written.'
    )
    headers = ['file', 'read by', 'damages', 'named', 'made again', 'no number', 'silent', 'traceback']
    return {'text': text, 'headers': headers, 'rows': rows}


def command_of(words: list[str]) -> str:
    """Return a command without its options."""
    return 'benchmark report --check' if words[0] == 'benchmark' else words[0] + ' --check' * ('boards' in words)
