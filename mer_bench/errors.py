"""What a user can mend is told in one sentence, without a traceback, with exit code 2."""

import errno
import os
import re
import sys
from collections.abc import Callable

PATH_ERRORS = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)


LINE_BREAKS = re.compile(r'\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*')


class InputError(ValueError):
    """A fault of the input. The message says what was expected, what came and what to do next.

    It is one line, also where it quotes a library or a name: other characters that cannot be printed are escaped.
    """

    def __init__(self, message: object = '') -> None:
        line = LINE_BREAKS.sub(' ', str(message))
        super().__init__(''.join(c if c.isprintable() else ascii(c)[1:-1] for c in line))


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
