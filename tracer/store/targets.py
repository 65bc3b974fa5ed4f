"""Traces to read for a picture of who calls whom, and what their calling spans say about the other
end.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from tracer.columns.targets import KEYS, TARGETS
from tracer.store.engine import Engine

MOST_STATEMENT: Final = 300  # characters that tell one statement from another
_VALUES: Final = ", ".join(
    "leftUTF8(coalesce("
    + ", ".join(f"nullIf(SpanAttributes['{key}'], '')" for key in keys)
    + f", ''), {MOST_STATEMENT}) AS {name}"
    for name, keys in KEYS.items()
)


def sampled_traces(
    engine: Engine, start_ns: int, end_ns: int, *, limit: int, spans: int
) -> tuple[list[str], int]:
    """Traces whose main root starts in [start, end), by a hash of their id, and how many there are.

    At most `limit`, and only so many that they have `spans` spans together (but one at least).
    """
    rows = engine.rows(
        "SELECT TraceId, toInt64(SpanCount), count() OVER () FROM tracer_facts FINAL "
        "WHERE IsDeleted = 0 AND IsMain = 1 AND StartNs >= {start:Int64} AND StartNs < {end:Int64} "
        f"ORDER BY cityHash64(TraceId), TraceId LIMIT {int(limit)}",
        {"start": start_ns, "end": end_ns},
    )
    chosen: list[str] = []
    total = 0
    for trace_id, count, _ in rows:
        total += int(count)
        if chosen and total > spans:
            break
        chosen.append(str(trace_id))
    return chosen, int(rows[0][2]) if rows else 0


def read_targets(
    engine: Engine, trace_ids: list[str], *, start_ns: int, end_ns: int, limit: int
) -> pa.Table:
    """Calling and consuming spans of these traces with a start in [start, end], as `TARGETS`."""
    table = engine.arrow(
        "SELECT reinterpretAsUInt64(reverse(unhex(substring(TraceId, 1, 16)))) AS trace_hi, "
        "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 17, 16)))) AS trace_lo, "
        "reinterpretAsUInt64(reverse(unhex(SpanId))) AS span_id, "
        f"toString(SpanKind) AS SpanKind, {_VALUES} FROM otel_traces "
        "WHERE TraceId IN {ids:Ids} AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND Timestamp <= fromUnixTimestamp64Nano({end:Int64}) "
        "AND SpanKind IN ('Client', 'Producer', 'Consumer') "
        f"ORDER BY TraceId, SpanId, SpanKind LIMIT {int(limit)}",
        {"ids": trace_ids, "start": start_ns, "end": end_ns},
    )
    return pa.table({name: table[name] for name in TARGETS.names}).cast(TARGETS)
