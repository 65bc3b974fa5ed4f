"""Settling: what is ready when, once, and again when something is late. The clock is a number."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.columns.facts import ANALYSIS_VERSION
from tracer.service.settle import Rules, Settler
from tracer.settings import Settings
from tracer.store.engine import Engine
from tracer.store.retention import apply_retention
from tracer.store.rollups import Window, read_operations, rolled_until
from tracer.store.writer import write_spans

RULES = Rules(settle_ns=10 * SECOND, root_wait_ns=60 * SECOND, max_trace_age_ns=300 * SECOND)


@dataclass
class Clock:
    now: int = EPOCH

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def engine() -> Any:
    with fresh_engine() as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settler(engine: Engine, clock: Clock) -> Settler:
    return Settler(engine, RULES, now_ns=clock, horizon_ns=clock)


def facts(engine: Engine) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in engine.rows(
            "SELECT TraceId, RootSpanId, SpanCount, RootMissing, DurationNs "
            "FROM tracer_facts FINAL WHERE IsDeleted = 0 ORDER BY TraceId, StartNs"
        )
    ]


def tid(number: int) -> str:
    return f"{number:032x}"


def sid(number: int) -> str:
    return f"{number:016x}"


def test_a_trace_is_analysed_once_it_is_quiet_and_has_its_root(
    engine: Engine, clock: Clock
) -> None:
    write_spans(engine, records([span(1, 1, duration=100), span(1, 2, 1, duration=40)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 9 * SECOND
    assert work.step() == 0
    clock.now = EPOCH + 10 * SECOND
    assert work.step() == 1
    assert facts(engine) == [(tid(1), sid(1), 2, 0, 100)]
    clock.now += SECOND
    assert work.step() == 0


def test_without_a_root_it_waits_longer_and_says_so(engine: Engine, clock: Clock) -> None:
    write_spans(engine, records([span(1, 2, 1)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 59 * SECOND
    assert work.step() == 0
    clock.now = EPOCH + 60 * SECOND
    assert work.step() == 1
    assert facts(engine) == [(tid(1), sid(2), 1, 1, 1_000_000)]


@pytest.mark.parametrize("hours", [1, 24])
def test_a_root_that_comes_late_takes_the_fragment_back(
    engine: Engine, clock: Clock, hours: int
) -> None:
    write_spans(engine, records([span(1, 2, 1)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 61 * SECOND
    work.step()
    late = clock.now + hours * 3600 * SECOND
    write_spans(engine, records([span(1, 1, duration=5_000_000, ingest=late)]))
    clock.now = late + 11 * SECOND
    assert work.step() == 1
    assert facts(engine) == [(tid(1), sid(1), 2, 0, 5_000_000)]


def test_a_late_span_joins_a_settled_trace_even_after_a_restart(
    engine: Engine, clock: Clock
) -> None:
    write_spans(engine, records([span(1, 1)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 20 * SECOND
    work.step()
    work.close()
    write_spans(engine, records([span(1, 2, 1, ingest=clock.now)]))
    again = settler(engine, clock)
    clock.now += 11 * SECOND
    assert again.step() == 1
    assert facts(engine)[0][2] == 2


def test_a_retried_export_changes_nothing(engine: Engine, clock: Clock) -> None:
    write_spans(engine, records([span(1, 1), span(1, 2, 1)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 20 * SECOND
    work.step()
    before = facts(engine)
    write_spans(engine, records([span(1, 1, ingest=clock.now)]))
    clock.now += 11 * SECOND
    assert work.step() == 1
    assert facts(engine) == before


@pytest.mark.parametrize("killed_after", range(1, 8))
def test_a_crash_between_any_two_writes_repeats_nothing_and_loses_nothing(
    engine: Engine, clock: Clock, killed_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after the n-th insert of a run; the next one must end where one run ends."""
    for trace in range(1, 6):
        write_spans(
            engine, records([span(trace, 1, duration=trace * 1_000_000), span(trace, 2, 1)])
        )
    clock.now = EPOCH + 300 * SECOND
    whole = Engine.insert
    left = [killed_after]

    class KilledError(BaseException):
        pass

    def insert(self: Engine, *arguments: Any, **named: Any) -> None:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        whole(self, *arguments, **named)

    monkeypatch.setattr(Engine, "insert", insert)
    with contextlib.suppress(KilledError):
        settler(engine, clock).step()
    monkeypatch.setattr(Engine, "insert", whole)
    clock.now += SECOND
    work = settler(engine, clock)
    work.step()
    work.close()
    assert [row[0] for row in facts(engine)] == [tid(trace) for trace in range(1, 6)]
    assert _rolled(engine) == [("GET /", 10.0)]


def _rolled(engine: Engine) -> list[tuple[str, float]]:
    rows = engine.rows(
        "SELECT Operation, sum(Spans) FROM tracer_operations WHERE Grain = 'minute' AND "
        "(PeriodNs, Version) IN (SELECT PeriodNs, max(Version) FROM tracer_rollups "
        "WHERE Grain = 'minute' GROUP BY PeriodNs) GROUP BY Operation"
    )
    return [(str(row[0]), float(row[1])) for row in rows]


def test_a_minute_touched_again_is_rolled_up_again(engine: Engine, clock: Clock) -> None:
    write_spans(engine, records([span(1, 1)]))
    work = settler(engine, clock)
    clock.now = EPOCH + 300 * SECOND
    work.step()
    assert _rolled(engine) == [("GET /", 1.0)]
    write_spans(engine, records([span(2, 1, ingest=clock.now)]))
    clock.now += 11 * SECOND
    work.step()
    assert _rolled(engine) == [("GET /", 1.0)], "not with every step"
    clock.now += 11 * SECOND
    work.step()
    assert _rolled(engine) == [("GET /", 2.0)]


