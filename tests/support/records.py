"""Span records for tests, written as short dicts: everything not named has its default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tracer.columns.records import SpanRecords
from tracer.columns.schema import ATTRIBUTES, SPANS, TIME, arrow_schema

SECOND = 1_000_000_000
EPOCH = 1_790_000_000 * SECOND  # a moment in 2026


def span(
    trace: int,
    span_id: int,
    parent: int = 0,
    *,
    start: int = EPOCH,
    duration: int = 1_000_000,
    service: str = "shop",
    name: str = "GET /",
    kind: str = "Server",
    ingest: int = EPOCH,
    **columns: Any,
) -> dict[str, Any]:
    """One span; `columns` are schema columns by name (dots written as `__`)."""
    return {
        "TraceId": f"{trace:032x}",
        "SpanId": f"{span_id:016x}",
        "ParentSpanId": f"{parent:016x}" if parent else "",
        "Timestamp": start,
        "Duration": duration,
        "ServiceName": service,
        "SpanName": name,
        "SpanKind": kind,
        "StatusCode": "Unset",
        "IngestTime": ingest,
        **{key.replace("__", "."): value for key, value in columns.items()},
    }


def records(spans: Iterable[dict[str, Any]]) -> SpanRecords:
    """The spans as one batch of records."""
    rows = list(spans)
    columns = []
    for spec in SPANS:
        values = [row.get(spec.name, _default(spec.arrow)) for row in rows]
        plain = spec.arrow
        if pa.types.is_dictionary(plain):
            columns.append(pa.array(values, pa.string()).dictionary_encode())
        else:
            columns.append(pa.array(values, plain))
    return SpanRecords(pa.RecordBatch.from_arrays(columns, schema=arrow_schema()))


def _default(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind) or kind == ATTRIBUTES:
        return []
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        return ""
    return 0 if kind != TIME else EPOCH
