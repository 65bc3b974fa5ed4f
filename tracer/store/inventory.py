"""What the store holds, table by table, and which parts it had to set aside."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, NamedTuple

from tracer.store.cluster import local
from tracer.store.engine import Engine

log = logging.getLogger("tracer.store")


class Kept(NamedTuple):
    """One table as people know it."""

    table: str
    holds: str
    time_ns: str  # an expression: when a row is of
    retention: tuple[tuple[str, str], ...]  # (setting, what its age counts from)
    budget: bool  # whether the disk budget drops it


TAKEN_IN: Final = "when they were taken in"
TABLES: Final = (
    Kept(
        "otel_traces",
        "spans",
        "toUnixTimestamp64Nano(Timestamp)",
        (("retention_raw", TAKEN_IN),),
        True,
    ),
    Kept(
        "otel_traces_trace_id_ts",
        "what arrived when",
        "StartNs",
        (("retention_raw", TAKEN_IN),),
        True,
    ),
    Kept("tracer_facts", "trace facts", "StartNs", (("retention_facts", "their analysis"),), True),
    Kept(
        "tracer_operations",
        "histograms by operation",
        "PeriodNs",
        (("retention_minutes", "the minute"), ("retention_hours", "the hour")),
        True,
    ),
    Kept(
        "tracer_path_sums",
        "histograms by call path",
        "PeriodNs",
        (("retention_minutes", "the minute"), ("retention_hours", "the hour")),
        True,
    ),
    Kept(
        "tracer_rollups",
        "which histograms count",
        "PeriodNs",
        (("retention_minutes", "the minute"), ("retention_hours", "the hour")),
        False,
    ),
    Kept(
        "tracer_paths",
        "call paths",
        "LastSeenNs",
        (("retention_hours", "they were last seen, two months more"),),
        False,
    ),
    Kept("tracer_state", "watermarks and accounts", "toInt64(Version)", (), False),
    Kept("tracer_members", "processes on a server", "toUnixTimestamp64Nano(SeenAt)", (), False),
    Kept(
        "tracer_migrations", "schema versions", "toUnixTimestamp(AppliedAt) * 1000000000", (), False
    ),
)


@dataclass(frozen=True)
class TableSize:
    """Active parts of one table; no times without rows."""

    rows: int
    bytes: int
    uncompressed_bytes: int
    parts: int
    oldest_ns: int | None
    newest_ns: int | None


def read_sizes(engine: Engine) -> dict[str, TableSize]:
    """By table, in the order of `TABLES`; on a cluster, parts of the server that is asked."""
    parts = {
        str(row[0]): tuple(int(number) for number in row[1:])
        for row in engine.rows(
            "SELECT table, sum(rows), sum(bytes_on_disk), sum(data_uncompressed_bytes), count() "
            "FROM system.parts WHERE database = currentDatabase() AND active GROUP BY table"
        )
    }
    times = " UNION ALL ".join(
        f"SELECT '{one.table}', toInt64(min({one.time_ns})), toInt64(max({one.time_ns})) "
        f"FROM {one.table} HAVING count() > 0"
        for one in TABLES
    )
    bounds = {str(row[0]): (int(row[1]), int(row[2])) for row in engine.rows(times)}
    return {
        one.table: TableSize(
            *parts.get(local(one.table, engine.cluster), (0, 0, 0, 0)),
            *bounds.get(one.table, (None, None)),
        )
        for one in TABLES
    }


@dataclass(frozen=True)
class SetAside:
    """A part that is on disk and not served."""

    table: str
    part: str
    reason: str  # as the engine has it: 'broken-on-start', …; '' = it was found damaged when read
    bytes: int
    since_s: int
    path: str


def read_set_aside(engine: Engine) -> list[SetAside]:
    """All of them, by table and name."""
    rows = engine.rows(
        "SELECT table, name, reason, bytes_on_disk, toUnixTimestamp(modification_time), path "
        "FROM system.detached_parts WHERE database = currentDatabase() ORDER BY table, name"
    )
    return [
        SetAside(str(row[0]), str(row[1]), str(row[2] or ""), int(row[3]), int(row[4]), str(row[5]))
        for row in rows
    ]


def tell_set_aside(engine: Engine) -> None:
    """Names all of them in one line of the log: a warning that repeats is only counted."""
    found = [
        f"part {one.part} of table {one.table} is set aside "
        f"({one.reason or 'damaged when it was read, or detached by hand'}), "
        f"its files are in {one.path}"
        for one in read_set_aside(engine)
    ]
    if found:
        log.warning("their rows are not served: %s", "; ".join(found))
