"""Keeps a foreign command and a scratch directory: both are gone when the supervisor is.

Usage: python -m tracer.demo.keeper SCRATCH_DIR COMMAND…
A command that knows nothing of us does not watch a pipe, so this process does: when stdin closes,
because the supervisor closed it or was killed, the command is asked to end, then the directory is
removed. Ends with the command's exit code when the command ends first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from tracer.demo.lifeline import wait_for_closed_stdin

GRACE_S: Final = 20.0  # a server may have spans to store before it ends
REMOVE_S: Final = 6.0  # others may still be writing their last words there


def main() -> int:
    """Run, watch, clean up."""
    scratch, command = Path(sys.argv[1]), sys.argv[2:]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    asked = threading.Event()
    threading.Thread(target=_end_with_stdin, args=(child, asked), daemon=True).start()
    code = child.wait()
    if asked.is_set():  # else it ended by itself, and the supervisor wants to read its log
        _remove(scratch)
    return code


def _end_with_stdin(child: subprocess.Popen[bytes], asked: threading.Event) -> None:
    wait_for_closed_stdin()
    asked.set()
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _remove(scratch: Path) -> None:
    give_up_s = time.monotonic() + REMOVE_S
    while scratch.exists() and time.monotonic() < give_up_s:
        shutil.rmtree(scratch, ignore_errors=True)
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
