"""Who calls whom, span by span: pairs of a calling and an answering span, and calls without answer.

    shop POST /pay client    |--------|    one pair: client 8, server 4, gap 4
      bank POST /pay server  |  ----  |    gap: network, queues, waiting for a connection

The gap is a difference of two durations, so clocks that differ do not matter. What a span that
calls speaks to, where nothing answers, is told by its attributes (`columns.targets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.columns.spans import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER
from tracer.columns.targets import Targets

Mask = NDArray[np.bool_]
Times = NDArray[np.int64]
NONE: Final = -1


@dataclass(frozen=True)
class Calls:
    """Rows of the forest, -1 for none. One row a call.

    A call has an answer (`callee`: a span of another service right below the caller) or a target
    (index into the targets' table). A consumer has no caller, but a target that it takes from.
    """

    caller: Rows  # the span that calls, -1 for consumers
    callee: Rows  # the span that answers, or consumes
    target: Rows

    def __len__(self) -> int:
        return len(self.caller)


def calls(forest: Forest, target: Rows) -> Calls:
    """The calls between services in a forest. `target`: by row of the forest, -1 for none.

    Of two clients that are nested in one service only the inner one calls.
    """
    spans, parent = forest.spans, forest.parent_row
    entry = np.flatnonzero(parent >= 0)
    entry = entry[spans.service[entry] != spans.service[parent[entry]]]
    is_answered = np.zeros(len(forest), np.bool_)
    is_answered[parent[entry]] = True
    is_calling = (spans.kind == KIND_CLIENT) | (spans.kind == KIND_PRODUCER)
    inner = np.flatnonzero((parent >= 0) & is_calling)
    is_outer = np.zeros(len(forest), np.bool_)
    is_outer[parent[inner]] = True
    alone = np.flatnonzero(is_calling & ~is_answered & ~is_outer)
    consumer = np.flatnonzero((spans.kind == KIND_CONSUMER) & (target >= 0))
    nobody = np.full(len(alone), NONE)
    return Calls(
        caller=np.concatenate([parent[entry], alone, np.full(len(consumer), NONE)]),
        callee=np.concatenate([entry, nobody, consumer]),
        target=np.concatenate([np.full(len(entry), NONE), target[alone], target[consumer]]),
    )


def of_rows(forest: Forest, told: Targets) -> tuple[Rows, Rows]:
    """Target and statement of each row of the forest, -1 where nothing was told."""
    spans = forest.spans
    target, statement = np.full(len(forest), NONE), np.full(len(forest), NONE)
    at = np.flatnonzero(np.isin(spans.span_id, told.span_id))
    columns = ("trace_hi", "trace_lo", "span_id", "kind")
    keys = zip(*(getattr(told, name).tolist() for name in columns), strict=True)
    known = {key: number for number, key in enumerate(keys)}
    asked = zip(*(getattr(spans, name)[at].tolist() for name in columns), strict=True)
    found = np.array([known.get(key, NONE) for key in asked], np.intp)
    at, found = at[found >= 0], found[found >= 0]
    target[at], statement[at] = told.target[found], told.statement[found]
    return target, statement


def stretches(forest: Forest) -> Rows:
    """For each span the one by which the trace entered its service: its own topmost ancestor there.

    a GET      a        the two spans of b above the call back are one stretch,
      b GET    b        entered by the upper one
        b sql  b
          a    a'
    """
    spans, parent = forest.spans, forest.parent_row
    head = np.arange(len(parent))
    inner = np.flatnonzero(parent >= 0)
    inner = inner[spans.service[inner] == spans.service[parent[inner]]]
    head[inner] = parent[inner]
    while not np.array_equal(head, higher := head[head]):
        head = higher
    return head


def inclusive_ns(forest: Forest, own_ns: Times) -> Times:
    """The sum of `own_ns` over each span and everything below it that it waits for.

    By doubling: what is known of spans up to 2^k below is added to those 2^k above.
    """
    total = own_ns.copy()
    above = forest.parent_row.copy()
    while len(rows := np.flatnonzero(above >= 0)):
        added = np.zeros(len(total), np.int64)
        np.add.at(added, above[rows], total[rows])
        total += added
        further = np.full(len(above), NONE)
        further[rows] = above[above[rows]]
        above = further
    return total
