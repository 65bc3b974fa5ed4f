"""Trace facts to and from the store. A newer version of a (trace, root) replaces the older."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.facts import ANALYSIS_VERSION, PathTable, TraceFacts
from tracer.columns.ids import hex_text
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.spans import ServiceIdentity
from tracer.store.engine import Engine
from tracer.store.writer import ANY_PARTITIONS
from tracer.units import DAY_NS

ENTRIES = ("PathId", "Failed", "Bucket", "Calls", "SelfNs", "CriticalNs")
PATHS_RENEWED_NS = 30 * DAY_NS
_COUNTS = {
    "SpanCount": "span_count",
    "ServiceCount": "service_count",
    "ErrorCount": "error_count",
    "OrphanCount": "orphan_count",
    "DuplicateCount": "duplicate_count",
    "OverrunCount": "overrun_count",
    "CycleCount": "cycle_count",
    "DroppedCount": "dropped_count",
    "SkewedCount": "skewed_count",
    "AmbiguousCount": "ambiguous_count",
    "LateCount": "late_count",
}


def write_facts(
    engine: Engine, facts: TraceFacts, *, version_ns: int, are_new: bool = False
) -> list[int]:
    """Replaces what is known of every trace in `facts`; gives the starts of roots taken back.

    `are_new`: nothing is known of any of them, and need not be looked for.
    The paths are written first, so that no fact names a path that nobody knows.
    """
    if len(facts) == 0:
        return []
    _write_paths(engine, facts.paths, version_ns)
    trace_id = hex_text(facts.trace_hi, facts.trace_lo)
    table = _table(facts, trace_id, version_ns)
    gone = None if are_new else _gone(engine, table, version_ns)
    if gone is not None:
        table = pa.concat_tables([table, gone.select(table.schema.names).cast(table.schema)])
    engine.insert("tracer_facts", table, ANY_PARTITIONS)
    return [] if gone is None else [int(start) for start in gone["StartNs"].to_pylist()]


def _table(facts: TraceFacts, trace_id: pa.Array, version_ns: int) -> pa.Table:
    root = np.searchsorted(facts.paths.path_id, facts.root_path_id)
    services = [facts.paths.service[row] for row in root]
    rows = len(facts)
    columns: dict[str, Any] = {
        "TenantId": [service.tenant for service in services],
        "TraceId": trace_id,
        "RootSpanId": hex_text(facts.root_span_id),
        "RootPathId": facts.root_path_id,
        "Environment": [service.environment for service in services],
        "ServiceNamespace": [service.namespace for service in services],
        "ServiceName": [service.name for service in services],
        "Operation": [facts.paths.operation[row] for row in root],
        "SpanKind": [SPAN_KINDS[facts.paths.kind[row]] for row in root],
        "ServiceVersion": list(facts.version),
        "Outcome": np.where(facts.failed, "error", "ok").tolist(),
        "IsMain": facts.is_main.astype(np.uint8),
        "RootMissing": facts.root_missing.astype(np.uint8),
        "StartNs": facts.start_ns,
        "DurationNs": facts.duration_ns,
        "SamplingWeight": facts.weight,
        **{name: getattr(facts, field) for name, field in _COUNTS.items()},
        "AnalysisVersion": np.full(rows, ANALYSIS_VERSION, np.uint16),
        "Version": np.full(rows, version_ns, np.uint64),
        "IsDeleted": np.zeros(rows, np.uint8),
    }
    offsets = pa.array(facts.offset.astype(np.int32))
    entries = (
        facts.path_id,
        facts.entry_failed.astype(np.uint8),
        facts.bucket,
        facts.calls,
        facts.self_ns,
        facts.critical_ns,
    )
    for name, values in zip(ENTRIES, entries, strict=True):
        columns[f"Paths.{name}"] = pa.ListArray.from_arrays(offsets, pa.array(values))
    return pa.table(columns)


def _gone(engine: Engine, table: pa.Table, version_ns: int) -> pa.Table | None:
    """Tombstones for known roots of these traces that the new analysis does not have.

    The newest row of each root in each partition, without FINAL: that would read all facts.
    """
    hour = 3_600_000_000_000  # rows replace each other within their partition only
    known = engine.arrow(
        "SELECT * REPLACE (1 AS IsDeleted, {version:UInt64} AS Version) FROM "
        "(SELECT * FROM "
        "(SELECT * FROM tracer_facts WHERE TraceId IN {ids:Ids} ORDER BY Version DESC "
        f"LIMIT 1 BY TraceId, RootSpanId, intDiv(StartNs, {hour})) WHERE IsDeleted = 0)",
        {"ids": table["TraceId"].unique().to_pylist(), "version": version_ns},
    )
    if known.num_rows == 0:
        return None
    kept = {
        (trace, root, start // hour)
        for trace, root, start in zip(
            table["TraceId"].to_pylist(),
            table["RootSpanId"].to_pylist(),
            table["StartNs"].to_pylist(),
            strict=True,
        )
    }
    mask = [
        (trace, root, start // hour) not in kept
        for trace, root, start in zip(
            known["TraceId"].to_pylist(),
            known["RootSpanId"].to_pylist(),
            known["StartNs"].to_pylist(),
            strict=True,
        )
    ]
    return known.filter(pa.array(mask, pa.bool_())) if any(mask) else None


def _write_paths(engine: Engine, paths: PathTable, now_ns: int) -> None:
    """Paths that are new, or were not written for long: retention counts from the last time."""
    known = engine.arrow(
        "SELECT DISTINCT PathId FROM tracer_paths WHERE PathId IN {ids:Keys} "
        "AND LastSeenNs > {since:Int64}",
        {"ids": paths.path_id.tolist(), "since": now_ns - PATHS_RENEWED_NS},
    )["PathId"].to_numpy()
    new = np.flatnonzero(~np.isin(paths.path_id, known))
    if len(new) == 0:
        return
    services = [paths.service[row] for row in new]
    engine.insert(
        "tracer_paths",
        pa.table(
            {
                "PathId": paths.path_id[new],
                "ParentPathId": paths.parent_path_id[new],
                "TenantId": [service.tenant for service in services],
                "Environment": [service.environment for service in services],
                "ServiceNamespace": [service.namespace for service in services],
                "ServiceName": [service.name for service in services],
                "Operation": [paths.operation[row] for row in new],
                "SpanKind": [SPAN_KINDS[paths.kind[row]] for row in new],
                "FirstSeenNs": np.full(len(new), now_ns, np.int64),
                "LastSeenNs": np.full(len(new), now_ns, np.int64),
            }
        ),
    )


def read_paths(engine: Engine, path_ids: NDArray[np.uint64] | None = None) -> PathTable:
    """The named call paths and their ancestors (all of them when None), sorted by id."""
    where, parameters = "", {}
    if path_ids is not None:
        where = "WHERE PathId IN {ids:Keys}"
        parameters = {"ids": _with_ancestors(engine, path_ids).tolist()}
    table = engine.arrow(
        "SELECT PathId, ParentPathId, toString(TenantId) AS TenantId, "
        "toString(Environment) AS Environment, toString(ServiceNamespace) AS ServiceNamespace, "
        "toString(ServiceName) AS ServiceName, toString(Operation) AS Operation, "
        f"toString(SpanKind) AS SpanKind FROM tracer_paths {where} "
        "ORDER BY PathId LIMIT 1 BY PathId",
        parameters,
    )
    identity = zip(
        *(
            table[name].to_pylist()
            for name in ("TenantId", "Environment", "ServiceNamespace", "ServiceName")
        ),
        strict=True,
    )
    return PathTable(
        path_id=table["PathId"].to_numpy().astype(np.uint64),
        parent_path_id=table["ParentPathId"].to_numpy().astype(np.uint64),
        kind=np.array([SPAN_KINDS.index(kind) for kind in table["SpanKind"].to_pylist()], np.int8),
        service=tuple(ServiceIdentity(*row) for row in identity),
        operation=tuple(table["Operation"].to_pylist()),
    )


def read_names(engine: Engine) -> list[tuple[ServiceIdentity, str]]:
    """Every (service, operation) that a call path is known of."""
    rows = engine.rows(
        "SELECT DISTINCT TenantId, Environment, ServiceNamespace, ServiceName, Operation "
        "FROM tracer_paths"
    )
    return [(ServiceIdentity(*map(str, row[:4])), str(row[4])) for row in rows]


def _with_ancestors(engine: Engine, path_ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The known ones of `path_ids` and all paths above them, ascending.

    Every edge is read at once: a recursive query costs a pass over the table for each level, and
    may have a thousand levels only. Each round here doubles how far up the tree it has looked.
    """
    edges = engine.arrow(
        "SELECT PathId, any(ParentPathId) AS above FROM tracer_paths GROUP BY PathId "
        "ORDER BY PathId"
    )
    every: NDArray[np.uint64] = edges["PathId"].to_numpy().astype(np.uint64)
    parents = edges["above"].to_numpy().astype(np.uint64)
    nowhere = len(every)
    above = np.searchsorted(every, parents)
    above[~np.isin(parents, every)] = nowhere
    above = np.append(above, nowhere)
    wanted = np.append(np.isin(every, path_ids), False)
    while True:
        found = wanted.copy()
        found[above[wanted]] = True
        found[nowhere] = False
        if (found == wanted).all():
            known: NDArray[np.uint64] = every[wanted[:nowhere]]
            return known
        wanted, above = found, above[above]


