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
from tracer.store.entries import PATHS, sum_by_path
from tracer.store.loose import ANYTHING, Floors, read_floors
from tracer.units import HOUR_NS, MINUTE_NS

FROM_FACTS: Final = ("facts", "loose")  # sources of `pieces`; the others are grains of caches
_BUCKET: Final = (
    f"if({{x}} <= 0, {ZERO_BUCKET}, "
    f"toInt16(ceil(log2(greatest({{x}}, 1) * 1e-9) * {PER_OCTAVE})) - 1)"
)
_WEIGHT: Final = "if(SamplingWeight > 0, SamplingWeight, 1)"
_PATHS: Final = "(SELECT * FROM tracer_paths LIMIT 1 BY PathId)"

# Single spans by operation and caller, from the facts `inside` a range of starts. Summed by path
# before names are joined: there are millions of entries and some hundred paths.
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
        sum(f.N) AS n, sum(f.W) AS w, sum(f.W2) AS w2, min(f.Exemplar) AS exemplar
    FROM (
        SELECT PathId, Failed, Bucket, toFloat64(sum(Calls)) AS N, sum(Calls * Each) AS W,
            sum(Calls * Each * Each) AS W2, min(TraceId) AS Exemplar
        FROM (SELECT *, {_WEIGHT} AS Each FROM tracer_facts FINAL
              WHERE IsDeleted = 0 AND {{inside}})
        ARRAY JOIN `Paths.PathId` AS PathId, `Paths.Failed` AS Failed,
            `Paths.Bucket` AS Bucket, `Paths.Calls` AS Calls
        GROUP BY PathId, Failed, Bucket
    ) AS f
    ANY LEFT JOIN {_PATHS} AS p ON f.PathId = p.PathId
    ANY LEFT JOIN {_PATHS} AS c ON p.ParentPathId = c.PathId
    GROUP BY ALL
)
GROUP BY ALL
"""

# What one trace spends on a call path, from the facts `inside` a range of starts.
SUMS_FROM_FACTS: Final = f"""
SELECT {{period}} AS PeriodNs, PathId, Traces, Weight, Weight2, Calls, SelfBuckets,
    CriticalBuckets, DurationBuckets, SpanWeight2
