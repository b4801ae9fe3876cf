"""A command that has no room, or no right, to write, or shares its folder with another; then it is run once more."""

import os
import shutil
import time
from pathlib import Path
from random import Random

from benchmarks.faults.commands import Command, sandbox
from benchmarks.faults.kills import Reference, Tally, check_again, make_reference
from benchmarks.faults.process import NOBODY, Disturbance, Running, set_read_only, small_disk

DISK = 64  # MB; a case leaves some KB of it free
MOUNTED, LIMITED = 'tmpfs', 'largest size of a file (mount is not allowed)'
READ_ONLY, NOBODYS = 'tmpfs, read-only', 'folders without the right to write, as another user (mount is not allowed)'


def hinder(command: Command, times: int, base: Path, place: Path, log: Path, seed: int) -> dict[str, tuple[Tally, str]]:
    """Run a command on a full disk, in a read-only folder, and twice at a time.

    Args:
        times: Cases of the first and the last; there is one of a read-only folder.
        place: An empty folder, perhaps to mount something at.

    Returns:
        For each hindrance what became of it, and how it was made.
    """
    with small_disk(place, DISK) as mounted:
        box = place / 'box'
        reference = make_reference(command, base, box, log)
        full, read_only, twice = Tally(), Tally(), Tally()
        for number in range(times):
            rng = Random(f'{seed} {command.name} {number}')
            with sandbox(base, box, command.needs) as folder:
                fill_disk(command, reference, folder, log, rng, mounted, full)
            with sandbox(base, box, command.needs) as folder:
                share_folder(command, reference, folder, log, rng, twice)
        with sandbox(base, box, command.needs) as folder:
            forbid_writing(command, reference, folder, log, mounted, read_only)
    return {
        'full disk': (full, MOUNTED if mounted else LIMITED),
        'read-only': (read_only, READ_ONLY if mounted else NOBODYS),
        'two at once': (twice, 'second start at a random moment'),
    }


def fill_disk(
    command: Command, reference: Reference, folder: Path, log: Path, rng: Random, mounted: bool, tally: Tally
) -> None:
    """Leave less room than the command needs, run it, make room, and run it again."""
    needed = sum(len(content or b'') for content in reference.first.values()) - sum(
        len(content or b'') for content in reference.before.values()
    )
    room = int(needed * rng.random())
    case = f'{command.name}, {room / 1e3:.0f} KB free'
    filler = folder.parent / 'filler'
    if mounted:
        free = shutil.disk_usage(folder).free - room
        with open(filler, 'wb') as file:
            os.posix_fallocate(file.fileno(), 0, max(free, 4096))
        running = Running(command.words, folder, log)
    else:
        largest = max(len(content or b'') for content in reference.first.values())
        running = Running(command.words, folder, log, Disturbance(largest_file=max(1, int(largest * rng.random()))))
    check_end(running, tally, case)
    filler.unlink(missing_ok=True)
    check_again(command, reference, folder, log, tally, case)


def forbid_writing(
    command: Command, reference: Reference, folder: Path, log: Path, mounted: bool, tally: Tally
) -> None:
    """Run a command where nothing can be written, then where it can."""
    case = f'{command.name}, read-only'
    if mounted:
        set_read_only(folder.parent, True)
        running = Running(command.words, folder, log)
        check_end(running, tally, case)
        set_read_only(folder.parent, False)
    else:
        rights = {path: path.stat().st_mode for path in (folder, *folder.rglob('*')) if path.is_dir()}
        for path in rights:
            path.chmod(0o555)
        running = Running(command.words, folder, log, Disturbance(nobody=os.getuid() == 0 and NOBODY > 0))
        check_end(running, tally, case)
        for path, mode in rights.items():
            path.chmod(mode)
    check_again(command, reference, folder, log, tally, case)


def share_folder(command: Command, reference: Reference, folder: Path, log: Path, rng: Random, tally: Tally) -> None:
    """Start a command twice in one folder, then a third time."""
    share = rng.random()
    case = f'{command.name}, a second one after {share:.0%}'
    running = [Running(command.words, folder, log)]
    time.sleep(share * reference.seconds)
    running.append(Running(command.words, folder, log.with_name('log2')))
    tally.cases -= 1  # both are one case
    for each in running:
        check_end(each, tally, case)
    check_again(command, reference, folder, log, tally, case)


def check_end(running: Running, tally: Tally, case: str) -> None:
    """Expect a command to do its work, or to refuse it in one sentence."""
    tally.cases += 1
    code = running.wait()
    if alive := running.left_alive():
        tally.add('left_over', alive, case)
    errors = [line for line in running.errors.splitlines() if line.strip()]
    sentences = [line for line in errors if line.startswith('error: ')]
    if code == 2 and len(sentences) == 1 and 'Traceback' not in running.errors:
        tally.refused += 1
    elif code or 'Traceback' in running.errors:
        tally.add('untold', [f'ended with {code}: {" | ".join(errors[-4:])}'], case)
