"""Traces with failing spans, and what those spans say.

A status is one small column; attributes and events are most of what a span takes. So spans of unset
status are looked at only where the caller allows it, and the text is read of suspects alone.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from tracer.columns.symptoms import EXCEPTION, EXCEPTION_KEYS, KEYS, SYMPTOMS
from tracer.store.engine import Engine

MOST_TEXT: Final = 2_000  # characters of a message that are read
MOST_STACK: Final = 4_000  # characters of a stack trace


def _first(keys: tuple[str, ...]) -> str:
    """The first of the attributes that is not empty."""
    values = [f"SpanAttributes['{key}']" for key in keys]
    return values[0] if len(keys) == 1 else f"coalesce({', '.join(_null(v) for v in values)}, '')"


def _null(value: str) -> str:
    return f"nullIf({value}, '')"


_LAST: Final = f"arrayLast((one, name) -> name = '{EXCEPTION}', Events.Attributes, Events.Name)"
_ATTRIBUTES: Final = {name: _first(keys) for name, keys in KEYS.items()}
BY_STATUS: Final = "StatusCode = 'Error'"
_CALLING: Final = "SpanKind IN ('Client', 'Producer')"
_SERVER_CODES: Final = (
    "('2', '4', '12', '13', '14', '15', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', "
    "'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')"
)
# The rules of analysis.failures in the words of the engine; tests hold the two together.
BY_ATTRIBUTES: Final = (
    f"({BY_STATUS} OR (StatusCode != 'Ok' AND multiIf("
    f"toUInt16OrZero({_ATTRIBUTES['HttpStatus']}) >= 500, 1, "
    f"toUInt16OrZero({_ATTRIBUTES['HttpStatus']}) >= 400, {_CALLING}, "
    f"{_ATTRIBUTES['RpcStatus']} NOT IN ('', '0', 'OK'), "
    f"{_CALLING} OR {_ATTRIBUTES['RpcStatus']} IN {_SERVER_CODES}, "
    f"{_ATTRIBUTES['ErrorType']} != '' OR lower({_ATTRIBUTES['ErrorFlag']}) = 'true' "
    f"OR lower({_LAST}['exception.escaped']) = 'true')))"
)
_TEXTS: Final = ", ".join(
    [
        "toString(SpanKind) AS SpanKind",
        "toString(StatusCode) AS StatusCode",
        f"leftUTF8(StatusMessage, {MOST_TEXT}) AS StatusMessage",
        *(f"{value} AS {name}" for name, value in _ATTRIBUTES.items()),
        *(f"leftUTF8(last['{key}'], {MOST_TEXT}) AS {n}" for n, key in EXCEPTION_KEYS.items()),
    ]
)
_IDS: Final = (
    "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 1, 16)))) AS trace_hi, "
    "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 17, 16)))) AS trace_lo, "
    "reinterpretAsUInt64(reverse(unhex(SpanId))) AS span_id"
)


def read_symptoms(
    engine: Engine, trace_ids: list[str], *, start_ns: int, end_ns: int, limit: int
) -> pa.Table:
    """Suspects of these traces with a start in [start, end], as `SYMPTOMS`; at most `limit`."""
    table = engine.arrow(
        f"WITH {_LAST} AS last SELECT {_IDS}, {_TEXTS} FROM otel_traces "
        "WHERE TraceId IN {ids:Ids} AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        f"AND Timestamp <= fromUnixTimestamp64Nano({{end:Int64}}) AND {BY_ATTRIBUTES} "
        f"ORDER BY TraceId, SpanId, SpanKind LIMIT {int(limit)}",
        {"ids": trace_ids, "start": start_ns, "end": end_ns},
    )
    return pa.table({name: table[name] for name in SYMPTOMS.names}).cast(SYMPTOMS)


def count_spans(engine: Engine, start_ns: int, end_ns: int) -> int:
    """Spans that start in [start, end), without reading them."""
    rows = engine.rows(
        "SELECT count() FROM otel_traces WHERE Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND Timestamp < fromUnixTimestamp64Nano({end:Int64})",
        {"start": start_ns, "end": end_ns},
    )
    return int(rows[0][0])


def failing_traces(
    engine: Engine, suspect: str, start_ns: int, end_ns: int, *, service: str | None, limit: int
) -> tuple[list[tuple[str, int]], int]:
    """(trace id, its spans) of traces with a suspect in [start, end), and how many there are.

    At most `limit`, by a hash of their id: the same ones whenever it is asked.
    """
    where = (
        "Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        f"AND Timestamp < fromUnixTimestamp64Nano({{end:Int64}}) AND {suspect}"
    )
    values: dict[str, Any] = {"start": start_ns, "end": end_ns}
    if service is not None:
        where += " AND ServiceName = {service:String}"
        values["service"] = service
    found = engine.rows(
        f"SELECT TraceId, count() OVER () FROM (SELECT DISTINCT TraceId FROM otel_traces "
        f"WHERE {where}) ORDER BY cityHash64(TraceId), TraceId LIMIT {int(limit)}",
        values,
    )
    if not found:
        return [], 0
    sizes = engine.rows(
        "SELECT TraceId, toInt64(sum(Spans)) FROM otel_traces_trace_id_ts "
        "WHERE TraceId IN {ids:Ids} GROUP BY TraceId",
        {"ids": [str(row[0]) for row in found]},
    )
    spans = {str(trace_id): int(count) for trace_id, count in sizes}
    return [(str(row[0]), spans.get(str(row[0]), 0)) for row in found], int(found[0][1])


def stack_traces(
    engine: Engine, spans: list[tuple[str, str]], *, start_ns: int, end_ns: int
) -> dict[tuple[str, str], str]:
    """Stack trace of the last exception of each (trace id, span id) that has one, cut."""
    if not spans:
        return {}
    rows = engine.rows(
        f"WITH {_LAST} AS last SELECT TraceId, SpanId, "
        f"leftUTF8(last['exception.stacktrace'], {MOST_STACK}) AS stack FROM otel_traces "
        "WHERE TraceId IN {ids:Ids} AND SpanId IN {span_ids:Ids} AND stack != '' "
        "AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND Timestamp <= fromUnixTimestamp64Nano({end:Int64})",
        {
            "ids": [trace_id for trace_id, _ in spans],
            "span_ids": [span_id for _, span_id in spans],
            "start": start_ns,
            "end": end_ns,
        },
    )
    return {(str(trace_id), str(span_id)): str(stack) for trace_id, span_id, stack in rows}
