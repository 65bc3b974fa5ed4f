"""What failed in traces that are in memory or stored, put into their analysis."""

from __future__ import annotations

from typing import Any

from tracer.analysis.error_groups import group_errors
from tracer.analysis.errors import Errors, errors
from tracer.analysis.failures import failures
from tracer.analysis.judgement import AnalysisReport
from tracer.columns.records import SpanRecords
from tracer.columns.symptoms import symptoms_from_records
from tracer.report.errors_json import group_documents, with_errors


def errors_in(report: AnalysisReport, records: SpanRecords) -> Errors:
    """The failures among `records`, which are the spans that were analysed."""
    return errors(report.analysis.forest, failures(symptoms_from_records(records)))


def add_errors(document: dict[str, Any], report: AnalysisReport, found: Errors) -> dict[str, Any]:
    """`tracer.analysis/1` with the errors of each trace, and of all of them together."""
    forest = report.analysis.forest
    found_groups = group_errors(forest, found)
    return {
        **with_errors(document, forest, found),
        "errors": {
            "failed_spans": len(found.propagation),
            "total": {"value": found_groups.total, "exact": True},
            "items": group_documents(forest, found, found_groups.groups),
        },
    }
