"""One trace: its spans as stored, or as OTLP/JSON."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tracer.columns.ids import parse_trace_id
from tracer.columns.records import SpanRecords
from tracer.errors import NotFound, Unavailable
from tracer.ingest.otlp.encode import to_otlp_json
from tracer.service.context import Context
from tracer.store.reader import read_trace
from tracer.units import rfc3339

MAX_SPANS = 1_000_000  # of one trace in one answer


def trace(context: Context, trace_id: str) -> dict[str, Any]:
    """Document `tracer.trace/1`: every span, in order of start. Raises NotFound."""
    records = read_known(context, trace_id)
    rows = records.batch.to_pylist()
    starts = records.batch.column("Timestamp").cast(pa.int64()).to_pylist()
    return {
        "schema": "tracer.trace/1",
        "trace_id": parse_trace_id(trace_id),
        "span_count": len(rows),
        "spans": [_span(row, start_ns) for row, start_ns in zip(rows, starts, strict=True)],
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
        raise Unavailable(
            f"trace {wanted} has more than {MAX_SPANS} spans; use tracer export for it"
        )
    return records


def _span(row: dict[str, Any], start_ns: int) -> dict[str, Any]:
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
            {"time": f"{at}", "name": name, "attributes": dict(attributes)}
            for at, name, attributes in zip(
                row["Events.Timestamp"], row["Events.Name"], row["Events.Attributes"], strict=True
            )
        ],
        "links": [
            {"trace_id": linked, "span_id": span_id, "attributes": dict(attributes)}
            for linked, span_id, attributes in zip(
                row["Links.TraceId"], row["Links.SpanId"], row["Links.Attributes"], strict=True
            )
        ],
    }
