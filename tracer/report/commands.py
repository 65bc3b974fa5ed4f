"""Commands that go on from an answer, as one types them: whole, short, never folded.

A line that a terminal wraps can be copied; a line that we wrap cannot.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from rich.text import Text

from tracer.errors import BadQuery
from tracer.report.safe import safe_text
from tracer.report.tables import DIM, unfolded
from tracer.units import duration_ns

SOURCE: Final = ("--server", "--data")
BASELINE: Final = ("--baseline-start", "--baseline-end")
MOMENTS: Final = ("--start", "--end", *BASELINE)
DURATIONS: Final = ("--min-duration",)
_EMPTY_DIGITS: Final = re.compile(r"\.(\d*?)(?:000)+Z$")
_UNITS: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000))


def again(reproduce: str) -> Text:
    """The command that gives this answer again, as its own line."""
    return _line("Again: ", shlex.split(reproduce), DIM)


def see_trace(reproduce: str, trace_id: str, label: str = "see: ") -> Text:
    """The command that shows a trace: same source, same baseline where one was given."""
    kept = [word for pair in _flags(shlex.split(reproduce), (*BASELINE, *SOURCE)) for word in pair]
    return _line(f"   {label}", ["tracer", "trace", trace_id, *kept])


def _line(label: str, words: Sequence[str], style: str = "") -> Text:
    """Every command for people is written here."""
    shown = [_short(flag, word) for flag, word in zip(["", *words], words, strict=False)]
    return unfolded(f"{label}{safe_text(shlex.join(shown))}", style)


def _flags(words: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((flag, value) for flag, value in pairwise(words) if flag in wanted)


def _short(flag: str, word: str) -> str:
    """The same moment or duration in fewer characters; other words as they are."""
    if flag in MOMENTS:
        return _EMPTY_DIGITS.sub(lambda found: f".{found[1]}Z" if found[1] else "Z", word)
    return _short_duration(word) if flag in DURATIONS else word


def _short_duration(word: str) -> str:
    try:
        value_ns = duration_ns(word)
    except BadQuery:
        return word
    for unit, scale in _UNITS:
        if value_ns % scale == 0:
            return f"{value_ns // scale}{unit}"
    return f"{value_ns}ns"
