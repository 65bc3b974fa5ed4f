"""The account of what is stored adds up with what was stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.running import NOW, context_with, shop
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND
from tracer.report.storage_text import size, storage_text
from tracer.service.context import Context
from tracer.service.storage import storage
from tracer.store.budget import Dropped, write_dropped
from tracer.store.engine import Engine
from tracer.units import DAY_NS, HOUR_NS, rfc3339


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened


def context(engine: Engine, tmp_path: Path) -> Context:
    made = context_with(engine, shop(30))
    return replace(made, settings=replace(made.settings, data=str(tmp_path), disk_budget=2**30))


def test_tables_rows_and_times(engine: Engine, tmp_path: Path) -> None:
    document = storage(context(engine, tmp_path))
    tables = {one["table"]: one for one in document["tables"]}
    spans = tables["otel_traces"]
    assert spans["rows"] == 60
    assert spans["bytes_per_row"] == spans["bytes"] / 60
    assert (spans["oldest_ns"], spans["oldest"]) == (EPOCH + SECOND, rfc3339(EPOCH + SECOND))
    assert spans["newest_ns"] == EPOCH + 30 * SECOND + 1_000_000
    assert spans["retention"][0]["age_ns"] == 10_000 * DAY_NS
    assert spans["dropped_by"] == ["age", "the disk budget, oldest first"]
    assert tables["tracer_facts"]["rows"] == 30
    assert tables["tracer_state"]["dropped_by"] == []
    assert document["at_ns"] == NOW
    assert document["total"]["active_bytes"] >= sum(one["bytes"] for one in document["tables"]) > 0
    assert document["disk"]["free_bytes"] <= document["disk"]["total_bytes"]
    assert document["budget"]["limit_bytes"] == 2**30
    assert document["budget"]["dropped"]["last"] is None
    assert document["set_aside"]["parts"] == []


def test_every_table_of_the_schema_is_named(engine: Engine, tmp_path: Path) -> None:
    known = {one["table"] for one in storage(context(engine, tmp_path))["tables"]}
    there = engine.rows("SELECT name FROM system.tables WHERE database = currentDatabase()")
    assert known == {str(row[0]) for row in there}


def test_what_the_budget_dropped_is_told(engine: Engine, tmp_path: Path) -> None:
    asked = context(engine, tmp_path)
    gone = Dropped(spans=1_204, facts=7, bytes=3 * 2**20, raw_from_ns=HOUR_NS, last_ns=EPOCH)
    write_dropped(engine, Dropped(), gone, version_ns=1)
    document = storage(asked)
    assert document["budget"]["dropped"]["spans_kept_from"] == rfc3339(HOUR_NS)
    text = storage_text(document, width=160, colour=False)
    assert "1,204 spans, 7 facts, 3 MiB; spans are kept from 1970-01-01T01:00:00Z" in text
    assert "of 1 GiB allowed" in text
    assert "otel_traces " in text
    assert "10000d" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (1536, "1.5 KiB"), (2**50, "1 PiB")],
)
def test_sizes_have_three_digits(value: int, text: str) -> None:
    assert size(value) == text
