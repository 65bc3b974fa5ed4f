"""A trace as bars on a time axis, for terminals of any width.

    web      GET /basket        ████░░░░░░░░░░░░████  120ms
    web        GET /item            ██░░░░░░░░██       80ms
    items        SELECT ×8            ████████         60ms in all

`█` running and on the critical path, `░` running, `·` an instant. Wide terminals show the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.text import Text

from tracer.report.figures import count
from tracer.report.reasons import SYMPTOM
from tracer.report.safe import safe_text
from tracer.units import short_duration

Line = Mapping[str, Any]
Spans = list[tuple[int, int]]

ON_PATH, RUNNING, INSTANT, CUT = "█", "░", "·", "…"
PATH_STYLE, RUNNING_STYLE, FLAG_STYLE = "red", "cyan", "yellow"
WORST: Final = ("*", "the worst bottleneck")
FLAGS: Final = {
    "failed": ("!", "failed"),
    "orphan": ("O", "its parent is not in the trace"),
    "cycle": ("C", "was its own ancestor; the link to its parent was cut"),
    "async_root": ("A", "asynchronous: nobody waits for it"),
    "self_parent": ("P", "names itself as its parent"),
    "retry": ("R", "the same call failed before it"),
    "skew_corrected": ("~", "shifted: the clock of its host was off"),
    "short_trace_id": ("H", "came with half of its trace id"),
    "shared_id": ("S", "shares its span id with another span"),
    "overruns_parent": (">", "ends after its parent; clipped on the path"),
    "starts_before_parent": ("<", "starts before its parent; clipped on the path"),
    "ends_before_start": ("E", "ended before it started; taken as an instant"),
    "off_path": ("x", "ran only while its parent did not"),
}
_DURATION_WIDTH: Final = 8
_START_WIDTH: Final = 9
_START_FROM: Final = 100  # columns of terminal that have room for the start
_MOST_INDENT: Final = 12
_UNCUT: Final = 1_000  # characters of a label, more than any terminal shows


def waterfall(trace: Mapping[str, Any], *, width: int) -> Iterator[Text]:
    """One line a span of the outline; a legend of the flags in use and the hidden spans follow."""
    rows: Sequence[Line] = trace["outline"]["rows"]
    worst = _worst(trace, rows)
    signs = [_signs(row, is_worst=at == worst) for at, row in enumerate(rows)]
    has_start, has_runs = width >= _START_FROM, any(row["count"] > 1 for row in rows)
    mark_width = max((len(one) for one in signs), default=0) + 1
    tail_width = _DURATION_WIDTH + (len(" in all") if has_runs else 0)
    room = width - tail_width - mark_width - (_START_WIDTH if has_start else 0)
    label_width = max(16, min(room // 2, _label_width(rows)))
    bar_width = max(10, room - label_width - 2)
    begin = min((row["offset_ns"] for row in rows), default=0)
    end = max((row["offset_ns"] + row["duration_ns"] for row in rows), default=0)
    on_path = _Path(trace)
    service_width = min(_service_width(rows), label_width // 3)
    for row, own in zip(rows, signs, strict=True):
        line = Text(no_wrap=True, overflow="crop")
        line.append(_label(row, service_width, label_width))
        line.append("".join(sign for sign, _ in own).rjust(mark_width), FLAG_STYLE)
        if has_start:
            line.append(short_duration(row["offset_ns"]).rjust(_START_WIDTH), "dim")
        line.append(" ")
        line.append_text(_bar(row, on_path.of(row), begin, max(1, end - begin), bar_width))
        line.append(short_duration(row["sum_ns"]).rjust(_DURATION_WIDTH + 1))
        line.append(" in all" if row["count"] > 1 else "")
        yield line
    if trace["outline"]["hidden"]:
        hidden = trace["outline"]["hidden"]
        yield Text(f"{hidden:,} more {'span is' if hidden == 1 else 'spans are'} not shown", "dim")
    yield from _legend(signs, has_start=has_start)


def _worst(trace: Mapping[str, Any], rows: Sequence[Line]) -> int:
    """The line that has the first cause, -1 for none."""
    causes = [one for one in trace["bottlenecks"] if one["reason"] and one["role"] != SYMPTOM]
    if not causes:
        return -1
    name = causes[0]["service"], causes[0]["operation"]
    same = [at for at, row in enumerate(rows) if (row["service"], row["operation"]) == name]
    exact = [at for at in same if rows[at]["span_id"] == causes[0]["span_id"]]
    runs = [at for at in same if rows[at]["count"] > 1]
    return next(iter(exact or sorted(runs, key=lambda at: -rows[at]["critical_ns"])), -1)


def _signs(row: Line, *, is_worst: bool) -> list[tuple[str, str]]:
    names = (["failed"] if row["failed"] else []) + list(row["flags"])
    return ([WORST] if is_worst else []) + [FLAGS[name] for name in names]


def _legend(signs: Sequence[Sequence[tuple[str, str]]], *, has_start: bool) -> Iterator[Text]:
    times = "  left of the bar its start, right its duration" if has_start else ""
    yield Text(f"{ON_PATH} critical path  {RUNNING} running{times}", "dim")
    for sign, meaning in dict(one for own in signs for one in own).items():
        yield Text(f"{sign} {meaning}", "dim")


def _label(row: Line, service_width: int, width: int) -> str:
    service = _fit(safe_text(row["service"]), service_width)
    gap = CUT if row["levels_hidden"] else ""
    indent = "  " * min(row["indent"], _MOST_INDENT) + gap
    times = f" ×{count(row['count'])}" if row["count"] > 1 else ""
    name = f"{service} {indent}{safe_text(row['operation'])}"
    return (_fit(name, width - len(times)).rstrip() + times).ljust(width)


def _label_width(rows: Sequence[Line]) -> int:
    """Of the longest label when none is cut."""
    wide = _service_width(rows)
    return max((len(_label(row, wide, _UNCUT).rstrip()) for row in rows), default=0)


def _service_width(rows: Sequence[Line]) -> int:
    return max((len(safe_text(row["service"])) for row in rows), default=0)


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + CUT


class _Path:
    """Stretches of the critical paths of a trace, as offsets from the main root."""

    def __init__(self, trace: Mapping[str, Any]) -> None:
        self._by_span: dict[tuple[str, str], Spans] = {}
        self._by_operation: dict[tuple[str, str], Spans] = {}
        fragments = [(0, trace["critical_path"])]
        fragments += [
            (one["offset_ns"], one["critical_path"]) for one in trace["fragments"]["items"]
        ]
        for offset_ns, sections in fragments:
            for section in sections:
                begin = offset_ns + section["offset_ns"]
                stretch = begin, begin + section["duration_ns"]
                span = section["span_id"], section["service"]
                operation = section["operation"], section["service"]
                self._by_span.setdefault(span, []).append(stretch)
                self._by_operation.setdefault(operation, []).append(stretch)

    def of(self, row: Line) -> Spans:
        """Those of a line; of one with several spans, what their operation did meanwhile."""
        if row["count"] == 1:
            return self._by_span.get((row["span_id"], row["service"]), [])
        start, stop = row["offset_ns"], row["offset_ns"] + row["duration_ns"]
        stretches = self._by_operation.get((row["operation"], row["service"]), [])
        return [(low, high) for low, high in stretches if start <= low and high <= stop]


def _bar(row: Line, on_path: Spans, begin: int, length: int, width: int) -> Text:
    """A cell is on the path if any of its time is."""
    cells = [" "] * width

    def paint(from_ns: int, to_ns: int, mark: str) -> None:
        first = min(width - 1, (from_ns - begin) * width // length)
        last = max(first + 1, min(width, -(-(to_ns - begin) * width // length)))
        cells[first:last] = mark * (last - first)

    start, stop = row["offset_ns"], row["offset_ns"] + row["duration_ns"]
    paint(start, stop, RUNNING if stop > start else INSTANT)
    for low, high in on_path:
        paint(low, high, ON_PATH)
    bar = Text()
    for cell, run in groupby(cells):
        bar.append("".join(run), {ON_PATH: PATH_STYLE, RUNNING: RUNNING_STYLE}.get(cell, ""))
    return bar
