"""Files that are either whole or absent, and digests of what they hold."""

import glob
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from pydantic_core import from_json

from mer_bench.errors import InputError, advice_on, cause_of, is_unwritten

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

KINDS = {stat.S_ISDIR: 'a folder', stat.S_ISFIFO: 'a pipe', stat.S_ISSOCK: 'a socket'}

Stamp = tuple[str, int, int, int]  # path, size and times of a file, see :func:`stamp_of`

LOCK = '.lock'  # a file in a folder that one process at a time may hold
LARGEST_JSON = 64 << 20  # bytes; a record has some thousands


class FolderInUse(InputError):
    """Another process holds the folder."""


class CannotHold(InputError):
    """The folder cannot be held: nothing can be written to it, or its file system has no locks."""


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` when the block ends without an error.

    Its content is on the disk by then, so no failure of the machine leaves an empty or partial file. What a killed
    process left of an earlier attempt is removed.

    Raises:
        InputError: Nothing can be written there; the block is not entered.
        OSError: It could not be written, such as on a full disk; the error names `path`, whose old content is kept.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        while True:
            number = f'{os.getpid()}{secrets.randbelow(10**9):09d}'  # other machines have processes of the same id
            temporary = path.with_name(f'.{path.name}.{number}.tmp')
            in_use = open(temporary, 'xb')  # noqa: SIM115 (closed below)
            if hold(in_use) is not False and temporary.exists():
                break
            in_use.close()  # remove_leftovers of another process took it before it was held
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError(f'{path}: expected a place for this file, found {cause_of(error)!r}; give another') from error
    try:
        with named(path, temporary), in_use:
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def hold(file: BinaryIO) -> bool | None:
    """Let an open file be in use until it is closed, or its process ends.

    Returns:
        Whether it was free; None: unknown, as the system has no such locks.
    """
    if fcntl is None:  # Windows, which renames no open file
        file.close()
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of :func:`write_atomically` for `path` that no process holds."""
    for old in path.parent.glob(f'.{glob.escape(path.name)}.*.tmp') if fcntl else ():
        with suppress(OSError), open(old, 'r+b') as file:
            if re.fullmatch(r'[0-9]+', old.name[len(path.name) + 2 : -4]) and hold(file):
                old.unlink()


@contextmanager
def named(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let an error of the block at a file without a name, or at `temporary`, be one at `path`.

    Code that writes to an open file does not know its name. An error of torch about a file that it cannot write
    completely becomes an OSError.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        nameless = getattr(error, 'filename', None) in (None, str(temporary)) and getattr(error, 'errno', None)
        if not nameless and not is_unwritten(error):
            raise
        raise OSError(getattr(error, 'errno', None), cause_of(error), str(path)) from error


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the file system can do so."""
    with suppress(OSError):
        sync(folder)


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Hold `folder` for this process alone.

    Raises:
        FolderInUse: Another one holds it; the message is `busy`.
        CannotHold: Nothing can be written to it, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f'{folder}: cannot be created ({cause_of(error)}); choose another folder') from error
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FolderInUse(busy) from error
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a system without locks
        raise CannotHold(
            f'{folder}: expected a folder that can be locked and written to, found {cause_of(error)!r}; '
            f'{advice_on(error)}'
        ) from error
    try:
        with named(folder):
            yield
    finally:
        lock.release()


def refuse_special(path: str | Path, remedy: str = 'give a file') -> None:
    """Raise an InputError for a folder, pipe, socket or device where a file is expected: reading it may wait for ever.

    A path that does not exist is left to the code that opens it.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in KINDS.items() if is_kind(mode)), 'a device')
        raise InputError(f'{path}: expected a file, found {kind}; {remedy}')


def write_json(path: str | Path, content: dict) -> None:
    """Write `content` as indented JSON, atomically."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an .npy file, atomically.

    np.save and tofile lose the last bytes on a full disk without an error: NumPy closes its copy of the file unasked.
    """
    with write_atomically(path) as temporary, open(temporary, 'wb') as file:
        np.lib.format.write_array(SimpleNamespace(write=file.write), array, allow_pickle=False)


def read_json(path: str | Path, advice: str) -> object:
    """Return what a JSON file of up to 64 MiB holds.

    Args:
        path: of the file, in UTF-8.
        advice: what to do, the end of the message.

    Raises:
        InputError: It cannot be read, is too large or nested some 200 times, or holds NaN, Infinity or half a letter (a
            lone surrogate).
    """
    refuse_special(path, advice)
    try:
        return _parse_json(path, LARGEST_JSON)
    except OSError as error:
        raise InputError(f'{path}: expected a JSON file, but got {error.strerror!r}; {advice}') from None
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path}: expected JSON in UTF-8, found a fault ({error}); {advice}') from None


def read_own_json(path: str | Path) -> dict | None:
    """Return the dict in a JSON file that we wrote, however long; None where there is none or it is damaged."""
    try:
        content = _parse_json(path) if os.path.isfile(path) else None
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _parse_json(path: str | Path, largest: int | None = None) -> object:
    with open(path, 'rb') as file:
        content = file.read() if largest is None else file.read(largest + 1)
    if largest is not None and len(content) > largest:
        raise ValueError(f'it is larger than {largest >> 20} MiB')
    return from_json(content.removeprefix(b'\xef\xbb\xbf'), allow_inf_nan=False)


def digest_of(content: object) -> str:
    """Return the SHA-256 of `content` as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def sealed(content: dict) -> dict:
    """Return content with the digest of all of it but itself, by which a change is noticed."""
    rest = {key: value for key, value in content.items() if key != 'digest'}
    return rest | {'digest': digest_of(rest)}


def is_changed(content: dict) -> bool:
    """Whether content is not what :func:`sealed` returned. That of earlier versions, without a digest, is believed."""
    return bool(content.get('digest')) and content != sealed(content)


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of the bytes of a regular file (hashlib.file_digest would need Python 3.11)."""
    refuse_special(path)
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def stamp_of(path: Path) -> Stamp | None:
    """Return path, size and times of a file, which differ once it was written to; None where there is none."""
    try:
        stat = path.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
