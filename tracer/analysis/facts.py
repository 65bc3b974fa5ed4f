"""Facts: what is remembered of each root, summed by (call path, failed, duration bucket)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.call_paths import CallPaths
from tracer.analysis.critical_path import Sections, critical_ns
from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.orphans import OrphanReason, orphan_reasons
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.columns.buckets import bucket_of
from tracer.columns.facts import TraceFacts
from tracer.columns.spans import STATUS_ERROR

_LOWEST_INT16 = 1 << 15


def facts(
    forest: Forest, self_ns: NDArray[np.int64], sections: Sections, paths: CallPaths
) -> TraceFacts:
    """One row per root, in the order of `forest.roots`. An empty forest gives no rows."""
    spans, roots, rank = forest.spans, forest.roots, forest.root_rank
    failed = spans.status == STATUS_ERROR
    trace = forest.trace_row[roots]
    is_main = roots == forest.main_root[trace]

    def under(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
        return np.bincount(rank[mask], minlength=len(roots)).astype(np.uint32)

    def of_trace(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
        count = np.bincount(forest.trace_row[mask], minlength=len(forest.main_root))
        return np.where(is_main, count[trace], 0).astype(np.uint32)

    duration_ns = spans.end_ns - spans.start_ns
    bucket = bucket_of(duration_ns)
    order = order_by(rank, paths.path, failed, bucket.astype(np.int32) + _LOWEST_INT16)
    first = run_starts(rank[order], paths.path[order], failed[order], bucket[order])
    entry = order[first]
    entries_of_root = np.bincount(rank[entry], minlength=len(roots))
    return TraceFacts(
        trace_hi=spans.trace_hi[roots],
        trace_lo=spans.trace_lo[roots],
        root_span_id=spans.span_id[roots],
        root_path_id=paths.path_id[roots],
        start_ns=spans.start_ns[roots],
        duration_ns=duration_ns[roots],
        is_main=is_main,
        root_missing=forest.has(SpanFlag.ORPHAN)[roots],
        failed=failed[roots],
        span_count=np.bincount(rank, minlength=len(roots)).astype(np.uint32),
        service_count=_service_count(forest),
        error_count=under(failed),
        orphan_count=of_trace(forest.has(SpanFlag.ORPHAN)),
        duplicate_count=np.where(is_main, forest.duplicate_count[trace], 0).astype(np.uint32),
        overrun_count=under(forest.has(SpanFlag.OVERRUNS_PARENT)),
        cycle_count=of_trace(forest.has(SpanFlag.CYCLE)),
        dropped_count=under(spans.dropped),
        skewed_count=under(forest.has(SpanFlag.SKEW_CORRECTED)),
        ambiguous_count=np.bincount(rank[sections.passed_by], minlength=len(roots)).astype(
            np.uint32
        ),
        late_count=of_trace(orphan_reasons(forest) == OrphanReason.LATE),
        weight=spans.weight[roots],
        version=tuple(spans.versions[code] for code in spans.version[roots].tolist()),
        offset=np.concatenate(([0], np.cumsum(entries_of_root))).astype(np.int64),
        path_id=paths.path_id[entry],
        entry_failed=failed[entry],
        bucket=bucket[entry],
        calls=np.diff(np.append(first, len(order))).astype(np.uint32),
        self_ns=_sum(self_ns, order, first),
        critical_ns=_sum(critical_ns(sections, len(forest)), order, first),
        paths=paths.table,
    )


def _service_count(forest: Forest) -> NDArray[np.uint32]:
    order = order_by(forest.root_rank, forest.spans.service)
    pair = run_starts(forest.root_rank[order], forest.spans.service[order])
    count = np.bincount(forest.root_rank[order[pair]], minlength=len(forest.roots))
    return count.astype(np.uint32)


def _sum(values_ns: NDArray[np.int64], order: Rows, first: Rows) -> NDArray[np.int64]:
    if not len(first):
        return np.zeros(0, dtype=np.int64)
    return np.add.reduceat(values_ns[order], first)
