"""Worker processes that end with their parent."""

import os
import signal
import threading
import time


def follow_parent(parent: int) -> None:
    """Initialise a worker of the process `parent`: leave Ctrl-C to it, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
