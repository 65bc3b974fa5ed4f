"""The schema table, the DDL and the collector's layout agree."""

from __future__ import annotations

import pytest

from tests.support.engine import fresh_engine
from tracer.columns.schema import COLLECTOR, EXTRA, SPANS, arrow_schema

# Names and types that tools written for the collector's exporter rely on.
PUBLISHED = {
    "Timestamp": "DateTime64(9)",
    "TraceId": "String",
    "SpanId": "String",
    "ParentSpanId": "String",
    "TraceState": "String",
    "SpanName": "LowCardinality(String)",
    "SpanKind": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "ResourceAttributes": "Map(LowCardinality(String), String)",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "SpanAttributes": "Map(LowCardinality(String), String)",
    "Duration": "UInt64",
    "StatusCode": "LowCardinality(String)",
    "StatusMessage": "String",
    "Events.Timestamp": "Array(DateTime64(9))",
    "Events.Name": "Array(LowCardinality(String))",
    "Events.Attributes": "Array(Map(LowCardinality(String), String))",
    "Links.TraceId": "Array(String)",
    "Links.SpanId": "Array(String)",
    "Links.TraceState": "Array(String)",
    "Links.Attributes": "Array(Map(LowCardinality(String), String))",
}


@pytest.fixture(scope="module")
def stored() -> dict[str, tuple[str, str]]:
    """(type, kind of default) of every column the migrations really make."""
    with fresh_engine() as engine:
        rows = engine.rows(
            "SELECT name, type, default_kind FROM system.columns "
            "WHERE database = currentDatabase() AND table = 'otel_traces'"
        )
    return {str(name): (str(kind), str(default)) for name, kind, default in rows}


def test_the_ddl_has_the_columns_of_the_table(stored: dict[str, tuple[str, str]]) -> None:
    assert {name: kind for name, (kind, _) in stored.items()} == {
        column.name: column.clickhouse for column in SPANS
    }


def test_the_first_block_is_the_published_layout() -> None:
    assert {column.name: column.clickhouse for column in COLLECTOR} == PUBLISHED


def test_every_extra_column_can_be_left_out(stored: dict[str, tuple[str, str]]) -> None:
    """A writer that knows only the published layout can still insert."""
    for column in EXTRA:
        nested = column.name.partition(".")[0] in ("Events", "Links")
        assert nested or stored[column.name][1] == "DEFAULT", column.name


def test_a_writer_of_the_published_layout_fills_our_columns() -> None:
    with fresh_engine() as engine:
        engine.command(
            "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, ServiceName, "
            "ResourceAttributes, SpanAttributes, `Events.Timestamp`, `Events.Name`, "
            "`Events.Attributes`) VALUES (now64(9), 'aa', 'bb', 'op', 'svc', "
            "map('deployment.environment', 'prod', 'service.version', '7', 'host.id', 'h'), "
            "map('messaging.operation', 'publish'), [now64(9)], ['e'], [map()])"
        )
        rows = engine.rows(
            "SELECT Environment, ServiceVersion, MessagingOperation, Host, "
            "length(`Events.DroppedAttributesCount`) FROM otel_traces"
        )
    assert [tuple(row) for row in rows] == [("prod", "7", "publish", "h", 1)]


def test_names_are_unique_and_every_column_says_where_it_comes_from() -> None:
    assert len({column.name for column in SPANS}) == len(SPANS)
    assert all(column.source for column in SPANS)
    assert arrow_schema().names == [column.name for column in SPANS]
