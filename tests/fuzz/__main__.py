"""Throw damaged and hostile files at every door, and say what came of it: `python -m tests.fuzz --inputs 100000`.

A door that raises anything but an InputError, hangs, or ends the process is named with the seed that shows it:
`python -m tests.fuzz --door NAME --seed N` shows its traceback, and keeps the files with --keep DIR. The exit code is 1
if there is any. Ctrl-C prints the table so far.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tabulate import tabulate

from mer_bench.errors import InputError, visible
from tests.fuzz.damage import damage, draw_name, put_special
from tests.fuzz.doors import DOORS, Door

PATIENCE = 30  # seconds for one input
MEMORY = 4 << 30  # bytes that a door may ask for beyond what the process has
SPECIAL = 0.03  # of the inputs that change a file put something else than a file there
LONGEST = 1500  # characters of a message
INVALID = 'the example is not valid:'


@dataclass
class Outcome:
    """What came of the inputs of one door; `others` gives for each other exception its seeds."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    others: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, seed: int, result: str, seconds: float) -> None:
        self.inputs, self.seconds = self.inputs + 1, self.seconds + seconds
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
    doors = [door for door in DOORS if door.name == args.door]
    doors = doors or [door for door in DOORS if not args.door or args.door in door.name]
    if not doors:
        parser.error(f'no door {args.door}; there are {", ".join(door.name for door in DOORS)}')
    if args.seed is not None:
        return show(doors[0], args.seed, args.keep)
    outcomes = run(doors, args.inputs, args.first)
    print(as_table(outcomes))
    return int(any(outcome.others for outcome in outcomes.values()))


def run(doors: list[Door], inputs: int, first: int = 0) -> dict[str, Outcome]:
    """Give every door its share of the inputs, at least one; Ctrl-C ends it with what there is so far."""
    whole = sum(door.share for door in doors)
    shares = {door: max(1, round(inputs * door.share / whole)) for door in doors}
    todo = [(door, seed) for door, number in shares.items() for seed in range(first, first + number)]
    outcomes = {door.name: Outcome() for door in doors}
    with TemporaryDirectory() as place, bar() as progress, suppress(KeyboardInterrupt):
        shown = progress.add_task('', total=len(todo))
        for (door, seed), result, seconds in results_of(todo, place):
            (outcome := outcomes[door.name]).add(seed, result, seconds)
            others = sum(len(seeds) for found in outcomes.values() for seeds in found.others.values())
            progress.update(shown, advance=1, description=f'{door.name}; other exceptions: {others}')
            if outcome.inputs == shares[door] and not progress.console.is_terminal:  # which shows no bar
                print(f'{door.name}: {outcome.inputs} inputs; other exceptions so far: {others}', file=sys.stderr)
    return outcomes


def bar() -> Progress:
    """Return a progress bar on stderr; the name of a door is no markup."""
    columns = (TextColumn('{task.description}', markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def results_of(todo: list[tuple[Door, int]], place: str) -> Iterator[tuple[tuple[Door, int], str, float]]:
    """Yield the result of each input with its seconds; a process does them, and a new one behind each that ends it.

    Args:
        todo: doors with seeds.
        place: a folder that is removed by the caller.
    """
    context, done = multiprocessing.get_context('fork'), 0
    while done < len(todo):
        results, sender = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(todo[done:], place, sender))
        process.start()
        sender.close()
        start = time.perf_counter()
        try:
            while True:
                result, seconds = results.recv()
                if result.startswith(INVALID):
                    raise AssertionError(f'{todo[done][0].name}: {result}')
                yield todo[done], result, seconds
                done, start = done + 1, time.perf_counter()
        except EOFError:
            process.join()
        finally:
            process.kill()
        if done < len(todo):
            name = 'takes too long' if process.exitcode == -signal.SIGALRM else f'process ends ({process.exitcode})'
            yield todo[done], name, time.perf_counter() - start
            done += 1


def work(todo: list[tuple[Door, int]], parent: str, sender) -> None:
    """Send the result of each input; an alarm ends the process where one takes too long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    silence()
    bound_memory()
    for door, inputs in groupby(todo, key=itemgetter(0)):
        with TemporaryDirectory(dir=parent) as place:
            try:
                example = make_example(door, Path(place))
            except Exception as error:
                sender.send((f'{INVALID} {type(error).__name__}: {error}', 0.0))
                os._exit(1)
            for _, seed in inputs:
                signal.alarm(PATIENCE)
                start = time.perf_counter()
                result = result_of(door, example, seed)
                sender.send((result, time.perf_counter() - start))
                signal.alarm(0)
    sender.close()
    os._exit(0)  # what torch and OpenCV register to be done at the end belongs to the parent


def silence() -> None:
    """Close the screen for a worker."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter('ignore')


def bound_memory() -> None:
    """Let this process ask for no more than `MEMORY` beyond what it has."""
    pages = int(Path('/proc/self/statm').read_text().split()[0]) if Path('/proc/self/statm').exists() else 0
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


def make_example(door: Door, place: Path) -> Path:
    """Write the valid files of a door and read them, which must succeed."""
    example = place / 'example'
    example.mkdir()
    door.example(example)
    door.read(fresh_copy(example))
    return example


def fresh_copy(example: Path) -> Path:
    copy = example.with_name('input')
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(example, copy))


