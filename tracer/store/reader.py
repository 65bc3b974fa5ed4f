"""Reads spans back: whole (as records) or as the integers that analysis needs (as columns)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tracer.columns.records import SpanRecords
from tracer.columns.schema import ATTRIBUTES, SPANS, TIME, WORD, arrow_schema
from tracer.store.engine import Engine

# Exact duplicates (a retried export) are one span; anything that differs is kept for the analysis
# to merge or to flag.
_ONE_OF_EACH = "LIMIT 1 BY TraceId, SpanId, ServiceName, Timestamp, Duration"


_ALL = ", ".join(f"`{spec.name}`" for spec in SPANS)


def read_trace(engine: Engine, trace_id: str, *, limit: int) -> SpanRecords:
    """Every span of one trace (32 lower-case hex), in order of start; empty when unknown.

    At most `limit` spans are read; the caller can tell by the length.
    """
    bounds = engine.rows(
        "SELECT min(StartNs), max(EndNs), count() FROM otel_traces_trace_id_ts "
        "WHERE TraceId = {id:String}",
        {"id": trace_id},
    )[0]
    if not bounds[2]:
        return SpanRecords.empty()
    return read_where(
        engine,
        "TraceId = {id:String} AND Timestamp >= fromUnixTimestamp64Nano({lo:Int64}) "
        "AND Timestamp <= fromUnixTimestamp64Nano({hi:Int64})",
        {"id": trace_id, "lo": bounds[0], "hi": bounds[1]},
        limit=limit,
    )


def read_where(
    engine: Engine, where: str, parameters: Mapping[str, Any], *, limit: int
) -> SpanRecords:
    """Whole spans that match, ordered by start then id."""
    table = engine.arrow(
        f"SELECT {_ALL} FROM otel_traces WHERE {where} "
        f"ORDER BY Timestamp, SpanId {_ONE_OF_EACH} LIMIT {int(limit)}",
        parameters,
    )
    return SpanRecords(conform(table))


def conform(table: pa.Table) -> pa.RecordBatch:
    """The engine's Arrow types cast to the span schema, one chunk."""
    columns = []
    for spec in SPANS:
        column = table[spec.name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = (
                pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], spec.arrow)
            )
        columns.append(_cast(column, spec.arrow))
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema())


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if column.type == wanted:
        return column
    if wanted == WORD:
        plain = column.cast(pa.string())
        return plain.dictionary_encode()
    if wanted == TIME:
        return column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).cast(TIME)
    if wanted == ATTRIBUTES:
        return _attributes(column)
    if pa.types.is_list(wanted):
        return pa.ListArray.from_arrays(
            _offsets(column), _cast(_items(column), wanted.value_type), type=wanted
        )
    return column.cast(wanted)


def _attributes(column: pa.MapArray) -> pa.Array:
    start, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
    return pa.MapArray.from_arrays(
        _offsets(column),
        column.keys.slice(start, end - start).cast(pa.string()),
        column.items.slice(start, end - start).cast(pa.string()),
    ).cast(ATTRIBUTES)


def _offsets(column: pa.Array) -> pa.Array:
    return pc.subtract(column.offsets, column.offsets[0])


def _items(column: pa.ListArray) -> pa.Array:
    start, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
    return column.values.slice(start, end - start)


def spans_by_trace(engine: Engine, start_ns: int, end_ns: int) -> list[tuple[str, int]]:
    """(trace id, spans in range) of traces with a span that starts in [start, end), by id."""
    table = engine.arrow(
        "SELECT TraceId, count() AS spans FROM otel_traces "
        "WHERE Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND Timestamp < fromUnixTimestamp64Nano({end:Int64}) GROUP BY TraceId ORDER BY TraceId",
        {"start": start_ns, "end": end_ns},
    )
    return list(zip(table["TraceId"].to_pylist(), table["spans"].to_pylist(), strict=True))