def read_facts(
    engine: Engine, where: str, parameters: Mapping[str, Any], *, order: str, limit: int
) -> TraceFacts:
    """Current facts that match, at most `limit`, in the order asked for."""
    table = engine.arrow(
        "SELECT reinterpretAsUInt64(reverse(unhex(substring(TraceId, 1, 16)))) AS trace_hi, "
        "reinterpretAsUInt64(reverse(unhex(substring(TraceId, 17, 16)))) AS trace_lo, "
        "reinterpretAsUInt64(reverse(unhex(RootSpanId))) AS root_span_id, "
        "RootPathId, StartNs, DurationNs, IsMain, RootMissing, Outcome = 'error' AS FailedRoot, "
        f"{', '.join(_COUNTS)}, SamplingWeight, toString(ServiceVersion) AS ServiceVersion, "
        f"{', '.join(f'`Paths.{name}`' for name in ENTRIES)} "
        f"FROM tracer_facts FINAL WHERE IsDeleted = 0 AND ({where}) ORDER BY {order} LIMIT {limit}",
        parameters,
    )
    entry = {name: _list(table[f"Paths.{name}"]) for name in ENTRIES}
    offsets = entry["PathId"][0]

    def numbers(name: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy())

    path_id = entry["PathId"][1].astype(np.uint64)
    return TraceFacts(
        trace_hi=numbers("trace_hi"),
        trace_lo=numbers("trace_lo"),
        root_span_id=numbers("root_span_id"),
        root_path_id=numbers("RootPathId"),
        start_ns=numbers("StartNs"),
        duration_ns=numbers("DurationNs"),
        is_main=numbers("IsMain").astype(bool),
        root_missing=numbers("RootMissing").astype(bool),
        failed=numbers("FailedRoot").astype(bool),
        weight=numbers("SamplingWeight"),
        version=tuple(table["ServiceVersion"].to_pylist()),
        offset=offsets,
        path_id=path_id,
        entry_failed=entry["Failed"][1].astype(bool),
        bucket=entry["Bucket"][1].astype(np.int16),
        calls=entry["Calls"][1].astype(np.uint32),
        self_ns=entry["SelfNs"][1].astype(np.int64),
        critical_ns=entry["CriticalNs"][1].astype(np.int64),
        paths=read_paths(engine, np.concatenate([path_id, numbers("RootPathId")])),
        **{field: numbers(name) for name, field in _COUNTS.items()},
    )


