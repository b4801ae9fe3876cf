"""A command is killed, started again, and compared with one that nothing disturbed."""

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from benchmarks.faults.commands import Command, finished, sandbox
from benchmarks.faults.process import Disturbance, Running

SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGINT, signal.SIGTERM]
CIRCUMSTANCES = ('.commit', '.date', '.digest', '.features')  # of a training: when, and whether features were kept
Snapshot = dict[str, bytes | None]  # what is in a folder by its path; None for a folder


@dataclass
class Reference:
    """What two undisturbed runs of a command left and printed.

    Attributes:
        first, second: Their files. What is the same in both must be so after a disturbance.
        out: What both printed; None if it is not the same, or if the result is in files.
        seconds: Of a run.
        writes: Number of its writes, those in other processes left out.
    """

    first: Snapshot
    second: Snapshot
    before: Snapshot  # what the command was given
    out: str | None
    seconds: float
    writes: list[str]


@dataclass(frozen=True)
class Kill:
    """The kill of a command with a number, which decides moment and signal."""

    command: Command
    number: int

    def __str__(self) -> str:
        return f'{self.command.name} {self.number}'


@dataclass
class Tally:
    """What became of the disturbances of one command; `faults` has a sentence for each that left a trace."""

    cases: int = 0
    lost: int = 0
    half_written: int = 0
    different: int = 0
    left_over: int = 0
    refused: int = 0
    untold: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, kind: str, faults: list[str], case: str) -> None:
        """Count a case with faults of a kind."""
        if faults:
            setattr(self, kind, getattr(self, kind) + 1)
            self.faults.append(f'{case}: {kind.replace("_", " ")}: {"; ".join(faults)[:300]}')


def sum_of(tallies: Iterable[Tally]) -> dict:
    """Return the sums of all counts, and all faults."""
    parts = [asdict(tally) for tally in tallies]
    return {key: sum((part[key] for part in parts), type(value)()) for key, value in asdict(Tally()).items()}


def snapshot(folder: Path) -> Snapshot:
    """Return all that is in a folder; links are left out."""
    found: Snapshot = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(place, name)
            if path.is_dir() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = None
            elif path.is_file() and not path.is_symlink():  # Ray has sockets
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def make_reference(command: Command, base: Path, place: Path, log: Path) -> Reference:
    """Run a command twice without disturbing it."""
    runs = []
    for _ in range(2):
        with sandbox(base, place, command.needs) as folder:
            before = snapshot(folder)
            running = finished(command.words, folder, log)
            seconds = running.seconds
            running.left_alive()  # waits for them
            runs.append((snapshot(folder), running.out, seconds, running.writes))
    (first, out, _, writes), (second, again, seconds, _) = runs
    return Reference(first, second, before, out if command.says and out == again else None, seconds, writes)


def kill_once(kill: Kill, references: dict[str, Reference], base: Path, place: Path, log: Path, seed: int) -> Tally:
    """Kill a command at a seeded moment, every second time before one of its writes, and start it again."""
    command, reference, tally = kill.command, references[kill.command.name], Tally(cases=1)
    rng = Random(f'{seed} {command.name} {kill.number}')
    with sandbox(base, place, command.needs) as folder:
        case, alive = end_once(command, reference, folder, log, rng, aimed=kill.number % 2 == 0)
        tally.add('left_over', alive, f'{command.name}, {case}, processes')
        check_again(command, reference, folder, log, tally, f'{command.name}, {case}')
    return tally


def end_once(
    command: Command, reference: Reference, folder: Path, log: Path, rng: Random, aimed: bool
) -> tuple[str, list[str]]:
    """Start a command and end it; return when and how, and the processes that did not end with it."""
    number = rng.choice(SIGNALS)
    name = signal.Signals(number).name
    at, share = rng.randrange(max(1, len(reference.writes))), rng.random()
    running = Running(command.words, folder, log, Disturbance(at_write=(at + 1) * aimed, signal=number))
    if aimed:
        case = f'{name} before write {at + 1} of {len(reference.writes)} ({Path(reference.writes[at]).name})'
    else:
        case = f'{name} after {share:.0%}'
        time.sleep(share * reference.seconds)
        running.kill(number)
    running.wait()
    return case, running.left_alive()


