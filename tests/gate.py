"""A training that waits at a known point until a test has disturbed it: tests wait for events, never for a time."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mer_bench.files import write_atomically
from tests.conftest import ROOT, TINY

GATED = """
custom_hooks = [dict(type='GateHook', gate={gate!r}, folds={folds!r})]
custom_imports = dict(imports=['mer_bench.registry', 'tests.gate'])
"""
LONGEST = 1800  # seconds, for a test that would wait for ever; no machine is that slow


@HOOKS.register_module()
class GateHook(Hook):
    """Waits after the first epoch, whose checkpoint is written, until the gate is open.

    Args:
        gate: Folder; the file `open` in it lets every training pass, and a file named after its fold holds the id of
            each process that waits.
        folds: Folders of the folds that wait.
    """

    def __init__(self, gate: str, folds: list[str]) -> None:
        self.gate, self.folds = Path(gate), folds

    def before_train_epoch(self, runner: Runner) -> None:
        """Wait before the second epoch."""
        fold = Path(runner.work_dir).name.removeprefix('.')
        if fold in self.folds and runner.epoch == 1:
            with write_atomically(self.gate / fold) as path:
                path.write_text(str(os.getpid()))
            wait_for((self.gate / 'open').exists)


class Gate:
    """The folder of a gate, and an override of the small training that waits there."""

    def __init__(self, folder: Path, *folds: str) -> None:
        self.folder, self.override = folder / 'gate', folder / 'tiny.py'
        self.folder.mkdir(parents=True)
        self.override.write_text(TINY + GATED.format(gate=str(self.folder), folds=list(folds)))

    def waiting(self) -> dict[str, int]:
        """The process id of each fold that waits, or waited."""
        return {path.name: int(path.read_text()) for path in self.folder.glob('smic_*')}

    def forget(self) -> None:
        """Forget those that waited."""
        for path in self.folder.glob('smic_*'):
            path.unlink()

    def open(self) -> None:
        """Let every training pass, now and later."""
        (self.folder / 'open').touch()


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
