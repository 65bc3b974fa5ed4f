"""A trace as bars on a time axis, for terminals of any width.

    web      GET /basket        ████░░░░░░░░░░░░████  120ms
    web        GET /item            ██░░░░░░░░██       80ms
    items        SELECT               ████████         60ms

`█` running and on the critical path, `░` running, `·` an instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.text import Text

from tracer.report.safe import safe_text
from tracer.units import short_duration

Line = Mapping[str, Any]
Spans = list[tuple[int, int]]

ON_PATH, RUNNING, INSTANT, CUT = "█", "░", "·", "…"
PATH_STYLE, RUNNING_STYLE, FLAG_STYLE = "red", "cyan", "yellow"
FLAGS: Final = {
    "failed": ("!", "failed"),
    "orphan": ("O", "its parent is not in the trace"),
    "cycle": ("C", "was its own ancestor; the link to its parent was cut"),
    "async_root": ("A", "asynchronous: nobody waits for it"),
    "duplicate": ("D", "arrived more than once; copies were merged"),
    "shared_id": ("S", "shares its span id with another span"),
    "overruns_parent": (">", "ends after its parent; clipped on the path"),
    "starts_before_parent": ("<", "starts before its parent; clipped on the path"),
    "ends_before_start": ("E", "ended before it started; taken as an instant"),
    "off_path": ("x", "ran only while its parent did not"),
}
_DURATION_WIDTH: Final = 8
_MOST_INDENT: Final = 12


def waterfall(trace: Mapping[str, Any], *, width: int) -> Iterator[Text]:
    """One line a span of the outline; a legend of the flags in use and the hidden spans follow."""
    rows: Sequence[Line] = trace["outline"]["rows"]
    marks = ["".join(sign for sign, _ in _signs(row)) for row in rows]
    mark_width = max((len(mark) for mark in marks), default=0) + 1
    label_width = max(16, (width - _DURATION_WIDTH - mark_width) * 2 // 5)
    bar_width = max(10, width - label_width - _DURATION_WIDTH - mark_width - 2)
    begin = min((row["offset_ns"] for row in rows), default=0)
    end = max((row["offset_ns"] + row["duration_ns"] for row in rows), default=0)
    on_path = _path_of(trace)
    service_width = min(
        max((len(safe_text(row["service"])) for row in rows), default=0), label_width // 3
    )
    for row, mark in zip(rows, marks, strict=True):
        line = Text(no_wrap=True, overflow="crop")
        line.append(_label(row, service_width, label_width))
        line.append(mark.rjust(mark_width), FLAG_STYLE)
        line.append(" ")
        line.append_text(_bar(row, on_path, begin, max(1, end - begin), bar_width))
        line.append(short_duration(row["duration_ns"]).rjust(_DURATION_WIDTH + 1))
        yield line
    if trace["outline"]["hidden"]:
        yield Text(f"{trace['outline']['hidden']:,} more spans are not shown", "dim")
    yield from _legend(rows)


def _signs(row: Line) -> list[tuple[str, str]]:
    names = (["failed"] if row["failed"] else []) + list(row["flags"])
    return [FLAGS[name] for name in names]


def _legend(rows: Sequence[Line]) -> Iterator[Text]:
    used = {sign: meaning for row in rows for sign, meaning in _signs(row)}
    yield Text(f"{ON_PATH} critical path  {RUNNING} running", "dim")
    for sign, meaning in used.items():
        yield Text(f"{sign} {meaning}", "dim")


def _label(row: Line, service_width: int, width: int) -> str:
    service = _fit(safe_text(row["service"]), service_width)
    gap = CUT if row["levels_hidden"] else ""
    indent = "  " * min(row["indent"], _MOST_INDENT) + gap
    return _fit(f"{service} {indent}{safe_text(row['operation'])}", width)


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + CUT


def _path_of(trace: Mapping[str, Any]) -> dict[tuple[str, str], Spans]:
    """Stretches of the critical paths, by (span id, service), as offsets from the main root."""
    found: dict[tuple[str, str], Spans] = {}
    fragments = [(0, trace["critical_path"])]
    fragments += [(one["offset_ns"], one["critical_path"]) for one in trace["fragments"]["items"]]
    for offset_ns, sections in fragments:
        for section in sections:
            begin = offset_ns + section["offset_ns"]
            key = section["span_id"], section["service"]
            found.setdefault(key, []).append((begin, begin + section["duration_ns"]))
    return found


def _bar(
    row: Line, on_path: Mapping[tuple[str, str], Spans], begin: int, length: int, width: int
) -> Text:
    """A cell is on the path if any of its time is."""
    cells = [" "] * width

    def paint(from_ns: int, to_ns: int, mark: str) -> None:
        first = min(width - 1, (from_ns - begin) * width // length)
        last = max(first + 1, min(width, -(-(to_ns - begin) * width // length)))
        cells[first:last] = mark * (last - first)

    start, stop = row["offset_ns"], row["offset_ns"] + row["duration_ns"]
    paint(start, stop, RUNNING if stop > start else INSTANT)
    for low, high in on_path.get((row["span_id"], row["service"]), []):
        paint(low, high, ON_PATH)
    bar = Text()
    for cell, run in groupby(cells):
        bar.append("".join(run), {ON_PATH: PATH_STYLE, RUNNING: RUNNING_STYLE}.get(cell, ""))
    return bar
