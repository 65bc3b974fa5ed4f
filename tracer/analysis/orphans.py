"""Why a span's parent is not there, as far as the spans that are there can tell.

A span knows its parent's id and nothing else of it, so most reasons leave no certain trace. Each
verdict names what was seen; `UNKNOWN` is an answer too.

    TRUNCATED_ID      a span of the trace bears the id cut to its lower half, or rounded as a
                      double rounds it (or the other way round); or the parent came under the
                      other width of the trace id
    LATE              the parent is of the same process (the span is INTERNAL, CLIENT or PRODUCER):
                      whoever exported the span owes its parent. It still runs, is on its way, or
                      was lost; it was neither sampled apart nor left without instrumentation
    SAMPLED_OUT       the parent is remote (of a SERVER or a CONSUMER), and the services of the
                      trace keep spans at different rates: the caller's decision was its own
    NOT_INSTRUMENTED  the parent is remote, and a call that has no server's half of its own encloses
                      the span: something between the two passed the context on, and reports nothing
    UNKNOWN           anything else: late, lost, sampled out or never reported
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.packing import Rows, run_starts
from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_CONSUMER,
    KIND_INTERNAL,
    KIND_PRODUCER,
    KIND_SERVER,
    SpanColumns,
)

_HALF = np.uint64(0xFFFF_FFFF)
_EXACT = np.uint64(1 << 53)  # integers up to here survive a double
_BEFORE = np.iinfo(np.int64).min


class OrphanReason(IntEnum):
    """Why a parent is missing; NONE for spans that are no orphans."""

    NONE = 0
    TRUNCATED_ID = 1
    LATE = 2
    SAMPLED_OUT = 3
    NOT_INSTRUMENTED = 4
    UNKNOWN = 5


def orphan_reasons(forest: Forest) -> NDArray[np.int8]:
    """OrphanReason by row; the first that fits, in the order of the enum. Order changes nothing."""
    reason = np.zeros(len(forest), dtype=np.int8)
    orphan = np.flatnonzero(forest.has(SpanFlag.ORPHAN))
    if not len(orphan):
        return reason
    kind = forest.spans.kind[orphan]
    local = np.isin(kind, (KIND_INTERNAL, KIND_CLIENT, KIND_PRODUCER))
    remote = np.isin(kind, (KIND_SERVER, KIND_CONSUMER))
    reason[orphan] = np.select(
        [
            _is_cut_short(forest, orphan) | _is_under_other_width(forest.spans, orphan),
            local,
            remote & _rates_differ(forest)[forest.trace_row[orphan]],
            remote & _is_enclosed_by_a_call(forest, orphan),
        ],
        [
            OrphanReason.TRUNCATED_ID,
            OrphanReason.LATE,
            OrphanReason.SAMPLED_OUT,
            OrphanReason.NOT_INSTRUMENTED,
        ],
        OrphanReason.UNKNOWN,
    )
    return reason


def _is_cut_short(forest: Forest, orphan: Rows) -> NDArray[np.bool_]:
    """Whether the wanted id is a span's id cut or rounded, or a span's id is the wanted one's."""
    affected = np.zeros(len(forest.main_root), dtype=np.bool_)
    affected[forest.trace_row[orphan]] = True
    row = np.flatnonzero(affected[forest.trace_row])
    ids, wanted = forest.spans.span_id[row], forest.spans.parent_span_id[orphan]
    trace, of_trace = forest.trace_row[row], forest.trace_row[orphan]
    large, small = ids > _HALF, wanted <= _HALF
    cut = _is_in(of_trace, wanted, trace[large], ids[large] & _HALF) & small
    cut |= _is_in(of_trace, wanted & _HALF, trace[~large], ids[~large]) & ~small
    inexact = ids > _EXACT
    rounded = _is_in(of_trace, _double(wanted), trace[inexact], _double(ids[inexact]))
    return cut | (rounded & (wanted > _EXACT))


