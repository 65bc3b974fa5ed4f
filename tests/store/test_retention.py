"""What each age drops and what it keeps, by the engine's own TTL on real rows."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.support.records import SECOND, records, span
from tracer.analysis.analyse import analyse
from tracer.settings import Settings
from tracer.store.activity import read_spans
from tracer.store.engine import Engine
from tracer.store.facts import PATHS_RENEWED_NS, read_paths, read_state, write_facts, write_state
from tracer.store.loose import read_floors
from tracer.store.retention import apply_retention
from tracer.store.writer import write_spans
from tracer.units import DAY_NS, HOUR_NS

RETENTION = Settings()  # 7, 14, 35 and 400 days


@pytest.fixture
def now(engine: Engine) -> int:
    apply_retention(engine, RETENTION)
    return time.time_ns()


def left(engine: Engine, table: str, column: str) -> list[object]:
    """What the engine keeps of a table once it has merged all it wants to."""
    unmerged = (
        "SELECT partition_id FROM system.parts WHERE active AND rows > 0 AND table = {table:String}"
        " AND database = currentDatabase() GROUP BY partition_id HAVING count() > 1"
    )
    engine.command(f"OPTIMIZE TABLE {table} FINAL")
    while engine.rows(unmerged, {"table": table}):  # it gives way to a merge that runs already
        engine.command(f"OPTIMIZE TABLE {table} FINAL")
    return [row[0] for row in engine.rows(f"SELECT DISTINCT {column} AS c FROM {table} ORDER BY c")]


def test_spans_are_kept_by_when_they_were_taken_in(engine: Engine, now: int) -> None:
    """An imported file of a year ago lives as long as a span of today."""
    ages = {1: (8 * DAY_NS, 8 * DAY_NS), 2: (6 * DAY_NS, 6 * DAY_NS), 3: (365 * DAY_NS, HOUR_NS)}
    for trace, (start, ingest) in ages.items():
        write_spans(
            engine, records([span(trace, 1, start=now - start, ingest=now - ingest)]), imported=True
        )
    kept = [f"{trace:032x}" for trace in (2, 3)]
    assert left(engine, "otel_traces", "TraceId") == kept
    assert left(engine, "otel_traces_trace_id_ts", "TraceId") == kept


def test_a_young_span_does_not_go_with_an_old_one(engine: Engine, now: int) -> None:
    ages = {1: 8 * DAY_NS, 2: HOUR_NS}
    block = [span(one, 1, start=now - 8 * DAY_NS, ingest=now - age) for one, age in ages.items()]
    write_spans(engine, records(block))
    assert f"{2:032x}" in left(engine, "otel_traces", "TraceId")


def test_facts_are_kept_by_when_they_were_written(engine: Engine, now: int) -> None:
    for trace, age in ((1, 15 * DAY_NS), (2, 13 * DAY_NS)):
        write_spans(engine, records([span(trace, 1, start=now - age, ingest=now)]), imported=True)
    for trace, age in ((1, 15 * DAY_NS), (2, 13 * DAY_NS)):
        ids = [f"{trace:032x}"]
        spans = read_spans(engine, ids, start_ns=0, end_ns=now, after_ns=None)
        write_facts(engine, analyse(spans).facts, version_ns=now - age)
    assert left(engine, "tracer_facts", "TraceId") == [f"{2:032x}"]


@pytest.mark.parametrize("table", ["tracer_operations", "tracer_path_sums", "tracer_rollups"])
def test_minutes_and_hours_have_an_age_each(engine: Engine, now: int, table: str) -> None:
    ages = (34, 37, 399, 402)
    rows = [
        f"('{grain}', {now - age * DAY_NS}, {age})" for grain in ("minute", "hour") for age in ages
    ]
    engine.command(f"INSERT INTO {table} (Grain, PeriodNs, Version) VALUES {', '.join(rows)}")
    kept = left(engine, table, "concat(Grain, ' ', toString(Version))")
    assert kept == ["hour 34", "hour 37", "hour 399", "minute 34"]


def test_call_paths_outlive_whatever_names_them(engine: Engine, now: int) -> None:
    root = span(1, 1, start=now, ingest=now)
    call = span(1, 2, 1, start=now, ingest=now, name="q")
    write_spans(engine, records([root, call]))
    spans = read_spans(engine, [f"{1:032x}"], start_ns=0, end_ns=now, after_ns=None)
    facts = analyse(spans).facts
    days = [DAY_NS * age for age in (500, 450, 100)]
    for age in days:
        write_facts(engine, facts, version_ns=now - age)
    assert set(left(engine, "tracer_paths", "LastSeenNs")) == {now - days[-1]}
    write_facts(engine, facts, version_ns=now - days[-1] + PATHS_RENEWED_NS - SECOND)
    assert set(left(engine, "tracer_paths", "LastSeenNs")) == {now - days[-1]}  # known well enough
    engine.command(
        "INSERT INTO tracer_paths (PathId, ParentPathId, ServiceName, Operation, SpanKind, "
        f"FirstSeenNs, LastSeenNs) VALUES (7, 0, 'old', 'x', 'Server', 1, {now - 470 * DAY_NS})"
    )
    left(engine, "tracer_paths", "PathId")
    assert np.isin(facts.paths.path_id, read_paths(engine).path_id).all()
    assert 7 not in read_paths(engine).path_id


def test_small_named_numbers_do_not_pile_up(engine: Engine, now: int) -> None:
    for value in range(5):
        write_state(engine, "watermark", value, version_ns=now + value)
    before = engine.rows("SELECT count() FROM tracer_state")[0][0]
    names = left(engine, "tracer_state", "Name")
    assert engine.rows("SELECT count() FROM tracer_state")[0][0] == len(names) < before
    assert read_state(engine, "watermark") == 4


def test_rollups_stop_to_follow_facts_before_facts_are_gone(engine: Engine, now: int) -> None:
    floors = read_floors(engine)
    assert not floors.is_loose(now - 13 * DAY_NS, now)
    assert floors.is_loose(now - 14 * DAY_NS, now)
    assert 0 <= floors.loose_below_ns - (now - 14 * DAY_NS) <= HOUR_NS
    assert 0 <= floors.minutes_from_ns - (now - 35 * DAY_NS) <= HOUR_NS
    assert set(left(engine, "tracer_state", "Name")) >= {
        "retention_facts_ns",
        "retention_minutes_ns",
    }
