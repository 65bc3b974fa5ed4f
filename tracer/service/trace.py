"""One trace: its spans as stored, as OTLP/JSON, and what analysis says of it."""

from __future__ import annotations

import shlex
from typing import Any

import pyarrow as pa

from tracer.analysis.analyse import analyse
from tracer.analysis.errors import errors
from tracer.analysis.failures import failures
from tracer.columns.ids import parse_trace_id
from tracer.columns.records import SpanRecords
from tracer.errors import NotFound, TooLarge
from tracer.ingest.otlp.encode import to_otlp_json
from tracer.report.json import analysis_document
from tracer.service.analyze import analyze
from tracer.service.context import Context, Window
from tracer.service.failures import add_errors
from tracer.service.normal import choose, read_baselines
from tracer.store.activity import read_bounds, read_spans
from tracer.store.errors import read_symptoms
from tracer.store.facts import has_facts
from tracer.store.reader import read_trace
from tracer.units import rfc3339

MAX_SPANS = 200_000  # of one trace in one answer


def trace(context: Context, trace_id: str) -> dict[str, Any]:
    """Document `tracer.trace/1`: every span, in order of start. Raises NotFound."""
    records = read_known(context, trace_id)
    rows = records.batch.drop_columns(["Events.Timestamp", "IngestTime"]).to_pylist()
    starts = records.batch.column("Timestamp").cast(pa.int64()).to_pylist()
    event_times = records.batch.column("Events.Timestamp").cast(pa.list_(pa.int64())).to_pylist()
    return {
        "schema": "tracer.trace/1",
        "trace_id": parse_trace_id(trace_id),
        "span_count": len(rows),
        "spans": [
            _span(row, start_ns, times)
            for row, start_ns, times in zip(rows, starts, event_times, strict=True)
        ],
    }


def trace_otlp(context: Context, trace_id: str) -> dict[str, Any]:
    """The trace as OTLP/JSON TracesData. Raises NotFound."""
    return to_otlp_json(read_known(context, trace_id))


def read_known(context: Context, trace_id: str) -> SpanRecords:
    """The spans of a trace; raises NotFound when there are none."""
    wanted = parse_trace_id(trace_id)
    records = read_trace(context.engine, wanted, limit=MAX_SPANS + 1)
    if len(records) == 0:
        raise NotFound(
            f"trace {wanted} is not here; it was never received, or is older than retention_raw"
        )
    if len(records) > MAX_SPANS:
        raise TooLarge(
            f"trace {wanted} has over {MAX_SPANS} spans; ask for its analysis, or tracer export"
        )
    return records


def _span(row: dict[str, Any], start_ns: int, event_times: list[int]) -> dict[str, Any]:
    end_ns = start_ns + row["Duration"] - row["EndsBeforeStartNs"]
    return {
        "span_id": row["SpanId"],
        "parent_span_id": row["ParentSpanId"] or None,
        "service": row["ServiceName"],
        "operation": row["SpanName"],
        "kind": row["SpanKind"].lower(),
        "start_ns": start_ns,
        "start": rfc3339(start_ns),
        "end_ns": end_ns,
        "duration_ns": row["Duration"],
        "status": row["StatusCode"].lower(),
        "status_message": row["StatusMessage"],
        "attributes": dict(row["SpanAttributes"]),
        "resource": dict(row["ResourceAttributes"]),
        "scope": {"name": row["ScopeName"], "version": row["ScopeVersion"]},
        "events": [
            {"time_ns": at, "time": rfc3339(at), "name": name, "attributes": dict(attributes)}
            for at, name, attributes in zip(
                event_times, row["Events.Name"], row["Events.Attributes"], strict=True
            )
        ],
        "links": [
            {"trace_id": linked, "span_id": span_id, "attributes": dict(attributes)}
            for linked, span_id, attributes in zip(
                row["Links.TraceId"], row["Links.SpanId"], row["Links.Attributes"], strict=True
            )
        ],
    }


def trace_analysis(
    context: Context,
    trace_id: str,
    *,
    baseline: Window | None,
    tolerance_ns: int | None,
    skew_correction: bool = True,
) -> dict[str, Any]:
    """Document `tracer.analysis/1` of one trace against what was normal before it.

    Without `skew_correction` its times are taken as they came; what is normal is not affected. A
    trace that is not settled yet is analysed as far as it is here and marked `provisional`.
    """
    wanted = parse_trace_id(trace_id)
    start_ns, end_ns = read_bounds(context.engine, [wanted])
    around = {"start_ns": start_ns, "end_ns": end_ns}
    spans = read_spans(context.engine, [wanted], **around, after_ns=None)
    if len(spans) == 0:
        raise NotFound(
            f"trace {wanted} is not here; it was never received, or is older than retention_raw"
        )
    first_ns, last_ns = int(spans.start_ns.min()), int(spans.end_ns.max())
    normal = choose(context, Window(first_ns, max(last_ns, first_ns + 1)), baseline)
    paths = analyse(spans).facts.paths
    report = analyze(
        spans,
        baselines=read_baselines(context, normal, paths),
        tolerance_ns=tolerance_ns,
        max_skew_ns=context.max_skew_ns if skew_correction else None,
    )
    settled = has_facts(context.engine, wanted)
    words = [] if skew_correction else ["--no-skew-correction"]
    words += (
        []
        if normal.chosen != "given"
        else [
            "--baseline-start",
            normal.document()["start"],
            "--baseline-end",
            normal.document()["end"],
        ]
    )
    document = analysis_document(
        report,
        baseline=normal.document(),
        reproduce=shlex.join(["tracer", "trace", wanted, *words]),
    )
    found = failures(read_symptoms(context.engine, [wanted], **around, limit=MAX_SPANS))
    document = add_errors(document, report, errors(report.analysis.forest, found))
    return {**document, "provisional": not settled}
