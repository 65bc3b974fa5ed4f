"""What is remembered of an analysed trace: one row per (trace, root), entries per call path.

Facts are the only thing derived that is written for good; rollups and baselines are caches of them.

A *call path* is the chain (service identity, operation, span kind) from a root down to a span. Its
`path_id` is a stable 64-bit hash of that chain: equal in every process, version and batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.columns.spans import ServiceIdentity

# Raised when the meaning of any number below changes: older facts and rollups are then rebuilt.
ANALYSIS_VERSION: Final = 2  # 2: clocks are corrected


@dataclass(frozen=True)
class PathTable:
    """The distinct call paths of a batch, sorted by `path_id`; `parent_path_id` 0 for roots."""

    path_id: NDArray[np.uint64]
    parent_path_id: NDArray[np.uint64]
    kind: NDArray[np.int8]
    service: tuple[ServiceIdentity, ...]
    operation: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.path_id)


@dataclass(frozen=True)
class TraceFacts:
    """One row per (trace, root span): m rows; ragged entries `[offset[i], offset[i + 1])`: k rows.

    One entry per (call path, failed, duration bucket) that the root's spans fall into. Summed over
    the entries of a row, `critical_ns` is exactly `duration_ns` of the root. Rows are sorted by
    (trace_hi, trace_lo, main root first, start_ns, root_span_id); entries of a row by
    (path_id, failed, bucket).
    """

    trace_hi: NDArray[np.uint64]
    trace_lo: NDArray[np.uint64]
    root_span_id: NDArray[np.uint64]
    root_path_id: NDArray[np.uint64]
    start_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]
    is_main: NDArray[np.bool_]  # the main root of its trace; others root fragments
    root_missing: NDArray[np.bool_]  # the root is an orphan: its parent is not here
    failed: NDArray[np.bool_]  # the root's status is ERROR
    span_count: NDArray[np.uint32]  # spans under this root
    service_count: NDArray[np.uint32]
    error_count: NDArray[np.uint32]
    orphan_count: NDArray[np.uint32]  # of the trace, counted on its main root only
    duplicate_count: NDArray[np.uint32]  # likewise
    overrun_count: NDArray[np.uint32]  # spans that outlive their parent, under this root
    cycle_count: NDArray[np.uint32]  # cut self-parents and cycles, of the trace
    dropped_count: NDArray[np.uint32]  # spans under this root whose SDK dropped something
    skewed_count: NDArray[np.uint32]  # spans under this root whose clock was corrected
    ambiguous_count: NDArray[np.uint32]  # siblings that its critical path passed by
    late_count: NDArray[np.uint32]  # orphans of the trace: parent still runs, is late or lost
    weight: NDArray[np.float64]  # of the root span, 0 = unknown
    version: tuple[str, ...]  # service.version of the root
    offset: NDArray[np.int64]  # m + 1
    path_id: NDArray[np.uint64]
    entry_failed: NDArray[np.bool_]
    bucket: NDArray[np.int16]  # columns/buckets.py, of each span's duration; ZERO_BUCKET for 0
    calls: NDArray[np.uint32]
    self_ns: NDArray[np.int64]
    critical_ns: NDArray[np.int64]
    paths: PathTable  # every path_id above (and all its ancestors) is in here

    def __len__(self) -> int:
        return len(self.trace_hi)
