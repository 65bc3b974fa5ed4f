"""The life of a shop process: it says `ready` on stdout and lives as long as its stdin is open.

So it ends when the supervisor closes the pipe, and also when the supervisor is killed.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Final

READY: Final = "ready"
LAST_WORDS_S: Final = 3.0  # for answers under way and unsent spans, then the process is gone
_STDIN_FD: Final = 0


def ready() -> None:
    """Tell the supervisor that this process does its work; if it is gone, the end is near."""
    with suppress(BrokenPipeError):
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()


def wait_for_closed_stdin() -> None:
    """Until the supervisor closes our stdin or is gone.

    Not through `sys.stdin`: its lock, held by a thread, breaks the end of the interpreter.
    """
    while os.read(_STDIN_FD, 1024):
        pass


def wait_for_the_end() -> None:
    """Like `wait_for_closed_stdin`; after it, dying takes a bounded time."""
    wait_for_closed_stdin()
    last_words = threading.Timer(LAST_WORDS_S, os._exit, (0,))
    last_words.daemon = True
    last_words.start()
