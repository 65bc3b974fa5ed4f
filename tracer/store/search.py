"""Which traces have a span like this: the search behind lists of traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tracer.store.engine import Engine


@dataclass(frozen=True)
class SpanFilter:
    """What one span of the trace must be; None and () do not restrict. Times are ns."""

    start_ns: int
    end_ns: int
    service: str | None = None
    operation: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    failed: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    roots_only: bool = False
    before: tuple[int, str] | None = None  # (start, trace id) of the last trace of the page before


@dataclass(frozen=True)
class _Where:
    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, sql: str, **values: Any) -> None:
        self.parts.append(sql)
        self.values.update(values)


def find_traces(engine: Engine, wanted: SpanFilter, *, limit: int) -> list[tuple[int, str]]:
    """(start of the newest matching span, trace id), newest first, at most `limit`."""
    where = _where(wanted)
    having = ""
    if wanted.before is not None:
        having = "HAVING (at, TraceId) < ({before_at:Int64}, {before_id:String})"
        where.values.update(before_at=wanted.before[0], before_id=wanted.before[1])
    rows = engine.rows(
        "SELECT TraceId, max(toUnixTimestamp64Nano(Timestamp)) AS at FROM otel_traces "
        f"WHERE {' AND '.join(where.parts)} GROUP BY TraceId {having} "
        f"ORDER BY at DESC, TraceId DESC LIMIT {int(limit)}",
        where.values,
    )
    return [(int(at), str(trace_id)) for trace_id, at in rows]


def count_traces(engine: Engine, wanted: SpanFilter) -> int:
    """How many traces match, pages aside."""
    where = _where(wanted)
    rows = engine.rows(
        f"SELECT uniqExact(TraceId) FROM otel_traces WHERE {' AND '.join(where.parts)}",
        where.values,
    )
    return int(rows[0][0])


def _where(wanted: SpanFilter) -> _Where:
    where = _Where()
    where.add(
        "Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
        "AND Timestamp < fromUnixTimestamp64Nano({end:Int64})",
        start=wanted.start_ns,
        end=wanted.end_ns,
    )
    if wanted.service is not None:
        where.add("ServiceName = {service:String}", service=wanted.service)
    if wanted.operation is not None:
        where.add("SpanName = {operation:String}", operation=wanted.operation)
    if wanted.min_duration_ns is not None:
        where.add("Duration >= {shortest:UInt64}", shortest=wanted.min_duration_ns)
    if wanted.max_duration_ns is not None:
        where.add("Duration <= {longest:UInt64}", longest=wanted.max_duration_ns)
    if wanted.failed is not None:
        where.add(f"StatusCode {'=' if wanted.failed else '!='} 'Error'")
    for place, (key, value) in enumerate(wanted.attributes):
        # A map gives '' for a key it does not have.
        there = "" if value else f"mapContains({{0}}, {{{{key{place}:String}}}}) AND "
        equal = f"{there}{{0}}[{{{{key{place}:String}}}}] = {{{{value{place}:String}}}}"
        where.add(
            f"({equal.format('SpanAttributes')} OR {equal.format('ResourceAttributes')})",
            **{f"key{place}": key, f"value{place}": value},
        )
    if wanted.roots_only:
        where.add("ParentSpanId = ''")
    return where


def distinct_users(
    engine: Engine, trace_ids: list[str], keys: tuple[str, ...], *, start_ns: int, end_ns: int
) -> tuple[str, int] | None:
    """(attribute, distinct values) of the first of `keys` that any of these traces carries."""
    for key in keys:
        rows = engine.rows(
            "SELECT uniqExact(SpanAttributes[{key:String}]) FROM otel_traces "
            "WHERE TraceId IN {ids:Ids} "
            "AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) "
            "AND Timestamp <= fromUnixTimestamp64Nano({end:Int64}) "
            "AND SpanAttributes[{key:String}] != ''",
            {"key": key, "ids": trace_ids, "start": start_ns, "end": end_ns},
        )
        if rows[0][0]:
            return key, int(rows[0][0])
    return None
