"""Origins of many traces that are the same fault: one service, operation, type and message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.errors import FATES, UNHANDLED, Errors
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, run_starts

MOST_EXEMPLARS: Final = 3
MOST_REACHED: Final = 3
MOST_GROUPS: Final = 20


@dataclass(frozen=True)
class ErrorGroup:
    """Origins with one (service, operation, kind, type, message template); rows of the errors."""

    row: int  # of the forest, a span of the group
    reason: int  # of one of them
    count: int
    weight: float  # the same with sampling weights, where known
    trace_count: int
    fates: dict[str, int]  # how many met each fate that any met
    first_ns: int
    last_ns: int
    exemplars: tuple[int, ...]  # unhandled ones first, then the newest; each of another trace
    reached: tuple[tuple[int, int], ...]  # (row of the forest, how often), most frequent first


@dataclass(frozen=True)
class ErrorGroups:
    """The largest groups, and how many there are."""

    groups: list[ErrorGroup]
    total: int


def group_errors(
    forest: Forest,
    found: Errors,
    window: tuple[int, int] | None = None,
    *,
    service: str | None = None,
    most: int = MOST_GROUPS,
) -> ErrorGroups:
    """At most `most` groups, largest first.

    Only origins of `service`, and that start in `window`, `[start, end)` in ns, when given.
    """
    spread, spans = found.propagation, forest.spans
    names = [(one.type, one.template) for one in found.failures.reasons]
    codes = {name: code for code, name in enumerate(sorted(set(names)))}
    coded = np.array([codes[name] for name in names], np.intp)
    asked = np.array([service in (None, one.name) for one in spans.services], np.bool_)
    origin = np.flatnonzero(spread.is_origin)
    origin = origin[asked[spans.service[spread.row[origin]]]]
    if window is not None:
        start_ns = spans.start_ns[spread.row[origin]]
        origin = origin[(start_ns >= window[0]) & (start_ns < window[1])]
    if not len(origin):
        return ErrorGroups([], 0)
    row = spread.row[origin]
    keys = spans.service[row], spans.operation[row], spans.kind[row], coded[found.reason[origin]]
    order = order_by(*keys, ties=(origin,))
    first = run_starts(*(key[order] for key in keys))
    stop = np.append(first[1:], len(order))
    largest = np.lexsort((origin[order[first]], first - stop))[:most]
    groups = [_group(forest, found, origin[order[first[at] : stop[at]]]) for at in largest.tolist()]
    return ErrorGroups(groups, len(first))


def _group(forest: Forest, found: Errors, member: Rows) -> ErrorGroup:
    spread = found.propagation
    row, fate = spread.row[member], spread.fate[member]
    start_ns, trace = forest.spans.start_ns[row], forest.trace_row[row]
    weight = forest.spans.weight[row]
    best = member[np.lexsort((member, -start_ns, fate != UNHANDLED))]
    return ErrorGroup(
        row=int(row[0]),
        reason=int(found.reason[member[0]]),
        count=len(member),
        weight=float(np.where(weight > 0, weight, 1.0).sum()),
        trace_count=len(np.unique(trace)),
        fates={FATES[code]: count for code, count in sorted(Counter(fate.tolist()).items())},
        first_ns=int(start_ns.min()),
        last_ns=int(start_ns.max()),
        exemplars=_of_different_traces(best, forest.trace_row[spread.row[best]]),
        reached=_reached(forest, spread.row[spread.top[member]]),
    )


def _of_different_traces(member: Rows, trace: Rows) -> tuple[int, ...]:
    _, first = np.unique(trace, return_index=True)
    return tuple(member[np.sort(first)[:MOST_EXEMPLARS]].tolist())


def _reached(forest: Forest, top: Rows) -> tuple[tuple[int, int], ...]:
    """The highest failing ancestors by (service, operation), each with its first row."""
    spans = forest.spans
    keys: NDArray[np.int64] = np.column_stack([spans.service[top], spans.operation[top]])
    _, first, count = np.unique(keys, axis=0, return_index=True, return_counts=True)
    ranked = sorted(zip((-count).tolist(), top[first].tolist(), strict=True))
    return tuple((row, -count) for count, row in ranked[:MOST_REACHED])
