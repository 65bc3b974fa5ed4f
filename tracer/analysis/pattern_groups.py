"""Patterns of many traces that are the same: one kind, caller and call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.analysis.patterns import SERIAL_FAN_OUT, Patterns

MOST_EXEMPLARS: Final = 3
MOST_GROUPS: Final = 20


@dataclass(frozen=True)
class PatternGroup:
    """Occurrences with one (kind, caller, call, statement); rows are rows of the forest."""

    kind: int
    caller: int
    callee: int  # of the occurrence that cost most
    count: int
    trace_count: int
    calls: int  # median of an occurrence
    critical_ns: int  # in all
    saved_ns: int  # in all, at most
    traces_ns: int  # what the traces took that have it
    exemplars: tuple[int, ...]  # rows of callers, of different traces, dearest first


@dataclass(frozen=True)
class PatternGroups:
    """The dearest groups, and how many there are."""

    groups: list[PatternGroup]
    total: int


def group_patterns(
    forest: Forest,
    found: Patterns,
    statement: NDArray[np.intp],
    *,
    service: str | None = None,
    most: int = MOST_GROUPS,
) -> PatternGroups:
    """At most `most`, dearest first, what costs nothing left out; of callers in `service`.

    Serial fan-outs come last: nobody knows whether one of their calls needs another's answer.
    """
    spans = forest.spans
    asked = np.array([service in (None, one.name) for one in spans.services], np.bool_)
    at = np.flatnonzero(found.saved_ns > 0)
    at = at[asked[spans.service[found.caller[at]]]]
    if not len(at):
        return PatternGroups([], 0)
    caller, callee = found.caller[at], found.callee[at]
    is_one_call = found.kind[at] != SERIAL_FAN_OUT  # a fan-out is told apart by its caller alone
    keys = (
        found.kind[at],
        spans.service[caller],
        spans.operation[caller],
        np.where(is_one_call, spans.service[callee] + 1, 0),
        np.where(is_one_call, spans.operation[callee] + 1, 0),
        np.where(is_one_call, statement[callee] + 1, 0),
    )
    order = order_by(*keys, ties=(-found.saved_ns[at], at))
    first = run_starts(*(key[order] for key in keys))
    stop = np.append(first[1:], len(order))
    saved = np.add.reduceat(found.saved_ns[at[order]], first)
    heads = at[order[first]]
    ranked = np.lexsort(
        (found.caller[heads], found.kind[heads], -saved, found.kind[heads] == SERIAL_FAN_OUT)
    )
    groups = [
        _group(forest, found, at[order[first[one] : stop[one]]]) for one in ranked[:most].tolist()
    ]
    return PatternGroups(groups, len(first))


def _group(forest: Forest, found: Patterns, member: Rows) -> PatternGroup:
    """`member` is sorted, the dearest first."""
    spans = forest.spans
    trace = forest.trace_row[found.caller[member]]
    _, first = np.unique(trace, return_index=True)
    roots = np.unique(forest.root_row[found.caller[member]])
    return PatternGroup(
        kind=int(found.kind[member[0]]),
        caller=int(found.caller[member[0]]),
        callee=int(found.callee[member[0]]),
        count=len(member),
        trace_count=len(first),
        calls=int(np.median(found.calls[member])),
        critical_ns=int(found.critical_ns[member].sum()),
        saved_ns=int(found.saved_ns[member].sum()),
        traces_ns=int((spans.end_ns[roots] - spans.start_ns[roots]).sum()),
        exemplars=tuple(found.caller[member[np.sort(first)[:MOST_EXEMPLARS]]].tolist()),
    )