FROM (
    SELECT PathId, toFloat64(count()) AS Traces, sum(W) AS Weight, sum(W * W) AS Weight2,
        sumMap(map(toUInt32(calls), W)) AS Calls,
        sumMap(map({_BUCKET.format(x="self")}, W)) AS SelfBuckets,
        sumMap(map({_BUCKET.format(x="critical")}, W)) AS CriticalBuckets
    FROM (SELECT *, {_WEIGHT} AS W FROM tracer_facts FINAL WHERE IsDeleted = 0 AND {{inside}})
    ARRAY JOIN {PATHS} AS PathId,
        {sum_by_path("`Paths.Calls`")} AS calls, {sum_by_path("`Paths.SelfNs`")} AS self,
        {sum_by_path("`Paths.CriticalNs`")} AS critical
    GROUP BY PathId
) AS sums
INNER JOIN (
    SELECT PathId, mapFromArrays(groupArray(Bucket), groupArray(w)) AS DurationBuckets,
        sum(w2) AS SpanWeight2
    FROM (
        SELECT PathId, Bucket, sum(Calls * W) AS w, sum(Calls * W * W) AS w2
        FROM (SELECT *, {_WEIGHT} AS W FROM tracer_facts FINAL WHERE IsDeleted = 0 AND {{inside}})
        ARRAY JOIN `Paths.PathId` AS PathId, `Paths.Bucket` AS Bucket, `Paths.Calls` AS Calls
        GROUP BY PathId, Bucket
        ORDER BY PathId, Bucket
    )
    GROUP BY PathId
) AS durations USING (PathId)
"""

_OPERATION_KEYS: Final = (
    "TenantId, Environment, ServiceNamespace, ServiceName, Operation, SpanKind, Outcome, "
    "CallerServiceName, CallerOperation"
)
_MERGED_OPERATIONS: Final = (
    "sum(r.Spans) AS Spans, sum(r.Weight) AS Weight, sum(r.Weight2) AS Weight2, "
    "sumMap(r.Buckets) AS Buckets"
)
_MERGED_SUMS: Final = (
    "sum(r.Traces) AS Traces, sum(r.Weight) AS Weight, sum(r.Weight2) AS Weight2, "
    "sumMap(r.Calls) AS Calls, sumMap(r.SelfBuckets) AS SelfBuckets, "
    "sumMap(r.CriticalBuckets) AS CriticalBuckets, "
    "sumMap(r.DurationBuckets) AS DurationBuckets, sum(r.SpanWeight2) AS SpanWeight2"
)


@dataclass(frozen=True)
class Window:
    """A span of time to read histograms for: `[start_ns, end_ns)`."""

    start_ns: int
    end_ns: int


def _from_facts(select: str, window: Window, period: str = "toInt64(0)", only: str = "1") -> str:
    inside = f"StartNs >= {window.start_ns} AND StartNs < {window.end_ns} AND {only}"
    return select.format(period=period, inside=inside)


def _current(table: str, grain: str, window: Window) -> str:
    """Rows of a cache that count: those whose version its period names."""
    inside = f"Grain = '{grain}' AND PeriodNs >= {window.start_ns} AND PeriodNs < {window.end_ns}"
    return (
        f"SELECT * FROM {table} WHERE {inside} "
        "AND (PeriodNs, Version) IN (SELECT PeriodNs, max(Version) FROM tracer_rollups "
        f"WHERE {inside} AND AnalysisVersion = {ANALYSIS_VERSION} GROUP BY PeriodNs)"
    )


def touched_minutes(engine: Engine, floors: Floors, *, after_version_ns: int) -> list[int]:
    """Minutes with facts newer than `after_version_ns`, or rolled up by another analysis.

    Of the latter only those whose facts are all there still: the others cannot be computed anew.
    """
    rows = engine.rows(
        f"SELECT DISTINCT intDiv(StartNs, {MINUTE_NS}) * {MINUTE_NS} AS minute FROM tracer_facts "
        f"WHERE Version > {{after:UInt64}} AND NOT {floors.loose_sql()} UNION DISTINCT "
        "SELECT PeriodNs FROM tracer_rollups WHERE Grain = 'minute' "
        "AND PeriodNs >= {from:Int64} GROUP BY PeriodNs "
        "HAVING argMax(AnalysisVersion, Version) != {analysis:UInt16}",
        {
            "after": after_version_ns,
            "analysis": ANALYSIS_VERSION,
            "from": max(floors.loose_below_ns, floors.minutes_from_ns),
        },
    )
    return sorted(int(row[0]) for row in rows)


def roll_up_minute(
    engine: Engine, minute_ns: int, *, version_ns: int, floors: Floors = ANYTHING
) -> None:
    """Recomputes one minute from its facts, without loose ones, under a new version."""
    window = Window(minute_ns, minute_ns + MINUTE_NS)
    period = f"toInt64({minute_ns})"
    stamp = Stamp("minute", version_ns)
    only = f"NOT {floors.loose_sql()}"
    operations = _from_facts(OPERATIONS_FROM_FACTS, window, period, only)
    _store(engine, "tracer_operations", operations, stamp)
    _store(engine, "tracer_path_sums", _from_facts(SUMS_FROM_FACTS, window, period, only), stamp)
    _mark(engine, minute_ns, stamp)


def roll_up_hour(engine: Engine, hour_ns: int, *, version_ns: int) -> None:
    """Recomputes one hour from its minutes under a new version."""
    window = Window(hour_ns, hour_ns + HOUR_NS)
    stamp = Stamp("hour", version_ns)
    operations = (
        f"SELECT toInt64({hour_ns}) AS PeriodNs, {_OPERATION_KEYS}, {_MERGED_OPERATIONS}, "
        "arrayFold((found, one) -> mapUpdate(found, one), groupArray(r.Exemplars), "
        "CAST(map(), 'Map(Int16, String)')) AS Exemplars "
        f"FROM ({_current('tracer_operations', 'minute', window)}) AS r GROUP BY {_OPERATION_KEYS}"
    )
    sums = (
        f"SELECT toInt64({hour_ns}) AS PeriodNs, PathId, {_MERGED_SUMS} "
        f"FROM ({_current('tracer_path_sums', 'minute', window)}) AS r GROUP BY PathId"
    )
    _store(engine, "tracer_operations", operations, stamp)
    _store(engine, "tracer_path_sums", sums, stamp)
    _mark(engine, hour_ns, stamp)


@dataclass(frozen=True)
class Stamp:
    """What marks the rows of one computation of one period."""

    grain: str
    version_ns: int


def _store(engine: Engine, table: str, select: str, stamp: Stamp) -> None:
    rows = engine.arrow(select)
    count = rows.num_rows
    if count == 0:
        return
    rows = rows.append_column("Grain", pa.array([stamp.grain] * count))
    rows = rows.append_column("Version", pa.array(np.full(count, stamp.version_ns, np.uint64)))
    rows = rows.append_column(
        "AnalysisVersion", pa.array(np.full(count, ANALYSIS_VERSION, np.uint16))
    )
    engine.insert(table, rows)


def _mark(engine: Engine, period_ns: int, stamp: Stamp) -> None:
    engine.insert(
        "tracer_rollups",
        pa.table(
            {
                "Grain": [stamp.grain],
                "PeriodNs": np.array([period_ns], np.int64),
                "Version": np.array([stamp.version_ns], np.uint64),
                "AnalysisVersion": np.array([ANALYSIS_VERSION], np.uint16),
            }
        ),
    )


@dataclass(frozen=True)
class RolledUntil:
    """Caches are complete for periods that end at or before these times; 0 = none yet.

    Before `floors.loose_below_ns` there may be facts beside them that they do not hold.
    """

    minute_ns: int
    hour_ns: int
    floors: Floors = ANYTHING


def rolled_until(engine: Engine) -> RolledUntil:
    """How far the caches reach. Periods are rolled up in order of time."""
    rows = engine.rows(
        "SELECT toString(Grain), max(PeriodNs) FROM tracer_rollups "
        f"WHERE AnalysisVersion = {ANALYSIS_VERSION} GROUP BY Grain"
    )
    last = {str(grain): int(period_ns) for grain, period_ns in rows}
    return RolledUntil(
        last.get("minute", -MINUTE_NS) + MINUTE_NS,
        last.get("hour", -HOUR_NS) + HOUR_NS,
        read_floors(engine),
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
    """How a window is read: whole hours and minutes from caches, the edges from facts.

    Below the floor the caches are all there is of what was live then, and loose facts come on top.
    """
    floor_ns = rolled.floors.loose_below_ns
    old = Window(window.start_ns, min(window.end_ns, floor_ns))
    young = Window(max(window.start_ns, floor_ns), window.end_ns)
    whole_minutes = _whole(young, MINUTE_NS, rolled.minute_ns)
    found = [
        ("loose", old),
        *_cached(old, rolled),
        *_cached(young, rolled),
        ("facts", Window(young.start_ns, whole_minutes.start_ns)),
        ("facts", Window(whole_minutes.end_ns, young.end_ns)),
    ]
    return [(source, piece) for source, piece in found if piece.end_ns > piece.start_ns]


def _cached(window: Window, rolled: RolledUntil) -> list[tuple[str, Window]]:
    """Whole hours from hours, whole minutes around them from minutes where there are any."""
    minutes = _whole(window, MINUTE_NS, rolled.minute_ns)
    hours = _whole(window, HOUR_NS, min(minutes.end_ns, rolled.hour_ns))
    if hours.end_ns <= hours.start_ns:
        hours = Window(minutes.end_ns, minutes.end_ns)
    first_ns = min(max(minutes.start_ns, rolled.floors.minutes_from_ns), hours.start_ns)
    return [
        ("minute", Window(first_ns, hours.start_ns)),
        ("hour", hours),
        ("minute", Window(max(hours.end_ns, rolled.floors.minutes_from_ns), minutes.end_ns)),
    ]


def _whole(window: Window, step_ns: int, until_ns: int) -> Window:
    """The whole steps of the window that end at or before `until_ns`; empty: at its start."""
    first_ns = -(-window.start_ns // step_ns) * step_ns
    last_ns = min(window.end_ns, until_ns) // step_ns * step_ns
    if first_ns >= last_ns:
        return Window(window.start_ns, window.start_ns)
    return Window(first_ns, last_ns)


def read_operations(
    engine: Engine, window: Window, where: str, parameters: dict[str, Any]
) -> pa.Table:
    """Histograms of span durations by operation, outcome and caller."""
    rows = _sources(engine, window, "tracer_operations", OPERATIONS_FROM_FACTS)
    return engine.arrow(
        f"SELECT {_OPERATION_KEYS}, {_MERGED_OPERATIONS}, "
        "arrayFirst(one -> 1, mapValues(argMax(r.Exemplars, r.Spans))) AS Exemplar "
        f"FROM ({rows}) AS r WHERE {where} GROUP BY {_OPERATION_KEYS} "
        f"ORDER BY {_OPERATION_KEYS}",
        parameters,
    )


def read_path_sums(engine: Engine, window: Window, path_ids: list[int]) -> pa.Table:
    """Histograms of what a trace spends, by call path; rows sorted by PathId."""
    rows = _sources(engine, window, "tracer_path_sums", SUMS_FROM_FACTS)
    return engine.arrow(
        f"SELECT PathId, {_MERGED_SUMS} FROM ({rows}) AS r WHERE PathId IN {{paths:Keys}} "
        "GROUP BY PathId ORDER BY PathId",
        {"paths": path_ids},
    )


def _sources(engine: Engine, window: Window, table: str, select: str) -> str:
    columns = {
        "tracer_operations": f"{_OPERATION_KEYS}, Spans, Weight, Weight2, Buckets, Exemplars",
        "tracer_path_sums": "PathId, Traces, Weight, Weight2, Calls, SelfBuckets, "
        "CriticalBuckets, DurationBuckets, SpanWeight2",
    }[table]
    rolled = rolled_until(engine)
    parts = [
        _from_facts(select, piece, only=_only(source, rolled))
        if source in FROM_FACTS
        else _current(table, source, piece)
        for source, piece in pieces(window, rolled)
    ]
    return " UNION ALL ".join(f"SELECT {columns} FROM ({part})" for part in parts)


def _only(source: str, rolled: RolledUntil) -> str:
    return rolled.floors.loose_sql() if source == "loose" else "1"


def count_traces(engine: Engine, window: Window) -> int:
    """How many roots start in the window, caches first."""
    total = 0
    rolled = rolled_until(engine)
    for source, piece in pieces(window, rolled):
        if source in FROM_FACTS:
            sql = (
                "SELECT count() FROM tracer_facts FINAL WHERE IsDeleted = 0 "
                f"AND StartNs >= {piece.start_ns} AND StartNs < {piece.end_ns} "
                f"AND {_only(source, rolled)}"
            )
        else:
            roots = "PathId IN (SELECT PathId FROM tracer_paths WHERE ParentPathId = 0)"
            rows = _current("tracer_path_sums", source, piece)
            sql = f"SELECT toUInt64(sum(Traces)) FROM ({rows}) WHERE {roots}"
        total += int(engine.rows(sql)[0][0])
    return total
