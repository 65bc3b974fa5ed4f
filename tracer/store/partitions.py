"""What lies on disk, by partition: the unit in which room is made.

Spans, their activity and facts are partitioned by hour, rollups by grain and day. A partition is
dropped as files, at once and without reading it: of all parts of a table those that were merged
away stay on disk for up to a minute, those of a dropped partition do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tracer.store.engine import Engine
from tracer.units import DAY_NS, HOUR_NS

RAW: Final = ("otel_traces", "otel_traces_trace_id_ts")
FACTS: Final = ("tracer_facts",)
ROLLUPS: Final = ("tracer_operations", "tracer_path_sums")
_GRAIN: Final = re.compile(r"\('(\w+)',(-?\d+)\)")


@dataclass(frozen=True)
class Partition:
    """One partition of one table, `[start_ns, end_ns)` of its rows' time."""

    table: str
    partition_id: str
    tier: str  # 'raw' | 'facts' | 'minute' | 'hour'
    start_ns: int
    end_ns: int
    rows: int
    bytes: int  # active parts


def read_partitions(engine: Engine) -> list[Partition]:
    """All partitions of the tables that are cut by time, oldest first."""
    rows = engine.rows(
        "SELECT table, partition_id, any(partition), sum(rows), sum(bytes_on_disk) "
        "FROM system.parts WHERE database = currentDatabase() AND active "
        f"AND table IN {(*RAW, *FACTS, *ROLLUPS)} GROUP BY table, partition_id"
    )
    found = [
        Partition(str(table), str(partition_id), *_cut(str(table), str(key)), int(count), int(size))
        for table, partition_id, key, count, size in rows
    ]
    return sorted(found, key=lambda one: (one.start_ns, one.table))


def _cut(table: str, key: str) -> tuple[str, int, int]:
    """Tier, start and end of a partition, from its key as the engine prints it."""
    if match := _GRAIN.fullmatch(key.replace(" ", "")):
        start_ns = int(match[2]) * DAY_NS
        return match[1], start_ns, start_ns + DAY_NS
    start_ns = int(key) * HOUR_NS
    return "raw" if table in RAW else "facts", start_ns, start_ns + HOUR_NS


def drop_partition(engine: Engine, partition: Partition) -> None:
    """Takes it off the disk. A partition that is gone already is no error."""
    engine.command(f"ALTER TABLE {partition.table} DROP PARTITION ID '{partition.partition_id}'")


@dataclass(frozen=True)
class Used:
    """Bytes of all tables on disk."""

    active: int
    merged_away: int  # superseded, deleted by the engine within a minute or so
    set_aside: int  # damaged or detached: nobody reads or deletes them

    @property
    def lasting(self) -> int:
        """What stays when nothing is written or dropped."""
        return self.active + self.set_aside

    @property
    def total(self) -> int:
        """What the disk sees."""
        return self.active + self.merged_away + self.set_aside


def read_used(engine: Engine) -> Used:
    """How much the store takes now."""
    parts = engine.rows(
        "SELECT sumIf(bytes_on_disk, active), sumIf(bytes_on_disk, NOT active) "
        "FROM system.parts WHERE database = currentDatabase()"
    )[0]
    detached = engine.rows(
        "SELECT sum(bytes_on_disk) FROM system.detached_parts WHERE database = currentDatabase()"
    )[0]
    return Used(int(parts[0]), int(parts[1]), int(detached[0]))
