"""Throw damaged and hostile files at every door, and say what came of it: `python -m tests.fuzz --inputs 100000`.

A door that raises anything but an InputError, hangs, or ends the process is named with the seed that shows it:
`python -m tests.fuzz --door NAME --seed N` shows its traceback, and keeps the files with --keep DIR.
"""

import argparse
import math
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tabulate import tabulate

from mer_bench.errors import InputError, visible
from tests.fuzz.damage import damage, draw_name
from tests.fuzz.doors import DOORS, Door

PATIENCE = 30  # seconds for one input
MEMORY = 4 << 30  # bytes that a door may ask for beyond what the process has
INVALID = 'the example is not valid:'


@dataclass
class Outcome:
    """What came of the inputs of one door; `others` gives for each other exception its number and first seed."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    others: dict[str, list[int]] = field(default_factory=dict)
    long: int | None = None
    seconds: float = 0.0

    def add(self, seed: int, result: str) -> None:
        self.inputs += 1
        if result == 'accepted':
            self.accepted += 1
        elif result == 'refused':
            self.refused += 1
        else:
            self.others.setdefault(result, []).append(seed)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--inputs', type=int, default=100_000, metavar='N', help='in all (default: 100000)')
    parser.add_argument('--door', help='only doors whose name has this in it')
    parser.add_argument('--first', type=int, default=0, metavar='N', help='the first seed (default: 0)')
    parser.add_argument('--seed', type=int, metavar='N', help='this input alone, with its traceback')
    parser.add_argument('--keep', type=Path, metavar='DIR', help='with --seed: where its files are kept')
    args = parser.parse_args(argv)
    doors = [door for door in DOORS if not args.door or args.door in door.name]
    if not doors:
        parser.error(f'no door {args.door}; there are {", ".join(door.name for door in DOORS)}')
    if args.seed is not None:
        return show(doors[0], args.seed, args.keep)
    outcomes = run(doors, args.inputs, args.first)
    print(as_table(outcomes))
    return int(any(outcome.others for outcome in outcomes.values()))


def run(doors: list[Door], inputs: int, first: int = 0) -> dict[str, Outcome]:
    """Give every door its share of the inputs, at least one."""
    whole = sum(door.share for door in doors)
    outcomes = {}
    for door in doors:
        number = math.ceil(inputs * door.share / whole)
        outcomes[door.name] = at_door(door, range(first, first + number))
        found = outcomes[door.name]
        others = sum(map(len, found.others.values()))
        print(f'{door.name}: {found.inputs} inputs, {others} other exceptions, {found.seconds:.0f} s', file=sys.stderr)
    return outcomes


def at_door(door: Door, seeds: range) -> Outcome:
    """Run inputs in a process of its own, and in a new one behind each input that ends it."""
    outcome, start = Outcome(), time.perf_counter()
    context = multiprocessing.get_context('fork')
    while seeds:
        results, sender = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(door, seeds, sender))
        process.start()
        sender.close()
        done = 0
        try:
            while True:
                result = results.recv()
                if result.startswith(INVALID):
                    raise AssertionError(f'{door.name}: {result}')
                outcome.add(seeds[done], result)
                done += 1
        except EOFError:
            process.join()
        if done < len(seeds):
            name = 'takes too long' if process.exitcode == -signal.SIGALRM else f'process ends ({process.exitcode})'
            outcome.add(seeds[done], name)
            done += 1
        seeds = seeds[done:]
    outcome.seconds = time.perf_counter() - start
    return outcome


def work(door: Door, seeds: range, sender) -> None:
    """Send the result of each input; an alarm ends the process where one takes too long."""
    silence()
    with TemporaryDirectory() as place:
        try:
            example = make_example(door, Path(place))
        except Exception as error:
            sender.send(f'{INVALID} {type(error).__name__}: {error}')
            os._exit(1)
        for seed in seeds:
            signal.alarm(PATIENCE)
            sender.send(result_of(door, example, seed, Path(place)))
            signal.alarm(0)
    sender.close()
    os._exit(0)  # what torch and OpenCV register to be done at the end belongs to the parent


def silence() -> None:
    """Close the screen for a worker, and bound its memory."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter('ignore')
    pages = int(Path('/proc/self/statm').read_text().split()[0]) if Path('/proc/self/statm').exists() else 0
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


def make_example(door: Door, place: Path) -> Path:
    """Write the valid files of a door and read them, which must succeed."""
    example = place / 'example'
    example.mkdir()
    door.example(example)
    copy = fresh_copy(example, place)
    door.read(copy)
    return example


def fresh_copy(example: Path, place: Path) -> Path:
    copy = place / 'input'
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(example, copy))


def result_of(door: Door, example: Path, seed: int, place: Path) -> str:
    """Return 'accepted', 'refused' or the exception of one input."""
    try:
        door.read(make_input(door, example, seed, place))
    except InputError as error:
        lines = str(error).splitlines()
        return 'refused' if len(lines) == 1 and lines[0].strip() else 'InputError of several lines'
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if 'mer_bench' in frame.filename and 'tests' not in frame.filename]
        frame = (ours or frames)[-1]
        return f'{type(error).__name__} in {Path(frame.filename).name}:{frame.name}'
    return 'accepted'


def make_input(door: Door, example: Path, seed: int, place: Path) -> Path:
    """Return the folder of one input: a copy of the example with a file damaged, or a name changed."""
    rng = Random(f'{door.name} {seed}')
    folder = fresh_copy(example, place)
    files = sorted(path for path in folder.glob(door.files) if path.is_file()) if door.files else []
    if door.names and (not files or rng.random() < 0.5):
        path = rng.choice(sorted(folder.rglob('*')))
        target = path.with_name(draw_name(path.name, rng))
        if not target.exists():
            path.rename(target)
        elif path.is_file() and target.is_file():
            target.write_bytes(path.read_bytes())
    else:
        path = rng.choice(files)
        path.write_bytes(damage(path, path.read_bytes(), rng))
    return folder


def show(door: Door, seed: int, keep: Path | None) -> int:
    """Read one input where its traceback is seen."""
    with TemporaryDirectory() as place:
        folder = make_input(door, make_example(door, Path(place)), seed, Path(place))
        if keep:
            shutil.copytree(folder, keep, dirs_exist_ok=True)
        try:
            door.read(folder)
        except InputError as error:
            print(f'InputError: {visible(str(error))}')
            return 0
    print('accepted')
    return 0


def as_table(outcomes: dict[str, Outcome]) -> str:
    """Return a line for every door, a sum, and below them the other exceptions with their first seeds."""
    rows = [
        (name, o.inputs, o.accepted, o.refused, sum(map(len, o.others.values())), f'{o.seconds:.1f}')
        for name, o in outcomes.items()
    ]
    total = [
        'all',
        *(sum(row[place] for row in rows) for place in range(1, 5)),
        f'{sum(o.seconds for o in outcomes.values()):.1f}',
    ]
    headers = ('door', 'inputs', 'accepted', 'InputError', 'other exceptions', 'seconds')
    lines = [tabulate([*rows, total], headers=headers, disable_numparse=True, colalign=('left', *['right'] * 5))]
    for name, outcome in outcomes.items():
        for what, seeds in sorted(outcome.others.items(), key=lambda pair: -len(pair[1])):
            lines.append(f'{name}: {len(seeds)} x {what}; --door {name!r} --seed {seeds[0]}')
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
