"""The shape of a batch of traces: who called whom, and what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from tracer.columns.spans import SpanColumns

Rows = NDArray[np.intp]


class SpanFlag(IntFlag):
    """What was found out about one span; bits of `Forest.flags`."""

    DUPLICATE = 1  # merged from several copies
    ORPHAN = 2  # names a parent that is not in the trace
    CYCLE = 4  # its parent was cut off: it was its own ancestor
    OVERRUNS_PARENT = 8  # ends after its parent
    STARTS_BEFORE_PARENT = 16
    ENDS_BEFORE_START = 32  # taken as zero duration at its start
    ASYNC_ROOT = 64  # has a caller that does not wait for it: a fragment of its own
    SHARED_ID = 128  # another span of the trace bears the same id
    OFF_PATH = 256  # took time, but none of it while its parent ran
    SELF_PARENT = 512  # a cycle of one: named itself as its parent
    RETRY = 1024  # the same call of the same parent failed before it started
    SHORT_TRACE_ID = 2048  # came with the lower half of its trace id only
    INSTANT = 4096  # took no time: owns nothing
    SKEW_CORRECTED = 8192  # its times were shifted: the clock of its host was off


@dataclass(frozen=True)
class Forest:
    """Spans in canonical order with their tree; the same for any order of the input. Read-only.

    `spans` are sorted by (trace_hi, trace_lo, span_id), without duplicates, with
    `end_ns >= start_ns`. All rows below are rows of `spans`; -1 means none. A *fragment* is a root
    with everything below it. A trace has one main root and any number of other fragments.
    """

    spans: SpanColumns
    parent_row: Rows  # the parent that waits for the span; -1 for every root
    caller_row: Rows  # the same, and the sender of what nobody waits for
    root_row: Rows  # root of the fragment of each span
    depth: NDArray[np.int32]  # 0 for roots
    flags: NDArray[np.uint16]  # SpanFlag bits
    children: Rows  # sorted by (parent row, latest end, earliest start, row)
    child_offset: Rows  # n + 1: children of row i are children[child_offset[i]:child_offset[i+1]]
    roots: Rows  # sorted by (trace, main first, start_ns, row)
    root_rank: Rows  # position in `roots` of each span's root
    trace_row: Rows  # number of each span's trace, 0 to trace count
    trace_offset: (
        Rows  # traces + 1: the spans of trace t are rows trace_offset[t]:trace_offset[t+1]
    )
    main_root: Rows  # by trace: row of its main root
    duplicate_count: NDArray[np.int64]  # by trace: copies merged away

    def __len__(self) -> int:
        return len(self.parent_row)

    @property
    def received_trace_hi(self) -> NDArray[np.uint64]:
        """Upper half of the trace id that each span came with: what else is told of a span in other
        columns is told under that."""
        return np.where(self.has(SpanFlag.SHORT_TRACE_ID), np.uint64(0), self.spans.trace_hi)

    def has(self, flag: SpanFlag) -> NDArray[np.bool_]:
        """Which spans carry the flag."""
        carries: NDArray[np.bool_] = (self.flags & np.uint16(flag)) != 0
        return carries
