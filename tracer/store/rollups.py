"""Latency histograms by period: computed from facts, cached by minute and hour.

A period is rolled up whole, under a new version; only then the row in `tracer_rollups` makes that
version the one that counts. A crash in between leaves rows that nobody reads. The same two SELECTs
fill the caches and answer for the minutes that have no cache yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tracer.columns.buckets import PER_OCTAVE, ZERO_BUCKET
from tracer.columns.facts import ANALYSIS_VERSION
from tracer.store.engine import Engine

MINUTE_NS: Final = 60_000_000_000
HOUR_NS: Final = 3_600_000_000_000

_BUCKET: Final = (
    f"if({{x}} <= 0, {ZERO_BUCKET}, "
    f"toInt16(ceil(log2(greatest({{x}}, 1) * 1e-9) * {PER_OCTAVE})) - 1)"
)
_WEIGHT: Final = "if(SamplingWeight > 0, SamplingWeight, 1)"
_PATHS: Final = "(SELECT * FROM tracer_paths LIMIT 1 BY PathId)"

# Single spans by operation and caller, from facts that start in [start, end).
OPERATIONS_FROM_FACTS: Final = f"""
SELECT {{period}} AS PeriodNs, TenantId, Environment, ServiceNamespace, ServiceName, Operation,
    SpanKind, Outcome, CallerServiceName, CallerOperation,
    sum(n) AS Spans, sum(w) AS Weight, sum(w2) AS Weight2,
    mapFromArrays(groupArray(Bucket), groupArray(w)) AS Buckets,
    mapFromArrays(groupArray(Bucket), groupArray(exemplar)) AS Exemplars
FROM (
    SELECT {{period}} AS PeriodNs, p.TenantId AS TenantId, p.Environment AS Environment,
        p.ServiceNamespace AS ServiceNamespace, p.ServiceName AS ServiceName,
        p.Operation AS Operation, p.SpanKind AS SpanKind,
        if(f.Failed = 1, 'error', 'ok') AS Outcome,
        c.ServiceName AS CallerServiceName, c.Operation AS CallerOperation, f.Bucket AS Bucket,
        toFloat64(sum(f.Calls)) AS n, sum(f.Calls * f.W) AS w, sum(f.Calls * f.W * f.W) AS w2,
        min(f.TraceId) AS exemplar
    FROM (
        SELECT TraceId, StartNs, {_WEIGHT} AS W, PathId, Failed, Bucket, Calls
        FROM (SELECT * FROM tracer_facts FINAL
              WHERE IsDeleted = 0 AND StartNs >= {{{{start:Int64}}}} AND StartNs < {{{{end:Int64}}}})
        ARRAY JOIN `Paths.PathId` AS PathId, `Paths.Failed` AS Failed,
            `Paths.Bucket` AS Bucket, `Paths.Calls` AS Calls
    ) AS f
    ANY LEFT JOIN {_PATHS} AS p ON f.PathId = p.PathId
    ANY LEFT JOIN {_PATHS} AS c ON p.ParentPathId = c.PathId
    GROUP BY ALL
)
GROUP BY ALL
"""

# What one trace spends on a call path, from facts that start in [start, end).
SUMS_FROM_FACTS: Final = f"""
SELECT PeriodNs, PathId, toFloat64(count()) AS Traces, sum(W) AS Weight, sum(W * W) AS Weight2,
    sumMap(map(toUInt32(calls), W)) AS Calls,
    sumMap(map({_BUCKET.format(x="self")}, W)) AS SelfBuckets,
    sumMap(map({_BUCKET.format(x="critical")}, W)) AS CriticalBuckets
