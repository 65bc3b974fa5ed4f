"""Who called whom: copies merged, parents found, cycles cut, what nobody waits for let go.

    join(spans)   order by (trace, span id) -> merge copies -> join parents -> cut cycles
                  -> let go what nobody waits for

Nothing here depends on how spans lie in time, but where a cycle is cut: clocks can be corrected
between this and `tree.grow`. Everything is vectorised over the whole batch; depth and roots are
found by pointer jumping, so a chain of 100,000 spans costs 17 rounds and no recursion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.duplicates import merge
from tracer.analysis.forest import SpanFlag
from tracer.analysis.packing import Keys, Rows, bits, run_starts
from tracer.analysis.trace_ids import join_short_ids
from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_CONSUMER,
    KIND_PRODUCER,
    KIND_SERVER,
    SpanColumns,
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Parents:
    """Spans in canonical order and whom each hangs below; fields as those of `Forest`.

    `flags` say what is known without comparing times of different spans. Read-only.
    """

    spans: SpanColumns
    trace_row: Rows
    trace_offset: Rows
    caller_row: Rows
    parent_row: Rows
    root_row: Rows
    depth: NDArray[np.int32]
    flags: NDArray[np.uint16]
    duplicate_count: NDArray[np.int64]

    def has(self, flag: SpanFlag) -> Mask:
        """Which spans carry the flag."""
        carries: Mask = (self.flags & np.uint16(flag)) != 0
        return carries


def join(spans: SpanColumns, *, short_ids: bool = False) -> Parents:
    """Parents of a batch. Cost: sorting plus linear.

    `short_ids`: a trace whose id lost its upper half belongs to the one whole id that ends alike.
    """
    cut_short = np.zeros(len(spans), dtype=np.bool_)
    if short_ids:
        spans, cut_short = join_short_ids(spans)
    trace = _number_traces(spans)
    ids, parent_ids = spans.span_id, spans.parent_span_id
    key, rows = _order(trace, ids)
    same_key = key[1:] == key[:-1]
    if (same_key & (ids[rows[1:]] != ids[rows[:-1]])).any():  # ids too alike to be shortened
        ids, parent_ids = _dense(ids, parent_ids)
        key, rows = _order(trace, ids)
        same_key = key[1:] == key[:-1]

    merged = merge(spans, rows, same_key)
    kept, key, trace = merged.rows, key[merged.position], trace[merged.rows]
    caller = _join(trace, ids[kept], parent_ids[kept], key, _shift(ids, trace))
    spans = spans.take(kept)
    caller[spans.parent_span_id == 0] = -1
    if merged.shared.any():
        caller = _join_shared(spans, trace, caller, merged.shared)

    flags = np.zeros(len(spans), dtype=np.uint16)
    mark(flags, merged.copies > 0, SpanFlag.DUPLICATE)
    mark(flags, merged.shared, SpanFlag.SHARED_ID)
    mark(flags, cut_short[kept], SpanFlag.SHORT_TRACE_ID)
    mark(flags, (spans.parent_span_id != 0) & (caller < 0), SpanFlag.ORPHAN)
    backwards = spans.end_ns < spans.start_ns
    if backwards.any():
        mark(flags, backwards, SpanFlag.ENDS_BEFORE_START)
        spans = replace(spans, end_ns=np.maximum(spans.end_ns, spans.start_ns))

    root_row, depth, endless = _climb(caller)
    if endless.any():
        mark(flags, caller == np.arange(len(caller)), SpanFlag.SELF_PARENT)
        cut = _cycle_cuts(caller, spans.start_ns, np.unique(root_row[endless]))
        caller[cut] = -1
        mark(flags, cut, SpanFlag.CYCLE)
    not_waited_for = _not_waited_for(spans, caller)
    mark(flags, not_waited_for, SpanFlag.ASYNC_ROOT)
    parent = np.where(not_waited_for, -1, caller)
    if endless.any() or not_waited_for.any():
        root_row, depth, _ = _climb(parent)

    trace_offset = np.append(run_starts(trace), len(trace))
    copies_before = np.concatenate(([0], np.cumsum(merged.copies)))
    return Parents(
        spans=spans,
        trace_row=trace,
        trace_offset=trace_offset,
        caller_row=caller,
        parent_row=parent,
        root_row=root_row,
        depth=depth,
        flags=flags,
        duplicate_count=np.diff(copies_before[trace_offset]),
    )


def mark(flags: NDArray[np.uint16], where: Mask | Rows, flag: SpanFlag) -> None:
    """Set a flag in place."""
    flags[where] |= np.uint16(flag)


def _number_traces(spans: SpanColumns) -> Rows:
    """The rank of each span's trace id among all of the batch."""
    heads = run_starts(spans.trace_hi, spans.trace_lo)
    high, low = spans.trace_hi[heads], spans.trace_lo[heads]
    order = np.argsort(low if len(high) and high.min() == high.max() else high)
    same_high = high[order[1:]] == high[order[:-1]]
    if (same_high & (low[order[1:]] != low[order[:-1]])).any():
        order = np.lexsort((low, high))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (high[order[1:]] != high[order[:-1]]) | (low[order[1:]] != low[order[:-1]])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.cumsum(new) - 1
    return np.repeat(rank, np.diff(np.append(heads, len(spans))))


