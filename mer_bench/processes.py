"""Worker processes that end with their parent."""

import os
import signal
import threading
import time
from functools import cache


def follow_parent(parent: int) -> None:
    """In a worker of the process `parent`: leave Ctrl-C to it, and end with it even when it is killed."""
    if os.getpid() != parent:
        _follow(parent)


@cache
def _follow(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