def _double(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The bits of each id as a double."""
    return ids.astype(np.float64).view(np.uint64)


def _is_in(
    trace: Rows, key: NDArray[np.uint64], traces: Rows, keys: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which (trace, key) are among (traces, keys)."""
    count = len(trace)
    order = np.lexsort((np.concatenate((key, keys)), np.concatenate((trace, traces))))
    both_trace, both_key = np.concatenate((trace, traces)), np.concatenate((key, keys))
    head = run_starts(both_trace[order], both_key[order])
    found = np.maximum.reduceat(order >= count, head) if len(head) else np.zeros(0, np.bool_)
    every = np.empty(len(order), dtype=np.bool_)
    every[order] = np.repeat(found, np.diff(np.append(head, len(order))))
    return every[:count]


def _is_under_other_width(spans: SpanColumns, orphan: Rows) -> NDArray[np.bool_]:
    """Whether the parent came in a trace whose id has the same lower half and no upper one."""
    no_upper = spans.trace_hi == 0
    if not no_upper.any() or no_upper.all():
        return np.zeros(len(orphan), dtype=np.bool_)
    found = np.zeros(len(orphan), dtype=np.bool_)
    for side in (no_upper, ~no_upper):
        here = side[orphan]
        lost = orphan[here]
        others = np.flatnonzero(~side)
        low = np.unique(np.concatenate((spans.trace_lo[lost], spans.trace_lo[others])))
        found[here] = _is_in(
            np.searchsorted(low, spans.trace_lo[lost]),
            spans.parent_span_id[lost],
            np.searchsorted(low, spans.trace_lo[others]),
            spans.span_id[others],
        )
    return found


def _rates_differ(forest: Forest) -> NDArray[np.bool_]:
    """By trace: whether its spans have more than one known sampling weight."""
    weight = forest.spans.weight
    first = forest.trace_offset[:-1]
    largest = np.maximum.reduceat(weight, first)
    smallest = np.minimum.reduceat(np.where(weight > 0, weight, np.inf), first)
    differ: NDArray[np.bool_] = smallest < largest
    return differ


def _is_enclosed_by_a_call(forest: Forest, orphan: Rows) -> NDArray[np.bool_]:
    """Whether a CLIENT or PRODUCER without children runs from before the span starts to its end.

    What a message causes may end later than the call that sent it: a CONSUMER need only start
    after a PRODUCER did.
    """
    spans = forest.spans
    is_leaf = np.ones(len(forest), dtype=np.bool_)
    is_leaf[forest.caller_row[forest.caller_row >= 0]] = False
    open_end = spans.kind == KIND_PRODUCER
    is_call = is_leaf & ((spans.kind == KIND_CLIENT) | open_end)
    affected = np.zeros(len(forest.main_root), dtype=np.bool_)
    affected[forest.trace_row[orphan]] = True
    call = np.flatnonzero(is_call & affected[forest.trace_row])
    enclosed = np.zeros(len(orphan), dtype=np.bool_)
    for consumes in (False, True):
        wanted = np.flatnonzero((spans.kind[orphan] == KIND_CONSUMER) == consumes)
        fits = call[open_end[call] == consumes]
        if not len(wanted) or not len(fits):
            continue
        lost = orphan[wanted]
        row = np.concatenate((fits, lost))
        is_lost = np.arange(len(row)) >= len(fits)
        order = np.lexsort((is_lost, spans.start_ns[row], forest.trace_row[row]))
        end = np.where(is_lost, _BEFORE, spans.end_ns[row])[order]
        reached = _running_maximum(end, run_starts(forest.trace_row[row][order]))
        best = np.empty(len(row), dtype=np.int64)
        best[order] = reached
        enough = best > _BEFORE if consumes else best >= spans.end_ns[row]
        enclosed[wanted] = enough[is_lost]
    return enclosed


def _running_maximum(values: NDArray[np.int64], head: Rows) -> NDArray[np.int64]:
    """The largest value so far within each run that begins at `head`."""
    if not len(values):
        return values
    # ranks are dense, so that each run can be shifted above the one before it
    distinct, rank = np.unique(values, return_inverse=True)
    run = np.repeat(np.arange(len(head)), np.diff(np.append(head, len(values))))
    shift = run * len(distinct)
    return distinct[np.maximum.accumulate(rank.reshape(-1) + shift) - shift]
