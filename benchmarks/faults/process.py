"""A command in a process of its own, which can be killed at a chosen moment and has no room, or no right, to write.

Processes are forked from one that has imported torch, so they start at once, and a random moment falls into the work
and not into the imports.
"""

import atexit
import ctypes
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from mer_bench.processes import LIBRARY_THREADS

PRELOADED = (
    *('mer_bench.cli.main', 'mer_bench.runs.train', 'mer_bench.runs.model', 'mer_bench.runs.reproduce'),
    *(
        'mer_bench.runs.leak_audit',
        'mer_bench.sweeps.run',
        'mer_bench.training.runner',
        'mer_bench.preparation.prepare',
    ),
    *('mer_bench.training.stacking.group', 'mer_bench.training.sklearn.estimator_fold', 'mer_bench.results.pages'),
    *('mer_bench.evaluation.report', 'mer_bench.datasets.synthetic.tree', 'mer_bench.datasets.catalogue'),
    *('benchmarks.report', 'benchmarks.faults.process', 'mer_bench.registry', 'mmaction.models', 'mmaction.engine'),
    *('torch._dynamo', 'mer_bench.training.stacking.strategy', 'mmengine.runner'),
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ('os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.truncate', 'os.link', 'os.symlink')
MARK = 'MER_BENCH_FAULTS'  # in the environment of all that a command starts
LONGEST = 600  # seconds of a command
SECONDS_TO_END = 20  # of what a killed command has started
PR_SET_PDEATHSIG = 1
NOBODY = 65534
STARTING = threading.Lock()  # threads share the process that forks


@dataclass(frozen=True)
class Disturbance:
    """What befalls a command.

    Attributes:
        at_write: Which of its writes it does not reach, from 1; 0 for none.
        signal: What then ends it and the processes of its group.
        largest_file: In bytes; 0 for no limit.
        nobody: Whether it loses the rights of root.
    """

    at_write: int = 0
    signal: int = signal.SIGKILL
    largest_file: int = 0
    nobody: bool = False


class Running:
    """A command that was started in a folder; `log` has what it printed, and a line for each of its writes."""

    def __init__(self, words: list[str], folder: Path, log: Path, disturbance: Disturbance | None = None) -> None:
        log.mkdir(parents=True, exist_ok=True)
        for path in log.iterdir():
            path.unlink()
        self.log, arguments = log, (words, str(folder), str(log), disturbance or Disturbance())
        self.process = context().Process(target=run_words, args=arguments)
        with STARTING:
            self.process.start()
        while not (log / 'writes').exists() and self.process.is_alive():
            time.sleep(0.001)
        self.started = time.monotonic()

    def kill(self, number: int) -> bool:
        """Send a signal to the command and the processes of its group; return whether it still ran."""
        with suppress(ProcessLookupError):
            running = self.process.is_alive()
            os.killpg(self.process.pid, number)
            return running
        return False

    def wait(self) -> int:
        """Return the exit code, negative for a signal."""
        self.process.join(LONGEST)
        if self.process.is_alive():
            self.kill(signal.SIGKILL)
            self.process.join()
            return 124
        return self.process.exitcode

    def left_alive(self) -> list[str]:
        """Return the processes of its session that do not end by themselves, and kill them."""
        end = time.monotonic() + SECONDS_TO_END
        while (alive := processes_of(self.process.pid)) and time.monotonic() < end:
            time.sleep(0.02)
        names = []
        for process in alive:
            with suppress(psutil.Error):
                names.append(' '.join(process.cmdline())[:80])
                process.kill()
        return names

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def out(self) -> str:
        return (self.log / 'out').read_text(encoding='utf-8', errors='replace')

    @property
    def errors(self) -> str:
        return (self.log / 'errors').read_text(encoding='utf-8', errors='replace')

    @property
    def writes(self) -> list[str]:
        """The path of each file and folder that the first of its processes opened for writing, renamed or removed."""
        return (self.log / 'writes').read_text(encoding='utf-8', errors='replace').splitlines()


def context() -> multiprocessing.context.ForkServerContext:
    """Return the context whose server has imported what commands need; it has one thread."""
    forking = multiprocessing.get_context('forkserver')
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, '1'))
    forking.set_forkserver_preload([*PRELOADED])
    return forking


def run_words(words: list[str], folder: str, log: str, disturbance: Disturbance) -> None:
    """Run `mer-bench WORDS` in a folder, in the session of its own that this process begins."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ |= {MARK: str(os.getpid()), 'TMPDIR': f'{folder}/tmp', 'PYTHONPATH': os.pathsep.join(sys.path)}
    for number, name in ((1, 'out'), (2, 'errors')):
        os.dup2(os.open(f'{log}/{name}', os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    writes = os.open(f'{log}/writes', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout, sys.stderr = (os.fdopen(number, 'w', encoding='utf-8', closefd=False) for number in (1, 2))
    if disturbance.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (disturbance.largest_file, resource.RLIM_INFINITY))
    if disturbance.nobody:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    notice_writes(folder, writes, disturbance)
    from mer_bench.cli.main import run_command
    from mer_bench.errors import run_tool

    code, sys.argv = 0, ['mer-bench', *words]
    try:
        run_tool(lambda: check_page(*words[1:]) if words[0] == 'benchmark' else run_command(words))
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # as a program ends; a process of multiprocessing would first wait for idle workers
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def check_page(saved: str, page: str) -> int:
    """Do what `tools/benchmark.py report --check` does."""
    from benchmarks.report import read_page, renew

    text = read_page(Path(page))
    fits = renew(text, Path(saved), Path(page)) == text
    print(f'{page} is up to date' if fits else f'error: {page} is not up to date', file=sys.stderr)
    return int(not fits)


def notice_writes(folder: str, log: int, disturbance: Disturbance) -> None:
    """Write down what is written below a folder from now on, and end this group before one of these writes."""
    count = 0

    def notice(event: str, arguments: tuple) -> None:
        nonlocal count
        if event not in CHANGES and not (event == 'open' and isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        if not isinstance(path := arguments[0], str | os.PathLike) or not os.path.abspath(path).startswith(folder):
            return
        count += 1
        os.write(log, f'{event} {os.fspath(path)}\n'.encode(errors='replace'))
        if count == disturbance.at_write:
            os.killpg(0, disturbance.signal)

    sys.addaudithook(notice)


def processes_of(session: int) -> list[psutil.Process]:
    """Return the processes that a command started and that still run, and itself."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getsid(process.pid) == session or process.environ().get(MARK) == str(session):
                found.append(process)
    return found


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Make a folder that is a file system of its own, in memory; yield False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'mer_bench_faults', str(folder)]
    mounted = bool(shutil.which('mount')) and not subprocess.run(mount, capture_output=True, check=False).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(['umount', '-l', str(folder)], check=True)


def set_read_only(folder: Path, read_only: bool) -> None:
    """Let nothing be written to the file system of :func:`small_disk`, or again something."""
    mode = 'ro' if read_only else 'rw'
    subprocess.run(['mount', '-o', f'remount,{mode}', str(folder)], check=True)
