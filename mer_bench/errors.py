"""Errors that a user can correct: one sentence, no traceback, exit code 2."""

import errno
import os
import re
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

SPACE = 'make room and run the same command again'
PATH = 'check the path'
RIGHTS = 'change its rights or choose another place'
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    **dict.fromkeys(
        (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTEMPTY),
        PATH,
    ),
}
# messages of NumPy and torch
UNWRITTEN = r'\d+ requested and \d+ written|inline_container.*unexpected pos|iostream error'
NO_MEMORY = 'DefaultCPUAllocator'  # of torch, in a RuntimeError
OTHERWISE = 'check the disk, or the connection to it, and run the same command again'

LONG_WORD = re.compile(r'(\S{200})\S{340,}?(\S{60})(?=\s|\Z)')  # the end of a path matters most
START, END = 900, 400  # characters of a longer message; what to do next is at its end

NAMED = 12  # in a sentence

BLANKS, BREAKS = re.compile(r'\s+'), frozenset('\n\r\t\u2028\u2029')
HIDDEN = ('Cc', 'Cf', 'Cs')
JOINERS = '\u200c\u200d'  # of Persian, of many Indian scripts, and of emoji


class InputError(ValueError):
    """A fault of the input. The message has what was expected, what was found, and what to do next.

    It is one line without hidden characters, even if it quotes some: see :func:`visible`. Of a word of 600
    characters and more, and of a message of more than 1,300, the middle is left out.
    """

    def __init__(self, message: object = '') -> None:
        text = LONG_WORD.sub(r'\1...\2', visible(str(message)))
        super().__init__(text if len(text) <= START + END else f'{text[:START]} ... {text[-END:]}')


def visible(text: str) -> str:
    """Return a text on one line, in which invisible characters are written as `\\x1b` or `\\u202e`.

    These are control characters, lone surrogates, and marks that turn the order of letters or have no width; a terminal
    would obey the first, and a reader would be misled by the others. Line breaks and tabs become a blank.
    """
    if text.isprintable():
        return text
    # as \s*[breaks]\s*, whose time grows with the square of the blanks
    text = BLANKS.sub(lambda blanks: ' ' if BREAKS.intersection(blanks[0]) else blanks[0], text)
    return ''.join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter.isprintable() or letter in JOINERS or unicodedata.category(letter) not in HIDDEN:
        return letter
    return letter.encode('unicode_escape').decode()


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence, a dozen of them."""
    return ', '.join(names[:NAMED]) + (f' and {len(names) - NAMED} more' if len(names) > NAMED else '')


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return ' (did you mean a or b?)' with the names that are nearest to a word, '' where none is near."""
    lower = {name.lower(): name for name in names}
    near = [lower[found] for found in get_close_matches(word.lower(), lower, n=2, cutoff=0.7)]
    return f' (did you mean {" or ".join(near)}?)' if near else ''


def command(name: str) -> str:
    """Return how to start a command in the way in which this process was started, tools/<name>.py or mer-bench."""
    from_tools = Path(sys.argv[0]).parent.name == 'tools'
    return f'python tools/{name}.py' if from_tools else f'mer-bench {name}'


def run_tool(main: Callable[[], int | None]) -> None:
    """Run a tool.

    The exit code is 0 or what `main` returns, 2 for an :class:`InputError`, a file that the system does not let us read
    or write, or too little memory, 1 for a closed pipe, and 130 for Ctrl-C.
    """
    try:
        status = main()
        sys.stdout.flush()
        if status:
            sys.exit(status)
    except InputError as error:
        refuse(str(error))
    except BrokenPipeError:
        forget_output()  # its reader has ended
        sys.exit(1)
    except (OSError, zipfile.BadZipFile) as error:
        refuse(file_fault(error))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and NO_MEMORY not in str(error):
            raise
        refuse('the memory of this machine ran out; free some, or use fewer --jobs, and run the same command again')
    except KeyboardInterrupt:
        print('stopped; run the same command again to continue', file=sys.stderr)
        sys.exit(130)


def refuse(message: str) -> None:
    """Print an error on one line, without what a name of a file might hide in it, and exit with code 2."""
    print(f'error: {visible(message)}', file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # of a full disk, which Python would report once more
        forget_output()
    sys.exit(2)


def forget_output() -> None:
    """Discard what is still to be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def file_fault(error: Exception) -> str:
    """Return one sentence on an error at a file, with what to do."""
    names = [getattr(error, name, None) for name in ('filename', 'filename2')]
    return f'{" -> ".join(str(name) for name in names if name) or "a file"}: {cause_of(error)}; {advice_on(error)}'


def cause_of(error: Exception) -> str:
    """Return in a few words, on one line, what went wrong at a file."""
    return ' '.join(str(getattr(error, 'strerror', None) or error or type(error).__name__).split())


def advice_on(error: Exception) -> str:
    """Return what a user can do about an error at a file."""
    return SPACE if is_unwritten(error) else ADVICE.get(getattr(error, 'errno', None), OTHERWISE)


def is_unwritten(error: Exception) -> bool:
    """Return whether NumPy, or torch's writer of archives, could not write a file to its end; there is no errno.

    Mostly the disk is full.
    """
    return getattr(error, 'errno', None) is None and re.search(UNWRITTEN, str(error)) is not None


def in_one_line(error: Exception) -> str:
    """Return the message of a library's error without line breaks."""
    return ' '.join(str(error).split())
