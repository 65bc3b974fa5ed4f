"""Whether an acknowledged span survives the process only, or a power cut too.

A property of the tables, not of an insert: the engine knows it as a MergeTree setting.
"""

from __future__ import annotations

from tracer.store.cluster import spread
from tracer.store.engine import Engine

TABLES = ("otel_traces_trace_id_ts", "otel_traces")  # what is written before acknowledging


def apply_durability(engine: Engine, *, to_disk: bool) -> None:
    """`to_disk`: an insert returns once its files and their directory are synced."""
    on = int(to_disk)
    for table in TABLES:
        change = f"fsync_after_insert = {on}, fsync_part_directory = {on}"
        statement = f"ALTER TABLE {table} MODIFY SETTING {change}"
        for one in spread(statement, engine.cluster, engine.database):
            engine.command(one)
