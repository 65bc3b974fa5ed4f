"""The door to the engine: errors in our words, long lists, retention, migrations."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.engine import LONG
from tests.support.records import records, span
from tracer.errors import BadSetting, StoreFailure, Unavailable
from tracer.settings import Settings
from tracer.store.durability import apply_durability
from tracer.store.engine import Engine, open_server, translate
from tracer.store.migrate import migrate, migrations
from tracer.store.retention import apply_retention
from tracer.store.writer import write_spans


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", Unavailable),
        ("Code: 241. DB::Exception: memory limit exceeded", Unavailable),
        ("Code: 252. DB::Exception: Too many parts", Unavailable),
        ("write failed: No space left on device", Unavailable),
        ("Code: 53. DB::Exception: Type mismatch", StoreFailure),
        ("", StoreFailure),
    ],
)
def test_errors_say_whether_a_retry_can_help(text: str, kind: type[Exception]) -> None:
    assert type(translate(RuntimeError(text))) is kind


def test_a_refused_statement_is_a_store_failure(engine: Engine) -> None:
    with pytest.raises(StoreFailure, match="refused"):
        engine.rows("SELECT nothing FROM nowhere")
    with pytest.raises(StoreFailure):
        engine.insert("otel_traces", pa.table({"NoSuchColumn": [1]}))


def test_long_lists_of_ids_are_one_parameter(engine: Engine) -> None:
    ids = [f"{n:032x}" for n in range(50_000)]
    rows = engine.rows("SELECT count() FROM numbers(1) WHERE {one:String} IN {ids:Ids}", {
        "one": ids[-1], "ids": ids,
    })  # fmt: skip
    assert rows[0][0] == 1
    assert engine.rows("SELECT 1 WHERE 'a' IN {ids:Ids}", {"ids": []}) == []


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://h", "clickhouse://", "postgres://h/d", "http://h:99999/d"]
)
def test_a_store_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match=r"ClickHouse URL|port must be"):
        open_server(url)


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    before = engine.rows("SELECT Number, Name FROM tracer_migrations ORDER BY Number")
    migrate(engine)
    assert engine.rows("SELECT Number, Name FROM tracer_migrations ORDER BY Number") == before
    assert [int(row[0]) for row in before] == [number for number, _, _ in migrations()]


def test_a_newer_schema_is_not_touched(engine: Engine) -> None:
    engine.command("INSERT INTO tracer_migrations (Number, Name) VALUES (999, 'later')")
    with pytest.raises(StoreFailure, match="999"):
        migrate(engine)


def test_retention_follows_the_settings(engine: Engine) -> None:
    apply_retention(engine, Settings(retention_raw=3_600_000_000_000))
    shown = engine.rows(
        "SELECT create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'otel_traces'"
    )[0][0]
    assert "toIntervalSecond(3600)" in str(shown)
    apply_retention(engine, LONG)
    for table in ("tracer_facts", "tracer_operations", "tracer_path_sums", "tracer_rollups"):
        shown = engine.rows(
            "SELECT create_table_query FROM system.tables "
            "WHERE database = currentDatabase() AND name = {name:String}",
            {"name": table},
        )[0][0]
        assert "864000000" in str(shown)


def test_durability_is_a_property_of_the_tables(engine: Engine) -> None:
    for to_disk in (True, False):
        apply_durability(engine, to_disk=to_disk)
        write_spans(engine, records([span(1, 1 + to_disk)]))
        shown = engine.rows(
            "SELECT create_table_query FROM system.tables "
            "WHERE database = currentDatabase() AND name = 'otel_traces'"
        )[0][0]
        assert f"fsync_after_insert = {int(to_disk)}" in str(shown)
        assert f"min_rows_to_fsync_after_merge = {int(to_disk)}" in str(shown)
    assert engine.rows("SELECT count() FROM otel_traces")[0][0] == 2
