"""Writes spans: first where each trace lies in time, then the spans themselves.

In that order no stored span is without its row in `otel_traces_trace_id_ts`, whatever is killed
between the two writes; a row without spans is harmless.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracer.columns.records import SpanRecords
from tracer.columns.schema import SPANS, WORD
from tracer.store.engine import Engine
from tracer.units import NS_PER_S

# Imported files may span years: many partitions in one block are then right, not a mistake.
ANY_PARTITIONS = {"max_partitions_per_insert_block": 0}


def write_spans(engine: Engine, records: SpanRecords, *, imported: bool = False) -> None:
    """Appends the records; returns once the engine has them.

    Raises Unavailable (nothing may be acknowledged; retry) or StoreFailure (this block never fits).
    """
    if len(records) == 0:
        return
    settings = ANY_PARTITIONS if imported else None
    engine.insert("otel_traces_trace_id_ts", trace_times(records), settings)
    engine.insert("otel_traces", _plain(records), settings)


def trace_times(records: SpanRecords) -> pa.Table:
    """One row per (tenant, trace) in the batch: earliest start, latest end, count, root or not."""
    column = records.batch.column
    start = column("Timestamp").cast(pa.int64())
    spans = pa.table(
        {
            "TraceId": column("TraceId"),
            "TenantId": column("TenantId").cast(pa.string()),
            "IngestTime": column("IngestTime"),
            "StartNs": start,
            "EndNs": pc.add(start, column("Duration").cast(pa.int64(), safe=False)),
            "HasRoot": pc.equal(column("ParentSpanId"), "").cast(pa.uint8()),
        }
    )
    grouped = spans.group_by(["TraceId", "TenantId"], use_threads=False).aggregate(
        [
            ("IngestTime", "max"),
            ("StartNs", "min"),
            ("StartNs", "max"),
            ("EndNs", "max"),
            ("HasRoot", "max"),
            ("TraceId", "count"),
        ]
    )
    return pa.table(
        {
            "TraceId": grouped["TraceId"],
            "Start": _seconds(grouped["StartNs_min"]),
            "End": _seconds(grouped["StartNs_max"]),
            "TenantId": grouped["TenantId"],
            "IngestTime": grouped["IngestTime_max"],
            "StartNs": grouped["StartNs_min"],
            "EndNs": grouped["EndNs_max"],
            "HasRoot": grouped["HasRoot_max"],
            "Spans": grouped["TraceId_count"].cast(pa.uint32()),
        }
    )


def _seconds(time_ns: pa.ChunkedArray) -> pa.Array:
    # DateTime is 32 bits wide: later than 2106 is shown as 2106, StartNs and EndNs stay exact.
    seconds = np.asarray(time_ns.to_numpy()) // NS_PER_S
    return pa.array(np.minimum(seconds, 2**32 - 1).astype(np.uint32))


def _plain(records: SpanRecords) -> pa.Table:
    return pa.table(
        {spec.name: records.batch.column(spec.name) for spec in SPANS},
        schema=pa.schema(
            [pa.field(spec.name, WORD if spec.arrow == WORD else spec.arrow) for spec in SPANS]
        ),
    )