def result_of(door: Door, example: Path, seed: int) -> str:
    """Return 'accepted', 'refused' or the exception of one input."""
    undo = []
    try:
        door.read(make_input(door, example, seed, undo))
    except InputError as error:
        text = str(error)
        if len(text.splitlines()) != 1 or visible(text) != text or not text.strip():
            return 'InputError of several lines, none, or hidden characters'
        return 'refused' if len(text) <= LONGEST else f'InputError of more than {LONGEST} characters'
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if 'mer_bench' in frame.filename and 'tests' not in frame.filename]
        frame = (ours or frames)[-1]
        return f'{type(error).__name__} in {Path(frame.filename).name}:{frame.name}'
    finally:
        for back in reversed(undo):
            back()
    return 'accepted'


def make_input(door: Door, example: Path, seed: int, undo: list[Callable[[], object]]) -> Path:
    """Return the folder of one input: the example with a file damaged or replaced, or with names changed.

    To copy hundreds of files takes long, so that `undo` gets what makes it the example again.
    """
    rng, folder = Random(f'{door.name} {seed}'), example.with_name('input')
    if door.writes:
        fresh_copy(example)
    files, paths = [folder / path for path in files_of(door, example)], [folder / path for path in paths_in(example)]
    if door.names and (not files or rng.random() < 0.5):
        for _ in range(rng.choice((1, 1, 2, 3))):
            rename(rng.choice(paths), rng, undo)
        return folder
    path = rng.choice(files or [path for path in paths if path.is_file()])
    content = path.read_bytes()
    if rng.random() < SPECIAL:
        path.unlink()
        undo.append(partial(restore, path, content))
        put_special(path, rng)
    else:
        undo.append(partial(path.write_bytes, content))
        path.write_bytes(damage(path, content, rng))
    return folder


@lru_cache(maxsize=1)
def paths_in(example: Path) -> list[Path]:
    return sorted(path.relative_to(example) for path in example.rglob('*'))


@lru_cache(maxsize=1)
def files_of(door: Door, example: Path) -> list[Path]:
    found = example.glob(door.files) if door.files else ()
    return sorted(path.relative_to(example) for path in found if path.is_file())


def rename(path: Path, rng: Random, undo: list[Callable[[], object]]) -> None:
    """Give a file or folder another name, if it is still there and the name is free."""
    target = path.with_name(draw_name(path.name, rng))
    if os.path.lexists(path) and not os.path.lexists(target):
        path.rename(target)
        undo.append(partial(target.rename, path))


def restore(path: Path, content: bytes) -> None:
    """Put a file back where something else is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(content)


def show(door: Door, seed: int, keep: Path | None) -> int:
    """Read one input where its traceback is seen."""
    bound_memory()
    with TemporaryDirectory() as place:
        folder = make_input(door, make_example(door, Path(place)), seed, [])
        if keep:
            subprocess.run(['cp', '-a', f'{folder}/.', keep], check=True)
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