def has_facts(engine: Engine, trace_id: str) -> bool:
    """Whether the trace has been analysed."""
    rows = engine.rows(
        "SELECT count() FROM tracer_facts WHERE TraceId = {id:String}", {"id": trace_id}
    )
    return bool(rows[0][0])


def _list(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[Any]]:
    chunks = column.chunks
    lengths = [np.diff(chunk.offsets.to_numpy()) for chunk in chunks]
    values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    offsets = np.zeros(len(column) + 1, np.int64)
    if chunks:
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
    return offsets, np.concatenate(values) if values else np.zeros(0, np.int64)


def read_state(engine: Engine, name: str) -> int:
    """A named number that survives restarts, 0 when never written."""
    return read_states(engine, [name])[name]


def read_states(engine: Engine, names: Sequence[str]) -> dict[str, int]:
    """As `read_state`, of many."""
    rows = engine.rows(
        "SELECT Name, argMax(Value, Version) FROM tracer_state "
        "WHERE Name IN {names:Array(String)} GROUP BY Name",
        {"names": list(names)},
    )
    found = {str(name): int(value) for name, value in rows}
    return {name: found.get(name, 0) for name in names}


def write_state(engine: Engine, name: str, value: int, *, version_ns: int) -> None:
    """Remembers a named number."""
    write_states(engine, {name: value}, version_ns=version_ns)


def write_states(engine: Engine, values: Mapping[str, int], *, version_ns: int) -> None:
    """Remembers named numbers, all of them or none."""
    if not values:
        return
    engine.insert(
        "tracer_state",
        pa.table(
            {
                "Name": list(values),
                "Value": np.array(list(values.values()), np.int64),
                "Version": np.full(len(values), version_ns, np.uint64),
            }
        ),
    )