def test_a_minute_that_loses_a_fragment_is_rolled_up_again(engine: Engine, clock: Clock) -> None:
    minute = 60 * SECOND
    next_minute = EPOCH // minute * minute + minute
    write_spans(engine, records([span(1, 2, 1, start=next_minute, name="child")]))
    work = settler(engine, clock)
    clock.now = EPOCH + 300 * SECOND
    work.step()
    late = {"start": next_minute - SECOND, "duration": 2 * SECOND, "ingest": clock.now}
    write_spans(engine, records([span(1, 1, name="root", **late)]))
    clock.now += 21 * SECOND
    work.step()
    assert sorted(_rolled(engine)) == [("child", 1.0), ("root", 1.0)]


@pytest.mark.parametrize(
    ("late", "spans_by_root"),
    [(1, {sid(1): 2}), (5, {sid(1): 2, sid(5): 1})],
    ids=["a retry of the root", "a second root"],
)
def test_a_root_long_after_its_trace_was_settled_takes_nothing_away(
    engine: Engine, clock: Clock, late: int, spans_by_root: dict[str, int]
) -> None:
    write_spans(engine, records([span(1, 1, duration=100)]))
    write_spans(engine, records([span(1, 2, 1, duration=40)]))
    work = settler(engine, clock)
    for later_s in (20, 1200, 2400):  # beyond what is remembered of settled traces
        clock.now = EPOCH + later_s * SECOND
        work.step()
    write_spans(engine, records([span(1, late, duration=100, ingest=clock.now)]))
    clock.now += 11 * SECOND
    assert work.step() == 1
    assert {row[1]: row[2] for row in facts(engine)} == spans_by_root


def test_spans_in_flight_hold_the_watermark_back(engine: Engine, clock: Clock) -> None:
    """A block whose ingest time is taken but whose insert still runs must not be passed over."""
    horizon = Clock(EPOCH - 1)
    work = Settler(engine, RULES, now_ns=clock, horizon_ns=horizon)
    clock.now = EPOCH + 30 * SECOND
    work.step()
    write_spans(engine, records([span(1, 1, ingest=EPOCH)]))
    horizon.now = clock.now
    assert work.step() == 1


def test_a_minute_of_another_analysis_is_rolled_up_again(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spans(engine, records([span(1, 1)]))
    clock.now = EPOCH + 300 * SECOND
    with monkeypatch.context() as older:
        older.setattr("tracer.store.rollups.ANALYSIS_VERSION", 0)
        work = settler(engine, clock)
        work.step()
        work.close()
    clock.now += SECOND
    settler(engine, clock).step()
    rows = engine.rows("SELECT AnalysisVersion FROM tracer_rollups ORDER BY Version")
    assert [int(row[0]) for row in rows] == [0, ANALYSIS_VERSION]


def test_spans_of_the_far_future_do_not_hold_anything_back(engine: Engine, clock: Clock) -> None:
    year_2200 = 7_258_118_400 * SECOND
    write_spans(engine, records([span(1, 1), span(2, 1, start=year_2200)]), imported=True)
    work = settler(engine, clock)
    clock.now = EPOCH + 300 * SECOND
    assert work.step() == 2
    work.close()
    again = settler(engine, clock)
    assert again.step() == 0
    assert _rolled(engine) == [("GET /", 1.0)]


def test_an_import_older_than_the_minutes_are_kept_is_found(engine: Engine) -> None:
    """Beside newer traffic that is rolled up."""
    now = time.time_ns()
    day = 86_400 * SECOND
    apply_retention(engine, Settings())
    old = now - 60 * day
    write_spans(
        engine,
        records(
            [span(1, 1, start=old, ingest=now), span(2, 1, start=now - 600 * SECOND, ingest=now)]
        ),
        imported=True,
    )
    clock = Clock(now + 300 * SECOND)
    settler(engine, clock).step()
    table = read_operations(engine, Window(old - day, old + day), "1", {})
    assert table["Spans"].to_pylist() == [1.0]
    assert rolled_until(engine).minute_ns > now - 700 * SECOND


def test_analysis_gives_way_to_busy_receivers(engine: Engine, clock: Clock) -> None:
    write_spans(engine, records([span(1, 1)]))
    clock.now = EPOCH + 30 * SECOND
    asked = threading.Event()
    free = threading.Event()

    def is_busy() -> bool:
        asked.set()
        return not free.is_set()

    work = Settler(engine, RULES, now_ns=clock, horizon_ns=clock, is_busy=is_busy)
    work.start()
    assert asked.wait(30)
    assert facts(engine) == []
    free.set()
    while not facts(engine):
        assert work.alive()
    work.close()


def test_a_minute_closes_by_the_clock_of_its_spans_not_of_ingest(
    engine: Engine, clock: Clock
) -> None:
    """After the machine's clock was set back, ingest times are ahead of it."""
    wall = Clock(EPOCH + 21 * SECOND)
    work = Settler(engine, RULES, now_ns=clock, horizon_ns=clock, wall_ns=wall)
    clock.now = EPOCH + 3600 * SECOND
    write_spans(engine, records([span(1, 1, ingest=clock.now)]))
    clock.now += 11 * SECOND
    assert work.step() == 1
    assert work.progress.minutes == 0
    wall.now += 120 * SECOND
    work.step()
    assert work.progress.minutes == 1
