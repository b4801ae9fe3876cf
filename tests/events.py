"""Processes that a test starts, and events that it waits for; workers import this, and no torch."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 1800  # seconds, for a test that would wait for ever; no machine is that slow


@contextmanager
def started(*command, errors: str | Path = os.devnull, path: str | Path = '') -> Iterator[subprocess.Popen]:
    """Start a command in its own process group, whose processes end with the block.

    Args:
        command: its words.
        errors: file for what it prints on stderr.
        path: folder to look for modules in before all others.
    """
    environment = os.environ | {'PYTHONPATH': os.pathsep.join([str(path), str(ROOT), os.environ.get('PYTHONPATH', '')])}
    options = dict(cwd=ROOT, env=environment, start_new_session=True, preexec_fn=heed_ctrl_c)
    with open(errors, 'w') as stderr:
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=stderr, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heed_ctrl_c() -> None:
    """Undo what a shell does to background jobs, in case the tests run in one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end, 'it did not come to pass'
        time.sleep(0.02)


def has_ended(process: int) -> bool:
    """Say whether a process has ended, be it waited for or not (Linux)."""
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True


def group_has_ended(group: int) -> bool:
    """Say whether each process of a group has ended."""
    for path in Path('/proc').glob('[0-9]*/stat'):
        with suppress(OSError):  # ended meanwhile
            state, _, process_group, *_ = path.read_text().rpartition(')')[2].split()
            if int(process_group) == group and state != 'Z':
                return False
    return True
