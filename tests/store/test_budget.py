"""What goes first when there is no room, and that no account is lost."""

from __future__ import annotations

import pytest

from tests.support.records import EPOCH, SECOND, records, span
from tracer.store.budget import Dropped, leftovers, plan, read_dropped, write_dropped
from tracer.store.engine import Engine
from tracer.store.partitions import (
    Partition,
    drop_partition,
    read_partitions,
    read_used,
)
from tracer.store.writer import write_spans
from tracer.units import DAY_NS, HOUR_NS

NOON = EPOCH // DAY_NS * DAY_NS + 12 * HOUR_NS
NOW = NOON + 1800 * SECOND


def hour(table: str, start_ns: int, size: int = 100) -> Partition:
    tier = "facts" if table == "tracer_facts" else "raw"
    return Partition(table, str(start_ns // HOUR_NS), tier, start_ns, start_ns + HOUR_NS, 10, size)


def minutes(start_ns: int, size: int = 100) -> Partition:
    end_ns = start_ns + DAY_NS
    return Partition("tracer_operations", str(start_ns), "minute", start_ns, end_ns, 10, size)


STORE = [
    minutes(NOON - 36 * HOUR_NS),
    hour("tracer_facts", NOON - 3 * HOUR_NS),
    hour("tracer_facts", NOON - 2 * HOUR_NS),
    hour("otel_traces", NOON - HOUR_NS),
    hour("otel_traces_trace_id_ts", NOON - HOUR_NS, 20),
    minutes(NOON - 12 * HOUR_NS),
    hour("tracer_facts", NOON),
    hour("otel_traces", NOON),
    hour("otel_traces_trace_id_ts", NOON, 20),
    hour("otel_traces", NOON + 100 * HOUR_NS),
]


@pytest.mark.parametrize(
    ("excess", "going", "current", "missing"),
    [
        (0, [], 0, 0),
        (1, ["otel_traces -1", "otel_traces_trace_id_ts -1"], 0, 0),
        (121, ["otel_traces -1", "otel_traces_trace_id_ts -1", "tracer_facts -3"], 0, 0),
        (
            321,
            [
                *("otel_traces -1", "otel_traces_trace_id_ts -1"),
                *("tracer_facts -3", "tracer_facts -2", "tracer_operations -36"),
            ],
            0,
            0,
        ),
        (
            10_000,
            [
                *("otel_traces -1", "otel_traces_trace_id_ts -1"),
                *("tracer_facts -3", "tracer_facts -2", "tracer_operations -36"),
                *("otel_traces 100", "otel_traces 0", "otel_traces_trace_id_ts 0"),
            ],
            3,
            10_000 - 640,
        ),
    ],
)
def test_the_oldest_hour_of_spans_goes_first_and_what_is_being_written_last(
    excess: int, going: list[str], current: int, missing: int
) -> None:
    wanted = plan(STORE, excess_bytes=excess, now_ns=NOW)
    named = [f"{one.table} {(one.start_ns - NOON) // HOUR_NS}" for one in wanted.going]
    assert (named, wanted.current, wanted.missing_bytes) == (going, current, missing)


def test_the_hour_before_is_still_written_to_for_some_minutes() -> None:
    early = plan(STORE[3:5], excess_bytes=1, now_ns=NOON + 60 * SECOND)
    assert early.current == 2
    assert plan(STORE[3:5], excess_bytes=1, now_ns=NOW).current == 0


def test_partitions_are_read_and_dropped_from_the_disk_at_once(engine: Engine) -> None:
    for ago in range(3):
        write_spans(engine, records(span(ago, 1 + n, start=NOON - ago * HOUR_NS) for n in range(9)))
    engine.command(
        "INSERT INTO tracer_operations (Grain, PeriodNs, ServiceName) "
        f"VALUES ('minute', {NOON}, 'a'), ('hour', {NOON}, 'a')"
    )
    found = read_partitions(engine)
    assert [(one.table, one.tier, one.start_ns, one.rows) for one in found] == [
        ("tracer_operations", "hour", NOON - 12 * HOUR_NS, 1),
        ("tracer_operations", "minute", NOON - 12 * HOUR_NS, 1),
        *(
            (table, "raw", NOON - ago * HOUR_NS, rows)
            for ago in (2, 1, 0)
            for table, rows in (("otel_traces", 9), ("otel_traces_trace_id_ts", 1))
        ),
    ]
    before = read_used(engine)
    going = [one for one in found if one.start_ns == NOON - 2 * HOUR_NS]
    for one in going:
        drop_partition(engine, one)
        drop_partition(engine, one)  # again is no error
    assert read_used(engine).total <= before.total - sum(one.bytes for one in going)
    assert engine.rows("SELECT count() FROM otel_traces")[0][0] == 18


def test_the_account_survives(engine: Engine) -> None:
    assert read_dropped(engine) == Dropped()
    first = Dropped(spans=5, bytes=2**40, raw_from_ns=NOON)
    write_dropped(engine, Dropped(), first, version_ns=1)
    second = Dropped(spans=5, bytes=2**41, raw_from_ns=NOON, facts_from_ns=7)
    write_dropped(engine, first, second, version_ns=2)
    assert read_dropped(engine) == second


def test_a_crash_while_facts_are_dropped_is_finished() -> None:
    ended = Dropped(facts_from_ns=NOON - HOUR_NS, facts_done_ns=NOON - HOUR_NS)
    assert leftovers(STORE, ended) == []
    broken_off = Dropped(facts_from_ns=NOON - HOUR_NS, facts_done_ns=0)
    assert leftovers(STORE, broken_off) == STORE[1:3]
