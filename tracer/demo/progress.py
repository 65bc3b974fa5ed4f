"""What the demo says while it works: to stderr, so that stdout holds the report alone."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(line: str) -> None:
    """One line that stays."""
    _write(f"{_clear()}{line}\n")


def tick(line: str) -> None:
    """A line that the next one replaces; only a terminal shows it."""
    if sys.stderr.isatty():
        _write(f"{_clear()}{line}")


def _clear() -> str:
    return "\r\x1b[2K" if sys.stderr.isatty() else ""


def _write(text: str) -> None:
    with suppress(OSError):  # nobody listens any more: no reason to leave processes behind
        sys.stderr.write(text)
        sys.stderr.flush()
