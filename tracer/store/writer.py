"""Writes spans: first where each trace lies in time, then the spans themselves.

In that order no stored span is without its row in `otel_traces_trace_id_ts`, whatever is killed
between the two writes; a row without spans is harmless.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracer.columns.records import SpanRecords
from tracer.columns.schema import SPANS
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
    """The columns that say something; the engine fills the others with the same default.

    A third of the columns are empty in ordinary traffic (links, dropped counts, value types), and
    sending them costs a quarter of an insert.
    """
    names = [
        spec.name
        for spec in SPANS
        if spec.name in _COMPUTED or not _is_default(records.batch.column(spec.name))
    ]
    return pa.Table.from_batches([records.batch.select(names)])


# Their defaults are expressions over other columns, not zero or empty.
_COMPUTED = frozenset(
    {
        *("IngestTime", "Environment", "ServiceNamespace", "ServiceVersion", "Host"),
        "MessagingOperation",
    }
)


def _is_default(column: pa.Array) -> bool:
    """Whether every value is empty or zero; cheap, and never true by mistake."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return bool(column.offsets[0] == column.offsets[-1])
    if pa.types.is_string(kind):
        return bool(pc.max(pc.binary_length(column)).as_py() == 0)
    if pa.types.is_dictionary(kind):
        return bool(column.dictionary.to_pylist() == [""])
    return bool(pa.types.is_unsigned_integer(kind) and pc.max(column).as_py() == 0)
