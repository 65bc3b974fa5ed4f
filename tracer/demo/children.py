"""The processes that the demo starts: each ends when its stdin is closed, or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracer.demo.lifeline import READY

START_S: Final = 30.0
GRACE_S: Final = 6.0
TAIL_LINES: Final = 15


class DemoFailure(Exception):
    """The demo cannot go on; the message says what ended and what it said last."""


@dataclass
class Child:
    """A running process; `last_line` is what it wrote last on stdout."""

    name: str
    popen: subprocess.Popen[str]
    log: Path
    spoke: threading.Event = field(default_factory=threading.Event)
    last_line: str = ""


def start(
    name: str,
    module: str,
    arguments: Iterable[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    inherited_fds: tuple[int, ...] = (),
) -> Child:
    """Start `python -m module`. In a group of its own, so that Ctrl-C reaches only us."""
    with log.open("ab") as errors:
        popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            pass_fds=inherited_fds,
            process_group=0,
            text=True,
        )
    child = Child(name, popen, log)
    threading.Thread(target=_listen, args=(child,), daemon=True).start()
    return child


def _listen(child: Child) -> None:
    for line in child.popen.stdout or ():
        child.last_line = line.strip()
        child.spoke.set()
    child.spoke.set()


def await_ready(child: Child) -> None:
    """Until it says that it is ready. Raises DemoFailure when it does not."""
    child.spoke.wait(START_S)
    if child.last_line != READY:
        raise DemoFailure(f"{child.name} did not start{_tail(child)}")


def check(children: Iterable[Child]) -> None:
    """Raises DemoFailure when one of them has ended."""
    for child in children:
        code = child.popen.poll()
        if code is not None:
            raise DemoFailure(f"{child.name} ended with code {code}{_tail(child)}")


def _tail(child: Child) -> str:
    lines = child.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return ":\n  " + "\n  ".join(lines) if lines else ""


def end(children: Iterable[Child], grace_s: float = GRACE_S) -> None:
    """Ask all of them to end, wait up to `grace_s` for the last one, kill the rest."""
    asked = list(children)
    for child in asked:
        if child.popen.stdin:
            child.popen.stdin.close()
    give_up_s = time.monotonic() + grace_s
    for child in asked:
        try:
            child.popen.wait(max(0.0, give_up_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.popen.pid, signal.SIGKILL)
            child.popen.wait()
        if child.popen.stdout:
            child.popen.stdout.close()
