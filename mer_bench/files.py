"""Files that are either whole or absent, and digests of what they hold."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic_core import from_json

from mer_bench.errors import InputError

LARGEST_JSON = 64 << 20  # bytes; a record has some thousands


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


def write_json(path: str | Path, content: dict) -> None:
    """Write `content` as indented JSON, atomically."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')


def read_json(path: str | Path, advice: str) -> object:
    """Return what a JSON file holds.

    Args:
        path: of the file, in UTF-8.
        advice: what to do, the end of the message.

    Raises:
        InputError: It cannot be read, is too large or nested some 200 times, or holds NaN, Infinity or half a letter (a
            lone surrogate).
    """
    try:
        if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
            raise ValueError('it is no file')  # a pipe, at which the reading would wait
        with open(path, 'rb') as file:
            content = file.read(LARGEST_JSON + 1)
        if len(content) > LARGEST_JSON:
            raise ValueError(f'it is larger than {LARGEST_JSON >> 20} MiB')
        return from_json(content.removeprefix(b'\xef\xbb\xbf'), allow_inf_nan=False)
    except OSError as error:
        raise InputError(f'{path}: expected a JSON file, but got {error.strerror!r}; {advice}') from None
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path}: expected JSON in UTF-8, found a fault ({error}); {advice}') from None


def digest_of(content: object) -> str:
    """Return the SHA-256 of `content` as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of the bytes of a file (hashlib.file_digest would need Python 3.11)."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