def check_again(command: Command, reference: Reference, folder: Path, log: Path, tally: Tally, case: str) -> None:
    """Look at what a disturbed command left, start it again, and look at what it then leaves."""
    then = snapshot(folder)
    tally.add('half_written', half_written(then, reference), case)
    done, clips = finished_folds(folder), clips_done(folder)
    running = Running(command.words, folder, log)
    code = running.wait()
    alive = running.left_alive()
    now = snapshot(folder)
    if code:
        tally.add('different', [f'ended with {code} when started again: {running.errors.strip()[-200:]}'], case)
        return
    lost = [f'{path} was made again' for path, mark in done.items() if finished_folds(folder).get(path) != mark]
    if clips is not None and (written := sum(line.endswith('/flow.npy') for line in running.writes)):
        total = int(reference.first['out/annotations.csv'].count(b'\n')) - 1
        reserved = 1 if not clips and written > total else 0  # the array itself
        if written - reserved > total - clips:
            lost.append(f'{written - reserved} clips were computed, {clips} of {total} were done')
    tally.add('lost', lost, case)
    different = differences(now, reference)
    if reference.out is not None and running.out != reference.out:
        different.append('printed something else')
    tally.add('different', different, case)
    extra = sorted(name for name in {*now} - {*reference.first} if not name.startswith('tmp/'))  # of libraries
    tally.add('left_over', [*extra, *alive], case)


def finished_folds(folder: Path) -> dict[str, tuple]:
    """Return what tells whether the folder of a finished fold was written again."""
    found = {}
    for path in folder.rglob('fold.json'):
        if not path.parent.name.startswith('.') and path.parent.parent.name == 'folds':
            status = path.stat()
            found[path.relative_to(folder).as_posix()] = status.st_ino, status.st_mtime_ns
    return found


def clips_done(folder: Path) -> int | None:
    """Return how many clips of an unfinished store are done; None without one."""
    tables = [*folder.glob('out/.store-*/done.txt')]
    return tables[0].read_bytes().count(b'\n') if tables else None


def in_work(name: str) -> bool:
    """Whether a path belongs to something unfinished, by its name."""
    return any(part.startswith('.') or part.endswith('.part') for part in Path(name).parts) or name.startswith('tmp/')


def half_written(then: Snapshot, reference: Reference) -> list[str]:
    """Name the files under a final name that are not whole."""
    faults = []
    for name, content in then.items():
        if content is None or in_work(name) or content == reference.before.get(name):
            continue
        whole = {reference.first.get(name), reference.second.get(name)}
        if name.endswith('.json'):
            try:
                json.loads(content)
            except ValueError:
                faults.append(name)
        elif len(whole) == 1 and content not in whole and not name.endswith('.log') and None not in whole:
            faults.append(name)
    return faults


def differences(now: Snapshot, reference: Reference) -> list[str]:
    """Name what is missing, or other than in both undisturbed runs, which agree in it."""
    lasting = {name: content for name, content in reference.first.items() if not name.startswith('tmp/')}
    faults = [f'{name} is missing' for name in sorted({*lasting} - {*now})]
    for name, first in lasting.items():
        if name not in now or first is None or name.endswith('.log') or in_work(name):
            continue
        content, second = now[name], reference.second[name]
        if first == second:
            faults += [f'{name} differs'] * (content != first)
        elif name.endswith('.json'):
            parts, one, two = (dict(leaves(json.loads(text))) for text in (content, first, second))
            fixed = [key for key in one if one[key] == two.get(key) and not key.endswith(CIRCUMSTANCES)]
            keys = [key for key in fixed if parts.get(key) != one[key]]
            faults += [f'{name}: {key} was {one[key]!r:.60}, is {parts.get(key)!r:.60}' for key in keys]
    return faults


def leaves(content: object, path: str = '') -> list[tuple[str, object]]:
    """Return the numbers and words in JSON by their path."""
    if isinstance(content, dict):
        return [leaf for key, part in content.items() for leaf in leaves(part, f'{path}.{key}')]
    if isinstance(content, list):
        return [leaf for place, part in enumerate(content) for leaf in leaves(part, f'{path}.{place}')]
    return [(path, content)]
