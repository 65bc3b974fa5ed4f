"""Where failures begin, how far up they reach, and what became of them.

    frontend GET /buy      !   <- top: the request failed, nobody handled it
      checkout POST /pay   !
        bank POST /auth    !   <- origin: the deepest span that failed
      checkout GET /quote      retried or handled where the caller went on without failing

A failing span passes its failure on to the caller that waits for it when that caller failed too.
Internal spans of unset status in between are looked through: whoever made them may not mark
failures. It is not passed on

* when the caller was gone by then (a timeout is a failure of its own), unless clocks differ;
* when something else below the same caller failed later: the last failure counts;
* when the caller went on to other calls, and either gave a reason of its own at the end or had
  the same call repeated with success. Work begun meanwhile, in parallel, is not going on.

So a trace has as many origins as it has failures without a failing cause below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import TOLERANCE_MOST_NS, TOLERANCE_SHARE
from tracer.analysis.failures import Failures, explains
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, ranges, run_starts
from tracer.columns.spans import KIND_INTERNAL, KIND_UNSPECIFIED, STATUS_UNSET

Mask = NDArray[np.bool_]
Times = NDArray[np.int64]

FATES: Final = ("unhandled", "handled", "retried", "outlived", "superseded")
UNHANDLED, HANDLED, RETRIED, OUTLIVED, SUPERSEDED = range(5)
_NEVER: Final = np.iinfo(np.int64).min
Explains = Callable[[Rows, Rows], Mask]  # does the reason above repeat the one below?


@dataclass(frozen=True)
class Propagation:
    """Equal-length arrays, one row a failing span; `row` is its row in the forest, ascending.

    `up` and `top` are rows of these arrays: the span that failed because of this one (-1: none),
    and the last one on that way. `fate` is what became of the failure there, an index into FATES.
    """

    row: Rows
    up: Rows
    top: Rows
    fate: NDArray[np.int8]
    is_origin: Mask

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Errors:
    """Failing spans of a forest with their reasons; `reason` indexes `failures.reasons`."""

    propagation: Propagation
    reason: Rows  # by row of the propagation
    failures: Failures


def errors(forest: Forest, found: Failures) -> Errors:
    """What failed in the forest, and how it spread. Failures of other traces are left out."""
    row, reason = _rows(forest, found)
    generic = np.array([one.is_generic for one in found.reasons], np.bool_)
    own = np.where(generic[reason], -1, reason) if len(reason) else reason
    return Errors(propagate(forest, row, own, _explained(found)), reason, found)


def _explained(found: Failures) -> Explains:
    def asked(below: Rows, above: Rows) -> Mask:
        pairs, number = np.unique(np.stack([below, above]), axis=1, return_inverse=True)
        said = [explains(found.reasons[low], found.reasons[high]) for low, high in pairs.T.tolist()]
        return np.array(said, np.bool_)[number.reshape(-1)]

    return asked


def _rows(forest: Forest, found: Failures) -> tuple[Rows, Rows]:
    """Rows of the forest that failed, ascending, and the reason of each."""
    spans = forest.spans
    at = np.flatnonzero(np.isin(spans.span_id, found.span_id))
    known: dict[tuple[int, int, int, int], int] = {}
    for key, number in zip(_keys(found), found.reason.tolist(), strict=True):
        known[key] = max(known.get(key, -1), number)
    keys = zip(
        forest.received_trace_hi[at].tolist(),
        spans.trace_lo[at].tolist(),
        spans.span_id[at].tolist(),
        spans.kind[at].tolist(),
        strict=True,
    )
    reason = np.array([known.get(key, -1) for key in keys], np.intp)
    return at[reason >= 0], reason[reason >= 0]


def _keys(found: Failures) -> zip[tuple[int, int, int, int]]:
    return zip(
        found.trace_hi.tolist(),
        found.trace_lo.tolist(),
        found.span_id.tolist(),
        found.kind.tolist(),
        strict=True,
    )


def propagate(forest: Forest, row: Rows, reason: Rows, explained: Explains) -> Propagation:
    """How the failures of `row` (ascending) spread; `reason` -1 where a span says nothing.

    Cost: sorting the siblings of what failed, plus linear. Order of spans changes nothing.
    """
    if not len(row):
        nobody = np.zeros(0, np.intp)
        none = np.zeros(0, np.bool_)
        return Propagation(nobody, nobody, nobody, np.zeros(0, np.int8), none)
    place = np.full(len(forest), -1, np.intp)
    place[row] = np.arange(len(row))
    carrier = _carriers(forest, place >= 0, row)
    caller = forest.parent_row[carrier]
    is_bad = place >= 0
    is_bad[carrier] = True

    near = _siblings(forest, row, is_bad)
    far = _siblings(forest, carrier, is_bad)
    repeated = near.repeated | far.repeated
    reached = (caller >= 0) & (place[caller] >= 0)
    above = np.where(reached, place[caller], 0)
    same = (reason == reason[above]) & (reason >= 0)
    ask = np.flatnonzero(reached & ~same & (reason >= 0) & (reason[above] >= 0))
    same[ask] = explained(reason[ask], reason[above[ask]]) if len(ask) else False

    outlived = ~_waited(forest, row) | ~_waited(forest, carrier)
    recovered = ~same & (near.recovered | far.recovered)
    other_reason = ~same & far.went_on & (reason[above] >= 0)
    superseded = near.failed_later | far.failed_later | recovered | other_reason
    passed = reached & ~outlived & ~superseded

    up = np.where(passed, above, -1)
    top = np.where(passed, above, np.arange(len(row)))
    while not np.array_equal(top, higher := top[top]):
        top = higher
    stopped = np.where(
        forest.parent_row[row] < 0,
        UNHANDLED,
        np.where(
            outlived,
            OUTLIVED,
            np.where(repeated, RETRIED, np.where(reached, SUPERSEDED, HANDLED)),
        ),
    ).astype(np.int8)
    is_origin = np.ones(len(row), np.bool_)
    is_origin[up[passed]] = False
    return Propagation(row, up, top, stopped[top], is_origin)


def _carriers(forest: Forest, failed: Mask, row: Rows) -> Rows:
    """The topmost of the spans to look through right above each failing span, or itself."""
    spans, parent = forest.spans, forest.parent_row
    is_internal = (spans.kind == KIND_INTERNAL) | (spans.kind == KIND_UNSPECIFIED)
    see_through = is_internal & (spans.status == STATUS_UNSET) & ~failed
    hop = np.arange(len(parent))
    inner = np.flatnonzero((parent >= 0) & see_through[parent])
    hop[inner] = parent[inner]
    while not np.array_equal(hop, further := hop[hop]):
        hop = further
    carriers: Rows = hop[row]
    return carriers


def _waited(forest: Forest, row: Rows) -> Mask:
    """Whether the caller of each row was still there at its end, give or take clocks."""
    spans, parent = forest.spans, forest.parent_row[row]
    length = spans.end_ns - spans.start_ns
    tolerance = np.minimum(length[parent] // TOLERANCE_SHARE, TOLERANCE_MOST_NS)
    in_time = spans.end_ns[row] - spans.end_ns[parent] <= tolerance
    fits = (spans.service[row] != spans.service[parent]) & (
        length[row] <= length[parent] + tolerance
    )
    waited: Mask = (parent < 0) | in_time | fits
    return waited


@dataclass(frozen=True)
class _Siblings:
    """What the caller of each row did after the end of it."""

    went_on: Mask  # called anything
    failed_later: Mask  # called something that failed
    repeated: Mask  # made the same call again
    recovered: Mask  # made the same call again, and it did not fail


def _siblings(forest: Forest, row: Rows, is_bad: Mask) -> _Siblings:
    spans = forest.spans
    parent = np.unique(forest.parent_row[row])
    parent = parent[parent >= 0]
    size = np.diff(forest.child_offset)
    member = forest.children[ranges(forest.child_offset[parent], size[parent])]
    family = np.repeat(np.arange(len(parent)), size[parent])
    call = _same_calls(forest, family, member)
    bad = is_bad[member]
    at = np.full(len(forest), -1, np.intp)
    at[member] = np.arange(len(member))
    asked = at[row]  # -1 for roots: masked below
    start, end = spans.start_ns[member], spans.end_ns[row]
    every = np.ones(len(member), np.bool_)

    def after(group: Rows, pool: Mask) -> Mask:
        if not len(member):
            return np.zeros(len(row), np.bool_)
        return (asked >= 0) & (_latest_other(group, start, pool)[asked] >= end)

    return _Siblings(
        went_on=after(family, every),
        failed_later=after(family, bad),
        repeated=after(call, every),
        recovered=after(call, ~bad),
    )


def _same_calls(forest: Forest, family: Rows, member: Rows) -> Rows:
    """A number for each (caller, service, operation, kind) among the members."""
    spans = forest.spans
    keys = family, spans.service[member], spans.operation[member], spans.kind[member]
    order = order_by(*keys)
    number = np.zeros(len(member), np.intp)
    number[run_starts(*(key[order] for key in keys))] = 1
    call = np.empty(len(member), np.intp)
    call[order] = np.cumsum(number) - 1
    return call


def _latest_other(group: Rows, start_ns: Times, pool: Mask) -> Times:
    """By member: the latest start among the others of its group that are in the pool."""
    last = np.full(int(group.max()) + 1, _NEVER)
    second, owner = last.copy(), np.full(len(last), -1, np.intp)
    at = np.flatnonzero(pool)
    if len(at):
        order = at[np.lexsort((start_ns[at], group[at]))]
        head = run_starts(group[order])
        tail = np.append(head[1:], len(order)) - 1
        which = group[order[tail]]
        last[which], owner[which] = start_ns[order[tail]], order[tail]
        several = tail > head
        second[which[several]] = start_ns[order[tail[several] - 1]]
    latest: Times = np.where(owner[group] == np.arange(len(group)), second[group], last[group])
    return latest
