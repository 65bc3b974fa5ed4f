"""What goes to the terminal, and how wide and colourful it may be."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import click
import orjson

PIPED_WIDTH: Final = 120  # a file has no edge; lines still end somewhere


def width(stream: TextIO = sys.stdout) -> int:
    """Columns of the terminal; of a file or pipe what COLUMNS says, else a fixed width."""
    fallback = 80 if stream.isatty() else PIPED_WIDTH
    return max(40, shutil.get_terminal_size((fallback, 24)).columns)


def has_colour(stream: TextIO | None = None) -> bool:
    """Colour is for terminals, unless NO_COLOR is set or the terminal is dumb."""
    shown = sys.stdout if stream is None else stream
    return shown.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show(text: str) -> None:
    """Text for people on standard output; colours are already in it or not."""
    click.echo(text.rstrip("\n"), color=True)


def show_json(document: Mapping[str, Any]) -> None:
    """The document on standard output."""
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    click.echo(body, nl=False)


def note(text: str) -> None:
    """A line beside the answer: progress, totals; on standard error."""
    click.echo(text, err=True)
