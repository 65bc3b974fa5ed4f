"""Whether an acknowledged span survives the process only, or a power cut too.

A property of the tables, not of an insert: the engine knows it as a MergeTree setting.
"""

from __future__ import annotations

from tracer.store.cluster import spread
from tracer.store.engine import Engine

TABLES = ("otel_traces_trace_id_ts", "otel_traces")  # what is written before acknowledging


def apply_durability(engine: Engine, *, to_disk: bool) -> None:
    """`to_disk`: an insert returns once its files and their directory are synced.

    Merges sync as well: their sources are deleted within a minute (old_parts_lifetime is 0 when
    embedded), and the kernel may take as long to write the result.
    """
    on = int(to_disk)
    for table in TABLES:
        change = (
            f"MODIFY SETTING fsync_after_insert = {on}, fsync_part_directory = {on}, "
            f"min_rows_to_fsync_after_merge = {on}"
        )
        for one in spread(f"ALTER TABLE {table} {change}", engine.cluster, engine.database):
            engine.command(one)
