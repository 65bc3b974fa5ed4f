"""The schema of a cluster: made from the one schema, and parsed by the engine itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.engine import LONG, fresh_engine
from tracer.errors import StoreFailure
from tracer.store.cluster import SHARD_BY, local, spread
from tracer.store.durability import TABLES as DURABLE
from tracer.store.durability import apply_durability
from tracer.store.engine import Engine
from tracer.store.migrate import REGISTER, migrations
from tracer.store.retention import apply_retention
from tracer.units import duration_ns

TIERS = ("raw", "facts", "minutes", "hours")
STATEMENTS = [REGISTER, *(one for _, _, statements in migrations() for one in statements)]
OTHER = replace(LONG, **{f"retention_{tier}": duration_ns("9d") for tier in TIERS})
TABLE = (
    "CREATE TABLE IF NOT EXISTS tracer_state (\n    Name String,\n    Version UInt64\n)\n"
    "ENGINE = ReplacingMergeTree(Version)\nORDER BY Name\nSETTINGS ttl_only_drop_parts = 1"
)


def test_a_table_becomes_what_a_shard_keeps_and_all_shards() -> None:
    assert spread(TABLE, "main", "traces") == [
        "CREATE TABLE IF NOT EXISTS tracer_state_local ON CLUSTER `main` (\n    Name String,\n"
        "    Version UInt64\n)\n"
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', "
        "Version)\nORDER BY Name\nSETTINGS ttl_only_drop_parts = 1",
        "CREATE TABLE IF NOT EXISTS tracer_state ON CLUSTER `main` AS tracer_state_local\n"
        "ENGINE = Distributed('main', 'traces', 'tracer_state_local', cityHash64(Name))",
    ]


def test_without_a_cluster_nothing_changes() -> None:
    assert [spread(one, "", "d") for one in STATEMENTS] == [[one] for one in STATEMENTS]
    assert (local("t", ""), local("t", "main")) == ("t", "t_local")


def test_settings_change_where_rows_are_kept_and_columns_everywhere() -> None:
    assert spread("ALTER TABLE t MODIFY TTL a + 1", "main", "d") == [
        "ALTER TABLE t_local ON CLUSTER `main` MODIFY TTL a + 1"
    ]
    assert spread("ALTER TABLE t ADD COLUMN IF NOT EXISTS b UInt8", "main", "d") == [
        "ALTER TABLE t_local ON CLUSTER `main` ADD COLUMN IF NOT EXISTS b UInt8",
        "ALTER TABLE t ON CLUSTER `main` ADD COLUMN IF NOT EXISTS b UInt8",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE t",
        "CREATE TABLE IF NOT EXISTS unknown (a UInt8) ENGINE = MergeTree ORDER BY a",
        "CREATE TABLE IF NOT EXISTS tracer_state (Name String) ENGINE = Memory",
    ],
)
def test_what_nobody_said_how_to_spread_is_refused(statement: str) -> None:
    with pytest.raises(StoreFailure):
        spread(statement, "main", "d")


def test_every_table_of_the_schema_has_a_shard_key_among_its_columns() -> None:
    found = {}
    for statement in STATEMENTS:
        created = re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", statement)
        if created:
            found[created[1]] = statement
    assert set(found) == set(SHARD_BY)
    for table, keys in SHARD_BY.items():
        for key in keys.split(", "):
            assert re.search(rf"[(\s]{key} ", found[table]), (table, key)


def test_retention_and_durability_reach_the_tables_that_keep_rows() -> None:
    with fresh_engine() as engine:
        spread_out = Recorded(engine)
        apply_retention(spread_out, OTHER)  # type: ignore[arg-type]
        apply_durability(spread_out, to_disk=True)  # type: ignore[arg-type]
        changes = [one for one in spread_out.said if one.startswith("ALTER")]
        assert {one.split()[2] for one in changes} >= {f"{one}_local" for one in DURABLE}
        for statement in changes:
            assert re.match(r"ALTER TABLE (\w+)_local ON CLUSTER `main` MODIFY ", statement)
            (text,) = engine.rows("SELECT formatQuery({sql:String})", {"sql": statement})[0]
            assert "ON CLUSTER main" in str(text)


class Recorded:
    """An engine on a cluster that is only told: tables are empty, statements are kept."""

    cluster, database = "main", "d"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.said: list[str] = []

    def command(self, sql: str) -> None:
        self.said.append(sql)

    def insert(self, table: str, batch: Any) -> None:
        self.said.append(f"INSERT INTO {table}")

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        if not parameters or "table" not in parameters:
            return self._engine.rows(sql, parameters)
        assert parameters["table"].endswith("_local")
        return self._engine.rows(sql, {"table": parameters["table"].removesuffix("_local")})


def test_the_engine_parses_every_statement_of_a_cluster() -> None:
    spread_out = [one for statement in STATEMENTS for one in spread(statement, "main", "d")]
    assert len(spread_out) > len(STATEMENTS)
    with fresh_engine() as engine:
        for statement in spread_out:
            (tree,) = engine.rows("SELECT formatQuery({sql:String})", {"sql": statement})[0]
            assert "ON CLUSTER main" in str(tree), tree
            made = str(tree).startswith("CREATE")
            shared = re.search(r"ENGINE = (Replicated\w*MergeTree|Distributed)\(", str(tree))
            assert bool(shared) == made, tree