FROM (
    SELECT {{period}} AS PeriodNs, TraceId, RootSpanId, any({_WEIGHT}) AS W, PathId,
        sum(Calls) AS calls, sum(SelfNs) AS self, sum(CriticalNs) AS critical
    FROM (SELECT * FROM tracer_facts FINAL
          WHERE IsDeleted = 0 AND StartNs >= {{{{start:Int64}}}} AND StartNs < {{{{end:Int64}}}})
    ARRAY JOIN `Paths.PathId` AS PathId, `Paths.Calls` AS Calls,
        `Paths.SelfNs` AS SelfNs, `Paths.CriticalNs` AS CriticalNs
    GROUP BY PeriodNs, TraceId, RootSpanId, PathId
)
GROUP BY PeriodNs, PathId
"""

_OPERATION_KEYS: Final = (
    "TenantId, Environment, ServiceNamespace, ServiceName, Operation, SpanKind, Outcome, "
    "CallerServiceName, CallerOperation"
)
_MERGED_OPERATIONS: Final = (
    "sum(Spans) AS Spans, sum(Weight) AS Weight, sum(Weight2) AS Weight2, "
    "sumMap(Buckets) AS Buckets"
)
_MERGED_SUMS: Final = (
    "sum(Traces) AS Traces, sum(Weight) AS Weight, sum(Weight2) AS Weight2, "
    "sumMap(Calls) AS Calls, sumMap(SelfBuckets) AS SelfBuckets, "
    "sumMap(CriticalBuckets) AS CriticalBuckets"
)


@dataclass(frozen=True)
class Window:
    """A span of time to read histograms for: `[start_ns, end_ns)`."""

    start_ns: int
    end_ns: int


def _period(grain_ns: int) -> str:
    return f"intDiv(StartNs, {grain_ns}) * {grain_ns}"


def current(table: str, grain: str) -> str:
    """Rows of a cache that count: those whose version its period names."""
    return (
        f"(SELECT * FROM {table} WHERE Grain = '{grain}' "
        "AND PeriodNs >= {start:Int64} AND PeriodNs < {end:Int64} "
        "AND (PeriodNs, Version) IN (SELECT PeriodNs, max(Version) FROM tracer_rollups "
        f"WHERE Grain = '{grain}' AND AnalysisVersion = {ANALYSIS_VERSION} "
        "AND PeriodNs >= {start:Int64} AND PeriodNs < {end:Int64} GROUP BY PeriodNs))"
    )


def touched_minutes(engine: Engine, *, after_version_ns: int, until_ns: int) -> list[int]:
    """Minutes, closed before `until_ns`, with facts newer than `after_version_ns`."""
    rows = engine.rows(
        f"SELECT DISTINCT {_period(MINUTE_NS)} AS minute FROM tracer_facts "
        "WHERE Version > {after:UInt64} AND StartNs < {until:Int64} ORDER BY minute",
        {"after": after_version_ns, "until": until_ns},
    )
    return [int(row[0]) for row in rows]


def roll_up_minute(engine: Engine, minute_ns: int, *, version_ns: int) -> None:
    """Recomputes one minute from facts under a new version."""
    window = {"start": minute_ns, "end": minute_ns + MINUTE_NS}
    for table, select in (
        ("tracer_operations", OPERATIONS_FROM_FACTS),
        ("tracer_path_sums", SUMS_FROM_FACTS),
    ):
        sql = select.format(period=str(minute_ns))
        _store(engine, table, "minute", sql, window, version_ns)
    _mark(engine, "minute", minute_ns, version_ns)


def roll_up_hour(engine: Engine, hour_ns: int, *, version_ns: int) -> None:
    """Recomputes one hour from its minutes under a new version."""
    window = {"start": hour_ns, "end": hour_ns + HOUR_NS}
    operations = (
        f"SELECT toInt64({hour_ns}) AS PeriodNs, {_OPERATION_KEYS}, {_MERGED_OPERATIONS}, "
        "arrayFold((found, one) -> mapUpdate(found, one), groupArray(Exemplars), "
        "CAST(map(), 'Map(Int16, String)')) "
        f"AS Exemplars FROM {current('tracer_operations', 'minute')} GROUP BY {_OPERATION_KEYS}"
    )
    sums = (
        f"SELECT toInt64({hour_ns}) AS PeriodNs, PathId, {_MERGED_SUMS} "
        f"FROM {current('tracer_path_sums', 'minute')} GROUP BY PathId"
    )
    _store(engine, "tracer_operations", "hour", operations, window, version_ns)
    _store(engine, "tracer_path_sums", "hour", sums, window, version_ns)
    _mark(engine, "hour", hour_ns, version_ns)


def _store(
    engine: Engine, table: str, grain: str, select: str, window: dict[str, int], version_ns: int
) -> None:
    rows = engine.arrow(select, window)
    if rows.num_rows == 0:
        return
    count = rows.num_rows
    rows = rows.append_column("Grain", pa.array([grain] * count))
    rows = rows.append_column("Version", pa.array(np.full(count, version_ns, np.uint64)))
    rows = rows.append_column(
        "AnalysisVersion", pa.array(np.full(count, ANALYSIS_VERSION, np.uint16))
    )
    engine.insert(table, rows)


def _mark(engine: Engine, grain: str, period_ns: int, version_ns: int) -> None:
    engine.insert(
        "tracer_rollups",
        pa.table(
            {
                "Grain": [grain],
                "PeriodNs": np.array([period_ns], np.int64),
                "Version": np.array([version_ns], np.uint64),
                "AnalysisVersion": np.array([ANALYSIS_VERSION], np.uint16),
            }
        ),
    )


@dataclass(frozen=True)
class RolledUntil:
    """Caches are complete for periods that end at or before these times; 0 = none yet."""

    minute_ns: int
    hour_ns: int


def rolled_until(engine: Engine) -> RolledUntil:
    """How far the caches reach. Periods are rolled up in order of time."""
    rows = dict(
        engine.rows("SELECT toString(Grain), max(PeriodNs) FROM tracer_rollups GROUP BY Grain")
    )
    minute, hour = rows.get("minute"), rows.get("hour")
    return RolledUntil(
        0 if minute is None else int(minute) + MINUTE_NS, 0 if hour is None else int(hour) + HOUR_NS
    )


def stale_hours(engine: Engine, *, until_ns: int) -> list[int]:
    """Hours, closed before `until_ns`, that lack a rollup as new as their newest minute."""
    rows = engine.rows(
        f"SELECT intDiv(PeriodNs, {HOUR_NS}) * {HOUR_NS} AS hour, "
        "maxIf(Version, Grain = 'minute') AS minutes, maxIf(Version, Grain = 'hour') AS hours "
        "FROM tracer_rollups GROUP BY hour "
        f"HAVING minutes > hours AND hour + {HOUR_NS} <= {{until:Int64}} ORDER BY hour",
        {"until": until_ns},
    )
    return [int(row[0]) for row in rows]


def pieces(window: Window, rolled: RolledUntil) -> list[tuple[str, Window]]:
    """How a window is read: whole hours and minutes from caches, the edges from facts."""
    found: list[tuple[str, Window]] = []
    low, high = window.start_ns, min(window.end_ns, rolled.minute_ns)
    first_minute = -(-low // MINUTE_NS) * MINUTE_NS
    last_minute = high // MINUTE_NS * MINUTE_NS
    if first_minute >= last_minute:
        return [("facts", window)] if window.end_ns > window.start_ns else []
    first_hour = -(-first_minute // HOUR_NS) * HOUR_NS
    last_hour = min(last_minute, rolled.hour_ns) // HOUR_NS * HOUR_NS
    if first_hour < last_hour:
        found.append(("minute", Window(first_minute, first_hour)))
        found.append(("hour", Window(first_hour, last_hour)))
        found.append(("minute", Window(last_hour, last_minute)))
    else:
        found.append(("minute", Window(first_minute, last_minute)))
    found.append(("facts", Window(low, first_minute)))
    found.append(("facts", Window(last_minute, window.end_ns)))
    return [(source, piece) for source, piece in found if piece.end_ns > piece.start_ns]


def read_operations(
    engine: Engine, source: str, window: Window, where: str, parameters: dict[str, Any]
) -> pa.Table:
    """Histograms of span durations by operation, outcome and caller, over one piece of a window."""
    rows = (
        f"({_facts(OPERATIONS_FROM_FACTS)})"
        if source == "facts"
        else current("tracer_operations", source)
    )
    return engine.arrow(
        f"SELECT {_OPERATION_KEYS}, {_MERGED_OPERATIONS} FROM {rows} WHERE {where} "
        f"GROUP BY {_OPERATION_KEYS}",
        {**parameters, "start": window.start_ns, "end": window.end_ns},
    )


def read_path_sums(engine: Engine, source: str, window: Window, path_ids: list[int]) -> pa.Table:
    """Histograms of what a trace spends by call path, over one piece of a window."""
    rows = (
        f"({_facts(SUMS_FROM_FACTS)})" if source == "facts" else current("tracer_path_sums", source)
    )
    return engine.arrow(
        f"SELECT PathId, {_MERGED_SUMS} FROM {rows} WHERE PathId IN {{paths:Array(UInt64)}} "
        "GROUP BY PathId",
        {"paths": path_ids, "start": window.start_ns, "end": window.end_ns},
    )


def _facts(select: str) -> str:
    return select.format(period="toInt64(0)")
