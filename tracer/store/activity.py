"""What arrived when, and the spans of traces that are ready: the reading side of settling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.convert import with_names
from tracer.columns.schema import WORD
from tracer.columns.spans import SpanColumns
from tracer.store.engine import Engine

_COLUMNS = (
    "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 1, 16)))) AS trace_hi, "
    "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 17, 16)))) AS trace_lo, "
    "reinterpretAsUInt64(reverse(unhex(SpanId))) AS span_id, "
    "if(ParentSpanId = '', 0, reinterpretAsUInt64(reverse(unhex(ParentSpanId)))) "
    "AS parent_span_id, "
    "toUnixTimestamp64Nano(Timestamp) AS start_ns, "
    "start_ns + toInt64(Duration) - toInt64(EndsBeforeStartNs) AS end_ns, "
    "DroppedAttributesCount + DroppedEventsCount + DroppedLinksCount > 0 AS dropped, "
    "SamplingWeight AS weight, "
)
_NUMBERS: Final[dict[str, type[np.generic]]] = {
    "trace_hi": np.uint64,
    "trace_lo": np.uint64,
    "span_id": np.uint64,
    "parent_span_id": np.uint64,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "dropped": np.bool_,
    "weight": np.float64,
}
_NAMES: Final = [
    *("TenantId", "Environment", "ServiceNamespace", "ServiceName", "ServiceVersion"),
    "Host",
    *("SpanName", "SpanKind", "StatusCode", "MessagingOperation"),
]
# A service may have a million operations, and every block of an answer would carry all of them as
# its dictionary: operations come as text and are numbered here.
_WORDS: Final = ", ".join(
    "toString(SpanName) AS SpanName" if n == "SpanName" else n for n in _NAMES
)


@dataclass(frozen=True)
class Activity:
    """Traces with spans taken in during a window: equal-length arrays, sorted by trace id."""

    trace_id: NDArray[np.object_]  # 32 hex
    key: NDArray[np.uint64]  # a hash of the trace id
    first_ingest_ns: NDArray[np.int64]
    last_ingest_ns: NDArray[np.int64]
    has_root: NDArray[np.bool_]
    start_ns: NDArray[np.int64]  # earliest span start seen in the window
    end_ns: NDArray[np.int64]  # latest span end seen in the window
    spans: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.trace_id)

    def take(self, rows: NDArray[np.bool_] | slice) -> Activity:
        """The rows of a mask or a slice."""
        return Activity(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def read_activity(engine: Engine, *, after_ns: int, until_ns: int) -> Activity:
    """What was taken in during (after, until] of ingest time, by trace."""
    table = engine.arrow(
        "SELECT TraceId, cityHash64(TraceId) AS key, "
        "min(toUnixTimestamp64Nano(IngestTime)) AS first, "
        "max(toUnixTimestamp64Nano(IngestTime)) AS last, max(HasRoot) AS root, "
        "min(StartNs) AS start, max(EndNs) AS end, toInt64(sum(Spans)) AS spans "
        "FROM otel_traces_trace_id_ts "
        "WHERE IngestTime > fromUnixTimestamp64Nano({after:Int64}) "
        "AND IngestTime <= fromUnixTimestamp64Nano({until:Int64}) "
        "GROUP BY TraceId ORDER BY TraceId",
        {"after": after_ns, "until": until_ns},
    )
    return Activity(
        table["TraceId"].to_numpy(),
        table["key"].to_numpy(),
        table["first"].to_numpy(),
        table["last"].to_numpy(),
        table["root"].to_numpy().astype(bool),
        table["start"].to_numpy(),
        table["end"].to_numpy(),
        table["spans"].to_numpy(),
    )


def read_bounds(engine: Engine, trace_ids: list[str]) -> tuple[int, int]:
    """Earliest start and latest end of all that is stored of these traces."""
    rows = engine.rows(
        "SELECT min(StartNs), max(EndNs) FROM otel_traces_trace_id_ts WHERE TraceId IN {ids:Ids}",
        {"ids": trace_ids},
    )
    return int(rows[0][0]), int(rows[0][1])


def count_waiting(engine: Engine) -> int:
    """Traces of the last minutes that are stored and not analysed yet."""
    rows = engine.rows(
        "SELECT uniqExact(TraceId) FROM otel_traces_trace_id_ts "
        "WHERE IngestTime > now64(9) - toIntervalMinute(10) "
        "AND TraceId NOT IN (SELECT TraceId FROM tracer_facts "
        "WHERE Version > toUnixTimestamp64Nano(now64(9) - toIntervalMinute(10)))"
    )
    return int(rows[0][0])


def analysed(engine: Engine, trace_ids: list[str]) -> set[str]:
    """Which of these traces have facts, however old, or had."""
    rows = engine.rows(
        "SELECT DISTINCT TraceId FROM tracer_facts WHERE TraceId IN {ids:Ids}",
        {"ids": trace_ids},
    )
    return {str(row[0]) for row in rows}


def read_spans(
    engine: Engine, trace_ids: list[str], *, start_ns: int, end_ns: int, after_ns: int | None
) -> SpanColumns:
    """All spans of the traces that start in [start, end]; `after_ns` skips what came in earlier."""
    ingest = (
        "AND IngestTime > fromUnixTimestamp64Nano({after:Int64})" if after_ns is not None else ""
    )
    table = engine.arrow(
        f"SELECT {_COLUMNS}{_WORDS} FROM otel_traces WHERE TraceId IN {{ids:Ids}} "
        "AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        f"AND Timestamp <= fromUnixTimestamp64Nano({{end:Int64}}) {ingest}",
        {"ids": trace_ids, "start": start_ns, "end": end_ns, "after": after_ns or 0},
    )
    return span_columns(table)


def span_columns(table: pa.Table) -> SpanColumns:
    """The engine's answer to `_COLUMNS` as columns for analysis."""
    names = pa.RecordBatch.from_arrays([_dictionary(table[name]) for name in _NAMES], names=_NAMES)
    return with_names(
        names,
        **{
            name: np.asarray(table[name].to_numpy()).astype(dtype, copy=False)
            for name, dtype in _NUMBERS.items()
        },
    )


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One array with one dictionary, also of no rows."""
    if column.num_chunks == 0:
        return pa.array([], WORD)
    if pa.types.is_string(column.type):
        column = column.combine_chunks().dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
