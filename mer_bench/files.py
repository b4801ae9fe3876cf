"""Files that are either whole or absent, and digests of what they hold."""

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mer_bench.errors import InputError

KINDS = {stat.S_ISDIR: 'a folder', stat.S_ISFIFO: 'a pipe', stat.S_ISSOCK: 'a socket'}


class FolderInUse(InputError):
    """Another process holds the folder."""


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` when the block ends without an error."""
    path = Path(path)
    number = f'{os.getpid()}{secrets.randbelow(10**9):09d}'  # other machines have processes of the same id
    temporary = path.with_name(f'.{path.name}.{number}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise InputError(f'{path}: expected a place for this file, found {error.strerror!r}; give another') from error
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Hold `folder` for this process alone; raise a FolderInUse that says `busy` while another one holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{folder}: cannot be created ({error.strerror}); choose another folder') from error
    try:
        with FileLock(folder / '.lock', timeout=0):
            yield
    except Timeout as error:
        raise FolderInUse(busy) from error


def refuse_special(path: str | Path, remedy: str = 'give a file') -> None:
    """Raise an InputError for a folder, pipe, socket or device where a file is expected; one may wait for ever for it.

    What is not there at all is left to whoever opens it.
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


def digest_of(content: object) -> str:
    """Return the SHA-256 of `content` as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of the bytes of a regular file (hashlib.file_digest would need Python 3.11)."""
    refuse_special(path)
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
