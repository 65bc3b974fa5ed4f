"""Command lines run in this process, and what they said."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple

from tracer.cli import main


class Done(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str


def run(*arguments: str) -> Done:
    """Run it; its output is captured as text."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main.run(arguments)
    return Done(code, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()
