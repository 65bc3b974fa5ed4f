"""Calls between hosts, and how far each says that the two clocks differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import TOLERANCE_MOST_NS, TOLERANCE_SHARE
from tracer.analysis.forest import SpanFlag
from tracer.analysis.packing import Rows
from tracer.analysis.parents import Parents
from tracer.columns.spans import KIND_CLIENT, KIND_SERVER, STATUS_ERROR

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

FAR: Final = 1 << 60  # no bound; beyond any difference of two clocks, and four sum up in 64 bits


@dataclass(frozen=True)
class Calls:
    """Calls from a CLIENT to a SERVER on another host: rows and bounds. Read-only.

    The server's clock plus an offset within [low_ns, high_ns] lies within its client; `slack_ns` is
    what is forgiven on either side before it counts as skew.
    """

    server: Rows
    client: Rows
    low_ns: Times
    high_ns: Times
    slack_ns: Times

    def fits(self) -> Mask:
        """Which lie within their client as they are."""
        fits: Mask = (self.low_ns <= self.slack_ns) & (self.high_ns >= -self.slack_ns)
        return fits


def find_calls(parents: Parents) -> Calls:
    """Every call between two known hosts in traces without a cycle."""
    spans, parent = parents.spans, parents.parent_row
    known = np.array([bool(host) for host in spans.hosts], dtype=np.bool_)
    if known.sum() < 2:
        none, rows = np.zeros(0, np.int64), np.zeros(0, np.intp)
        return Calls(rows, rows, none, none, none)
    server = np.flatnonzero((spans.kind == KIND_SERVER) & (parent >= 0))
    client = parent[server]
    far = (spans.host[server] != spans.host[client]) & (spans.kind[client] == KIND_CLIENT)
    far &= known[spans.host[server]] & known[spans.host[client]]
    cyclic = parents.has(SpanFlag.CYCLE)
    if cyclic.any():
        broken = np.zeros(len(parents.trace_offset) - 1, dtype=np.bool_)
        broken[parents.trace_row[cyclic]] = True
        far &= ~broken[parents.trace_row[server]]
    server, client = server[far], client[far]
    client_ns = spans.end_ns[client] - spans.start_ns[client]
    low = _difference(spans.start_ns[client], spans.start_ns[server])
    high = _difference(spans.end_ns[client], spans.end_ns[server])
    gave_up = (high < low) | (spans.status[client] == STATUS_ERROR)
    return Calls(
        server,
        client,
        low,
        np.where(gave_up, FAR, high),
        np.minimum(client_ns // TOLERANCE_SHARE, TOLERANCE_MOST_NS),
    )


def _difference(left: Times, right: Times) -> Times:
    """left - right, never beyond FAR."""
    apart = left.astype(np.float64) - right.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = left - right
    return np.where(np.abs(apart) < FAR, exact, np.where(apart < 0, -FAR, FAR))
