"""`tracer.analysis/1`: traces, their critical paths and their bottlenecks, as one document.

Traces come slowest first. Times are integer ns and RFC 3339; sections also as `offset_ns` from
their root, because JavaScript rounds integers above 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np

from tracer.analysis.critical_path import TOLERANCE_MOST_NS, TOLERANCE_SHARE
from tracer.analysis.deviation import DEPTHS
from tracer.analysis.flaws import of_traces
from tracer.analysis.forest import Forest, Rows, SpanFlag
from tracer.analysis.judgement import AnalysisReport
from tracer.analysis.rank import MIN_TRACES, REASONS, ROLES
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.report.clock_shifts import clock_shifts
from tracer.report.doubt import Shares, critical_shares, doubt_document
from tracer.report.journey import journey_document, journeys
from tracer.report.outline import outline
from tracer.report.quality import (
    ORPHAN_REASONS,
    TraceCounts,
    count_by_trace,
    total_quality,
    trace_quality,
)
from tracer.units import NS_PER_S, rfc3339

SCHEMA: Final = "tracer.analysis/1"
MOST_FRAGMENTS: Final = 20  # listed by trace; the rest is counted
MOST_OUTLINES: Final = 20
MOST_SECTIONS: Final = 10_000  # of one root, the longest; the rest is summed up
MOST_COMMON: Final = 20


def analysis_document(
    report: AnalysisReport,
    *,
    baseline: Mapping[str, Any] | None = None,
    reproduce: str | None = None,
    most_outlines: int = MOST_OUTLINES,
) -> dict[str, Any]:
    """The whole document. `baseline` describes the window that the baselines were read from.

    `most_outlines`: so many traces, slowest first, carry the outline that a waterfall is drawn of,
    and their journey through queues.
    """
    forest, facts = report.analysis.forest, report.analysis.facts
    main = np.flatnonzero(facts.is_main)
    order = np.lexsort((np.arange(len(main)), -facts.duration_ns[main]))
    counts = count_by_trace(forest, report.analysis.sections)
    shares = critical_shares(report)
    by_root = np.searchsorted(report.bottlenecks.root, np.arange(len(facts) + 1)).tolist()
    traces = [
        _trace(report, int(rank), counts, by_root, shares, outlined=place < most_outlines)
        for place, rank in enumerate(main[order].tolist())
    ]
    onward = journeys(report)
    for place, (trace, rank) in enumerate(zip(traces, main[order].tolist(), strict=True)):
        root = int(forest.roots[rank])
        trace["journey"] = journey_document(onward, root) if place < most_outlines else None
    return {
        "schema": SCHEMA,
        "tolerance": _tolerance(report.tolerance_ns),
        "clock_skew": {
            "corrected": report.max_skew_ns is not None,
            "max_ns": report.max_skew_ns,
        },
        "baseline": _baseline(report, baseline),
        "trace_count": len(traces),
        "span_count": len(forest),
        "bottlenecks": _common(report),
        "quality": total_quality(traces, of_traces(facts)),
        "traces": traces,
        "reproduce": reproduce,
    }


def _tolerance(tolerance_ns: int | None) -> dict[str, Any]:
    if tolerance_ns is not None:
        return {"rule": "fixed", "ns": tolerance_ns}
    return {
        "rule": "share of the parent's duration, at most ns",
        "share": 1 / TOLERANCE_SHARE,
        "ns": TOLERANCE_MOST_NS,
    }


def _baseline(report: AnalysisReport, window: Mapping[str, Any] | None) -> dict[str, Any]:
    kind = "the other traces of the file" if report.leave_one_out else "stored traces"
    return {"kind": kind, "min_traces": MIN_TRACES, **(window or {})}


def _trace(
    report: AnalysisReport,
    rank: int,
    counts: TraceCounts,
    by_root: list[int],
    shares: Shares,
    *,
    outlined: bool,
) -> dict[str, Any]:
    forest, facts = report.analysis.forest, report.analysis.facts
    root = int(forest.roots[rank])
    trace = int(forest.trace_row[root])
    start_ns, end_ns = int(forest.spans.start_ns[root]), int(forest.spans.end_ns[root])
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    return {
        "trace_id": trace_id_text(int(facts.trace_hi[rank]), int(facts.trace_lo[rank])),
        "root": _span(forest, root),
        "start_ns": start_ns,
        "start": _moment(start_ns),
        "end_ns": end_ns,
        "end": _moment(end_ns),
        "duration_ns": end_ns - start_ns,
        "failed": bool(facts.failed[rank]),
        "span_count": stop - first,
        "service_count": counts.services[trace],
        "error_count": counts.errors[trace],
        **_path(report, rank),
        "bottlenecks": [
            _bottleneck(report, row, shares) for row in range(by_root[rank], by_root[rank + 1])
        ],
        "fragments": _fragments(report, rank, counts, by_root, shares),
        "ambiguous": doubt_document(report, rank),
        "clock_shifts": clock_shifts(report, trace),
        "quality": {
            "root_missing": bool(facts.root_missing[rank]),
            **trace_quality(counts, trace),
        },
        "outline": outline(report, trace) if outlined else None,
    }


def _span(forest: Forest, row: int) -> dict[str, Any]:
    spans = forest.spans
    return {
        "span_id": span_id_text(int(spans.span_id[row])),
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
    }


def _path(report: AnalysisReport, rank: int) -> dict[str, Any]:
    """Sections, ascending: with what is hidden they tile the root."""
    sections = report.analysis.sections
    first, stop = sections.offset[rank : rank + 2].tolist()
    rows = np.arange(first, stop)
    duration_ns = sections.duration_ns[first:stop]
    if len(rows) > MOST_SECTIONS:
        rows = np.sort(np.lexsort((rows, -duration_ns))[:MOST_SECTIONS]) + first
    return {
        "critical_path": _sections(report, rank, rows),
        "critical_path_hidden": {
            "sections": stop - first - len(rows),
            "duration_ns": int(duration_ns.sum() - sections.duration_ns[rows].sum()),
        },
    }


def _sections(report: AnalysisReport, rank: int, part: Rows) -> list[dict[str, Any]]:
    forest, sections = report.analysis.forest, report.analysis.sections
    root_start = int(forest.spans.start_ns[forest.roots[rank]])
    return [
        {
            **_span(forest, row),
            "start_ns": start_ns,
            "start": _moment(start_ns),
            "end_ns": end_ns,
            "end": _moment(end_ns),
            "offset_ns": start_ns - root_start,
            "duration_ns": end_ns - start_ns,
        }
        for row, start_ns, end_ns in zip(
            sections.span_row[part].tolist(),
            sections.start_ns[part].tolist(),
            sections.end_ns[part].tolist(),
            strict=True,
        )
    ]


def _bottleneck(report: AnalysisReport, row: int, shares: Shares) -> dict[str, Any]:
    found = report.bottlenecks
    reason, depth = int(found.reason[row]), int(found.depth[row])
    path = report.analysis.facts.paths.path_id[found.path[row]]
    interval = [_number(found.p95_low_ns[row]), _number(found.p95_high_ns[row])]
    return {
        **_span(report.analysis.forest, int(report.representative[row])),
        "path_id": f"{int(path):016x}",
        "calls": int(found.calls[row]),
        "duration_ns": int(found.duration_ns[row]),
        "critical_ns": int(found.critical_ns[row]),
        "critical_share": shares(
            int(found.root[row]), int(found.path[row]), int(found.critical_ns[row])
        ),
        "self_ns": int(found.self_ns[row]),
        "expected_p95_ns": _number(found.expected_p95_ns[row]),
        "expected_p95_interval_ns": None if depth < 0 else interval,
        "deviation_percent": _number(found.deviation_percent[row], digits=1),
        "usual_critical_ns": _number(found.usual_ns[row]),
        "excess_ns": _number(found.excess_ns[row]),
        "reason": REASONS[reason] if reason >= 0 else None,
        "role": ROLES[int(found.role[row])],
        "baseline": {
            "depth": DEPTHS[depth] if depth >= 0 else None,
            "n": round(float(found.spans_n_eff[row]), 1),
            "traces": round(float(found.traces_n_eff[row]), 1),
        },
    }


def _fragments(
    report: AnalysisReport, main: int, counts: TraceCounts, by_root: list[int], shares: Shares
) -> dict[str, Any]:
    """The other roots of a trace, each with a path of its own: the main root comes first."""
    forest, facts = report.analysis.forest, report.analysis.facts
    count = counts.fragments[int(forest.trace_row[forest.roots[main]])]
    ranks = range(main + 1, main + min(count, 1 + MOST_FRAGMENTS))
    return {
        "total": {"value": count - 1, "exact": True},
        "items": [
            {
                "root": _span(forest, int(forest.roots[rank])),
                "why": _why(forest, int(forest.roots[rank])),
                "parent_missing": ORPHAN_REASONS[int(counts.orphan_reason[forest.roots[rank]])],
                "start_ns": int(facts.start_ns[rank]),
                "start": _moment(int(facts.start_ns[rank])),
                "offset_ns": int(facts.start_ns[rank] - facts.start_ns[main]),
                "duration_ns": int(facts.duration_ns[rank]),
                "span_count": int(facts.span_count[rank]),
                **_path(report, rank),
                "bottlenecks": [
                    _bottleneck(report, row, shares)
                    for row in range(by_root[rank], by_root[rank + 1])
                ],
            }
            for rank in ranks
        ],
    }


def _why(forest: Forest, root: int) -> str:
    """Why a span is a root of its own."""
    flags = SpanFlag(int(forest.flags[root]))
    if SpanFlag.ASYNC_ROOT in flags:
        return "asynchronous"
    if SpanFlag.CYCLE in flags:
        return "cycle"
    return "orphan" if SpanFlag.ORPHAN in flags else "second root"


def _common(report: AnalysisReport) -> dict[str, Any]:
    """Findings over all traces."""
    common, facts = report.common, report.analysis.facts
    items = []
    for row in range(min(len(common), MOST_COMMON)):
        path = int(common.path[row])
        items.append(
            {
                "service": facts.paths.service[path].name,
                "operation": facts.paths.operation[path],
                "path_id": f"{int(facts.paths.path_id[path]):016x}",
                "trace_count": int(common.trace_count[row]),
                "excess_ns": int(common.excess_ns[row]),
                "duration_ns": int(common.duration_ns[row]),
                "expected_p95_ns": _number(common.expected_p95_ns[row]),
                "deviation_percent": _number(common.deviation_percent[row], digits=1),
                "reason": REASONS[int(common.reason[row])],
                "role": ROLES[int(common.role[row])],
                "trace_ids": [
                    trace_id_text(int(facts.trace_hi[root]), int(facts.trace_lo[root]))
                    for root in common.exemplars[row]
                ],
            }
        )
    return {"total": {"value": len(common), "exact": True}, "items": items}


def _number(value: float, digits: int | None = None) -> float | int | None:
    return None if math.isnan(value) else round(float(value), digits)


def _moment(time_ns: int) -> str:
    seconds, nanos = divmod(time_ns, NS_PER_S)
    return f"{_second(seconds)}{nanos:09d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return rfc3339(seconds * NS_PER_S)[: -len("000000000Z")]
