"""Traces drawn as text. The drawing is the fixture, the explanation and the expected answer.

    shop/checkout server   |##--------######|     '-'  running
      auth                 |  ###           |     '#'  running and on the critical path
      pay client !         |     ##--#      |     'o'  an instant: a span of zero duration
        bank/card server   |       ##       |     ' '  not running

Two spaces of indent are one level down. One character is `unit_ns`; character i covers [i, i + 1).
A line is a span: `service/operation`, or one word for both, then in any order

    internal server client producer consumer      its kind (else unspecified)
    !         failed          sends       sends a message
    orphan    its parent is not in the trace
    id:7      its span id (else the number of the line, from 1, in its trace)
    under:7   its parent's span id (else from the indent)
    ends:3    received with this end, before its start
    weight:4  stands for so many spans (else 1; 0 is unknown)
    @node     the host whose clock timed it (else not known)

A blank line begins the next trace. Trace ids are 1, 2, 3, ... in the low half.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tracer.columns.spans import STATUS_ERROR, STATUS_UNSET, ServiceIdentity, SpanColumns

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
NOBODY = 9_999  # the parent of an orphan


class Claim(NamedTuple):
    """A stretch of a bar drawn with '#'."""

    trace: int
    span_id: int
    service: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Drawing:
    """The spans of a picture, in the order of its lines, and the critical sections it claims."""

    spans: SpanColumns
    claimed: set[Claim]


class Line(NamedTuple):
    """One span as drawn; the raw material of `columns`."""

    trace: int
    span_id: int
    parent_id: int
    start_ns: int
    end_ns: int
    service: str = "svc"
    operation: str = "op"
    kind: int = 0
    failed: bool = False
    sends: bool = False
    weight: float = 1.0
    host: str = ""


def read(picture: str, *, unit_ns: int = 1) -> Drawing:
    """What a picture shows."""
    lines: list[Line] = []
    claimed: set[Claim] = set()
    block: list[str] = []
    trace = 0
    for text in [*picture.splitlines(), ""]:
        if "|" in text:
            block.append(text)
        elif block:
            trace += 1
            for line, runs in _trace(block, trace, unit_ns):
                lines.append(line)
                claimed |= {Claim(trace, line.span_id, line.service, *run) for run in runs}
            block = []
    return Drawing(columns(lines), claimed)


def _trace(block: list[str], trace: int, unit_ns: int) -> list[tuple[Line, list[tuple[int, int]]]]:
    margin = min(len(text) - len(text.lstrip()) for text in block)
    above: list[int] = []  # span ids on the way down to the last line
    drawn = []
    for number, text in enumerate(block, start=1):
        label, bar, _ = text[margin:].split("|")
        depth = (len(label) - len(label.lstrip())) // 2
        name, *words = label.split()
        told = dict(word.split(":") for word in words if ":" in word)
        span_id = int(told.get("id", number))
        indented_under = above[depth - 1] if depth else 0
        above[depth:] = [span_id]
        service, _, operation = name.partition("/")
        start = len(bar) - len(bar.lstrip())
        end = start if bar.strip() == "o" else len(bar.rstrip())
        drawn_line = Line(
            trace=trace,
            span_id=span_id,
            parent_id=NOBODY if "orphan" in words else int(told.get("under", indented_under)),
            start_ns=start * unit_ns,
            end_ns=int(told.get("ends", end)) * unit_ns,
            service=service,
            operation=operation or service,
            kind=next((KINDS.index(word) for word in words if word in KINDS), 0),
            failed="!" in words,
            sends="sends" in words,
            weight=float(told.get("weight", 1)),
            host=next((word[1:] for word in words if word.startswith("@")), ""),
        )
        drawn.append((drawn_line, _runs(bar, unit_ns)))
    return drawn


def _runs(bar: str, unit_ns: int) -> list[tuple[int, int]]:
    """Where a bar claims the critical path."""
    runs, at = [], 0
    for mark, group in groupby(bar):
        width = len(list(group))
        if mark == "#":
            runs.append((at * unit_ns, (at + width) * unit_ns))
        at += width
    return runs


def columns(lines: list[Line]) -> SpanColumns:
    """Spans as columns, in the order given."""
    services = sorted({line.service for line in lines})
    operations = sorted({line.operation for line in lines})
    hosts = sorted({line.host for line in lines})
    count = len(lines)
    return SpanColumns(
        trace_hi=np.zeros(count, np.uint64),
        trace_lo=np.array([line.trace for line in lines], np.uint64),
        span_id=np.array([line.span_id for line in lines], np.uint64),
        parent_span_id=np.array([line.parent_id for line in lines], np.uint64),
        start_ns=np.array([line.start_ns for line in lines], np.int64),
        end_ns=np.array([line.end_ns for line in lines], np.int64),
        kind=np.array([line.kind for line in lines], np.int8),
        status=np.array([STATUS_ERROR if line.failed else STATUS_UNSET for line in lines], np.int8),
        sends_message=np.array([line.sends for line in lines], np.bool_),
        dropped=np.zeros(count, np.bool_),
        weight=np.array([line.weight for line in lines], np.float64),
        service=np.array([services.index(line.service) for line in lines], np.int32),
        operation=np.array([operations.index(line.operation) for line in lines], np.int32),
        version=np.zeros(count, np.int32),
        host=np.array([hosts.index(line.host) for line in lines], np.int32),
        services=tuple(ServiceIdentity("", "", "", name) for name in services),
        operations=tuple(operations),
        versions=("",),
        hosts=tuple(hosts),
    )
