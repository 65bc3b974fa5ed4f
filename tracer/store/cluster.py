"""The schema on a cluster, made from the schema of one server: DDL in, DDL out.

    CREATE TABLE t (…) ENGINE = MergeTree …   becomes, on every server of the cluster,

    CREATE TABLE t_local (…) ENGINE = ReplicatedMergeTree(…) …    what one shard keeps
    CREATE TABLE t AS t_local ENGINE = Distributed(…)             all shards under the old name

so every query and insert stays as it is. The shard of a row is a hash of what its table is asked
and merged by: spans and facts of one trace lie on one shard, where ReplacingMergeTree and FINAL
see all versions of a fact. The cluster MUST have `internal_replication`, as replicated tables do.
"""

from __future__ import annotations

import re
from typing import Final

from tracer.errors import StoreFailure

SHARD_BY: Final = {
    "otel_traces": "TraceId",
    "otel_traces_trace_id_ts": "TraceId",
    "tracer_facts": "TraceId",
    "tracer_paths": "PathId",
    "tracer_state": "Name",
    "tracer_members": "Name",
    "tracer_migrations": "Number",
    "tracer_rollups": "PeriodNs",
    "tracer_operations": "ServiceName, Operation",
    "tracer_path_sums": "PathId",
}
# Macros of each server; the engine fills in {uuid}, so a table made again is never the old one.
REPLICA: Final = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"

_CREATE: Final = re.compile(r"\s*CREATE TABLE IF NOT EXISTS (\w+)(?=\s*\()", re.I)
_ENGINE: Final = re.compile(r"\bENGINE\s*=\s*(\w*MergeTree)(?:\(([^)]*)\))?", re.I)
_ALTER: Final = re.compile(r"\s*ALTER TABLE (\w+)\s+(.*)", re.I | re.S)
_COLUMNS: Final = re.compile(r"(ADD|DROP|RENAME|MODIFY|COMMENT|CLEAR) COLUMN\b", re.I)


def spread(statement: str, cluster: str, database: str) -> list[str]:
    """The statements that do on a cluster what `statement` does on one server.

    '' is no cluster: the statement itself. Raises StoreFailure for a statement that nobody has
    said how to spread.
    """
    if not cluster:
        return [statement]
    if create := _CREATE.match(statement):
        return _spread_table(statement, create, cluster, database)
    if alter := _ALTER.match(statement):
        table, change = alter.groups()
        tables = [local(table, cluster), *([table] if _COLUMNS.match(change) else [])]
        return [f"ALTER TABLE {one} ON CLUSTER `{cluster}` {change}" for one in tables]
    raise StoreFailure(f"a cluster has no form of this statement: {statement.strip()[:80]}")


def local(table: str, cluster: str) -> str:
    """The table that holds rows and settings: on a cluster, what one shard keeps."""
    return f"{table}_local" if cluster else table


def _spread_table(statement: str, create: re.Match[str], cluster: str, database: str) -> list[str]:
    table = create[1]
    engines = list(_ENGINE.finditer(statement))
    if len(engines) != 1 or table not in SHARD_BY:
        raise StoreFailure(f"table {table} needs one MergeTree engine and a line in SHARD_BY")
    (engine,) = engines
    arguments = ", ".join(filter(None, (REPLICA, engine[2])))
    here = (
        f"CREATE TABLE IF NOT EXISTS {table}_local ON CLUSTER `{cluster}`"
        f"{statement[create.end() : engine.start()]}"
        f"ENGINE = Replicated{engine[1]}({arguments}){statement[engine.end() :]}"
    )
    everywhere = (
        f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER `{cluster}` AS {table}_local\n"
        f"ENGINE = Distributed('{cluster}', '{database}', '{table}_local', "
        f"cityHash64({SHARD_BY[table]}))"
    )
    return [here, everywhere]
