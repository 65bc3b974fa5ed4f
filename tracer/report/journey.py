"""A request's way on through queues, as part of the document of its trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tracer.analysis.journeys import Leg, journey, last_caused
from tracer.analysis.judgement import AnalysisReport
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.units import rfc3339

MOST_LEGS: Final = 1_000  # listed; the rest is counted, but for the last


@dataclass(frozen=True)
class Journeys:
    """Where each root's journey goes next, for a whole report."""

    report: AnalysisReport
    following: dict[int, int]


def journeys(report: AnalysisReport) -> Journeys:
    """Of all traces of a report."""
    return Journeys(report, last_caused(report.analysis.forest, report.cause))


def journey_document(of: Journeys, root: int) -> dict[str, Any] | None:
    """From the start of a root to the end of the last thing it caused; None if that is itself."""
    report = of.report
    legs = journey(
        report.analysis.forest,
        report.analysis.sections,
        root,
        cause=report.cause,
        following=of.following,
        tolerance_ns=report.tolerance_ns,
    )
    if not legs:
        return None
    start_ns, end_ns = legs[0].start_ns, legs[-1].end_ns
    return {
        "end_ns": end_ns,
        "end": rfc3339(end_ns),
        "duration_ns": end_ns - start_ns,
        "queue_ns": sum(leg.end_ns - leg.start_ns for leg in legs if leg.is_wait),
        "total": {"value": len(legs), "exact": True},
        "last": _leg(report, legs[-1], start_ns),
        "sections": [_leg(report, leg, start_ns) for leg in legs[:MOST_LEGS]],
    }


def _leg(report: AnalysisReport, leg: Leg, origin_ns: int) -> dict[str, Any]:
    spans, row = report.analysis.forest.spans, leg.span_row
    return {
        "trace_id": trace_id_text(int(spans.trace_hi[row]), int(spans.trace_lo[row])),
        "span_id": span_id_text(int(spans.span_id[row])),
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
        "queue": leg.is_wait,
        "offset_ns": leg.start_ns - origin_ns,
        "start_ns": leg.start_ns,
        "end_ns": leg.end_ns,
        "duration_ns": leg.end_ns - leg.start_ns,
    }
