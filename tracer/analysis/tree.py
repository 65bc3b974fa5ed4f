"""From spans in any order to a forest: parents found, siblings in order, roots named.

build(spans)   parents.join -> (clocks corrected: skew) -> grow: flags against the parent,
               children in order, roots
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.analysis.parents import Parents, join, mark
from tracer.analysis.retries import retries
from tracer.columns.spans import SpanColumns


def build(spans: SpanColumns, *, short_ids: bool = False) -> Forest:
    """The forest of a batch, clocks as they are; an empty batch gives an empty forest."""
    return grow(join(spans, short_ids=short_ids))


def grow(parents: Parents) -> Forest:
    """What follows from parents and times. Cost: sorting plus linear."""
    spans, parent, trace = parents.spans, parents.parent_row, parents.trace_row
    flags = parents.flags.copy()
    mark(flags, spans.start_ns == spans.end_ns, SpanFlag.INSTANT)
    _flag_against_parent(flags, spans, parent)
    mark(flags, retries(spans, parent), SpanFlag.RETRY)
    children = _children(spans, parent, trace, parents.trace_offset)
    child_count = np.bincount(parent[children], minlength=len(parent))
    roots = _roots(spans, parent, trace, flags)
    root_rank = np.empty(len(parent), dtype=np.intp)
    root_rank[roots] = np.arange(len(roots))
    return Forest(
        spans=spans,
        parent_row=parent,
        caller_row=parents.caller_row,
        root_row=parents.root_row,
        depth=parents.depth,
        flags=flags,
        children=children,
        child_offset=np.concatenate(([0], np.cumsum(child_count))).astype(np.intp),
        roots=roots,
        root_rank=root_rank[parents.root_row],
        trace_row=trace,
        trace_offset=parents.trace_offset,
        main_root=roots[run_starts(trace[roots])],
        duplicate_count=parents.duplicate_count,
    )


def _flag_against_parent(flags: NDArray[np.uint16], spans: SpanColumns, parent: Rows) -> None:
    """Set in `flags` how each span lies against the parent that waits for it."""
    start, end = spans.start_ns, spans.end_ns
    parent_start, parent_end = start[parent], end[parent]  # of a root: of any row, masked below
    inner = parent >= 0
    mark(flags, inner & (end > parent_end), SpanFlag.OVERRUNS_PARENT)
    mark(flags, inner & (start < parent_start), SpanFlag.STARTS_BEFORE_PARENT)
    apart = (start >= parent_end) | (end <= parent_start)
    mark(flags, inner & apart & (start < end), SpanFlag.OFF_PATH)


def _children(spans: SpanColumns, parent: Rows, trace: Rows, trace_offset: Rows) -> Rows:
    """Rows that have a parent, sorted by (parent, latest end, earliest start, row)."""
    child = np.flatnonzero(parent >= 0)
    if not len(child):
        return child
    last = np.maximum.reduceat(spans.end_ns, trace_offset[:-1])
    before_last_ns = last[trace[child]] - spans.end_ns[child]
    return child[order_by(parent[child], before_last_ns, ties=(spans.start_ns[child], child))]


def _roots(spans: SpanColumns, parent: Rows, trace: Rows, flags: NDArray[np.uint16]) -> Rows:
    """Roots sorted by (trace, main first, start, row).

    Main is the parentless span that starts first, then lasts longest, then has the lowest id; with
    no parentless span it is the earliest orphan; in a trace that is one cycle, where it was cut.
    """
    root = np.flatnonzero(parent < 0)
    start, end = spans.start_ns[root], spans.end_ns[root]
    claim = np.zeros(len(root), dtype=np.int8)
    for weaker, flag in enumerate((SpanFlag.ORPHAN, SpanFlag.CYCLE, SpanFlag.ASYNC_ROOT), start=1):
        claim[(flags[root] & np.uint16(flag)) != 0] = weaker
    best_first = np.lexsort((root, start - end, start, claim, trace[root]))
    not_main = np.ones(len(root), dtype=np.bool_)
    not_main[best_first[run_starts(trace[root][best_first])]] = False
    return root[np.lexsort((root, start, not_main, trace[root]))]