def _shift(ids: NDArray[np.uint64], trace: Rows) -> tuple[np.uint64, np.uint64]:
    """Bits kept of a span id beside the trace number, and how many low bits that drops."""
    if not len(ids):
        return np.uint64(64), np.uint64(0)
    kept = 64 - bits(int(trace.max()))
    return np.uint64(kept), np.uint64(max(0, bits(int(ids.max())) - kept))


def _order(trace: Rows, ids: NDArray[np.uint64]) -> tuple[Keys, Rows]:
    """Rows sorted by (trace, span id), and their keys, in which long ids are shortened."""
    kept, dropped = _shift(ids, trace)
    key = (trace.astype(np.uint64) << kept) | (ids >> dropped)
    rows = np.argsort(key)
    return key[rows], rows


def _dense(
    ids: NDArray[np.uint64], parent_ids: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Ids replaced by their rank among all ids; an id that no span bears becomes the largest."""
    distinct, rank = np.unique(ids, return_inverse=True)
    at = np.searchsorted(distinct, parent_ids)
    known = distinct[np.minimum(at, len(distinct) - 1)] == parent_ids
    nobody = len(distinct)
    return rank.astype(np.uint64), np.where(known, at, nobody).astype(np.uint64)


def _join(
    trace: Rows,
    ids: NDArray[np.uint64],
    parent_ids: NDArray[np.uint64],
    key: Keys,
    shift: tuple[np.uint64, np.uint64],
) -> Rows:
    """The row of each span's parent in the same trace, -1 where there is none."""
    if not len(ids):
        return np.zeros(0, dtype=np.intp)
    kept, dropped = shift
    wanted = (trace.astype(np.uint64) << kept) | (parent_ids >> dropped)
    at = np.searchsorted(key, wanted)
    at[at == len(key)] = 0
    found = (ids[at] == parent_ids) & (trace[at] == trace)
    return np.where(found, at, -1)


def _join_shared(spans: SpanColumns, trace: Rows, caller: Rows, shared: Mask) -> Rows:
    """Callers where ids are shared: the called half hangs below the calling half.

    A child of a shared id belongs to the half of its own service, else to the called half.
    """
    caller = caller.copy()
    called = np.isin(spans.kind, (KIND_SERVER, KIND_CONSUMER))
    calling = np.isin(spans.kind, (KIND_CLIENT, KIND_PRODUCER))
    heads = run_starts(trace, spans.span_id)
    halves = np.diff(np.append(heads, len(spans)))
    head, size = np.repeat(heads, halves), np.repeat(halves, halves)

    children = np.flatnonzero(caller >= 0)
    children = children[shared[caller[children]]]
    first = caller[children]
    best, best_score = first.copy(), np.full(len(children), -1)
    for nth in range(int(size[first].max(initial=0))):
        half = np.minimum(first + nth, len(spans) - 1)
        score = 2 * (spans.service[half] == spans.service[children]) + called[half]
        better = (nth < size[first]) & (half != children) & (score > best_score)
        best = np.where(better, half, best)
        best_score = np.where(better, score, best_score)
    caller[children] = best

    below = shared & called & (head != np.arange(len(spans))) & calling[head]
    caller[below] = head[below]
    return caller


def _climb(parent: Rows) -> tuple[Rows, NDArray[np.int32], Mask]:
    """The topmost ancestor and the depth of each row, and which rows never reach a root."""
    ancestor = np.where(parent < 0, np.arange(len(parent)), parent)
    depth = (parent >= 0).astype(np.int32)
    for _ in range(bits(len(parent)) + 1):  # enough for the longest chain; a cycle never settles
        above = ancestor[ancestor]
        if np.array_equal(above, ancestor):
            break
        depth += depth[ancestor]
        ancestor = above
    return ancestor, depth, parent[ancestor] >= 0


def _cycle_cuts(parent: Rows, start_ns: NDArray[np.int64], member: Rows) -> Rows:
    """The earliest span (then lowest id) of every cycle, self-parents included.

    `member`: all spans on cycles, ascending. They are what endless climbs end on: that many steps
    up lead to a cycle, and turn each cycle onto itself, so that none of its spans is left out.
    """
    place = np.full(len(parent), -1, dtype=np.intp)
    place[member] = np.arange(len(member))
    age = np.empty(len(member), dtype=np.intp)
    age[np.lexsort((member, start_ns[member]))] = np.arange(len(member))
    above, oldest = place[parent[member]], age.copy()
    for _ in range(bits(len(member)) + 1):
        oldest = np.minimum(oldest, oldest[above])
        above = above[above]
    earliest: Rows = member[oldest == age]
    return earliest


def _not_waited_for(spans: SpanColumns, caller: Rows) -> Mask:
    """Consumers below a producer, or below a client that sends a message."""
    apart = np.zeros(len(caller), dtype=np.bool_)
    consumer = np.flatnonzero((spans.kind == KIND_CONSUMER) & (caller >= 0))
    above = caller[consumer]
    sends = (spans.kind[above] == KIND_CLIENT) & spans.sends_message[above]
    apart[consumer] = sends | (spans.kind[above] == KIND_PRODUCER)
    return apart
