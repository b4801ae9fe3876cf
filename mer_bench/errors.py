"""What a user can mend is told in one sentence, without a traceback, with exit code 2."""

import errno
import os
import re
import sys
import unicodedata
from collections.abc import Callable

HIDDEN = ('Cc', 'Cf', 'Cs')
JOINERS = '\u200c\u200d'  # of Persian, of many Indian scripts, and of emoji
PATH_ERRORS = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)


class InputError(ValueError):
    """A fault of the input. The message says what was expected, what came and what to do next.

    As text it is one line without hidden characters, whatever the input was: see :func:`visible`.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


def visible(text: str) -> str:
    """Return a text on one line, in which characters that no one sees stand as `\\x1b` or `\\u202e`.

    These are control characters, lone surrogates, and marks that turn the order of letters or have no width; a terminal
    would obey the first, and a reader would be misled by the others. Line breaks and tabs become a blank.
    """
    if text.isprintable():
        return text
    return ''.join(map(_visible, re.sub(r'\s*[\n\r\t\u2028\u2029]\s*', ' ', text)))


def _visible(letter: str) -> str:
    if letter.isprintable() or letter in JOINERS or unicodedata.category(letter) not in HIDDEN:
        return letter
    return letter.encode('unicode_escape').decode()


def run_tool(main: Callable[[], int | None]) -> None:
    """Run a tool.

    The exit code is 0 or what `main` returns, 2 for an :class:`InputError` or a bad path, 1 for a closed pipe, and 130
    for Ctrl-C.
    """
    try:
        status = main()
        sys.stdout.flush()
        if status:
            sys.exit(status)
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has gone
        sys.exit(1)
    except OSError as error:
        if not isinstance(error, PATH_ERRORS) and error.errno != errno.ENOSPC:
            raise
        print(
            f'error: {error.filename or "writing"}: {error.strerror}; check path, rights and free space',
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print('stopped; run the same command again to continue', file=sys.stderr)
        sys.exit(130)
