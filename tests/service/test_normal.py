"""Which window is normal, and that baselines from the store equal baselines from facts."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.analysis.analyse import analyse
from tracer.analysis.baseline import baselines_from_facts
from tracer.columns.facts import TraceFacts
from tracer.service.context import Context, Window
from tracer.service.normal import Normal, choose, read_baselines
from tracer.settings import Settings
from tracer.store.activity import read_spans
from tracer.store.engine import Engine
from tracer.store.facts import write_facts
from tracer.store.rollups import HOUR_NS, MINUTE_NS, roll_up_hour, roll_up_minute
from tracer.store.writer import write_spans

WEEK = 7 * 24 * HOUR_NS
HOUR = EPOCH // HOUR_NS * HOUR_NS
MS = 1_000_000


def _context(engine: Engine, zone: str = "UTC") -> Context:
    return Context(engine, Settings(timezone=zone), lambda: EPOCH)


def _fill(engine: Engine, starts: list[int]) -> TraceFacts:
    spans = []
    for number, at in enumerate(starts):
        root, child = 2 * number + 1, 2 * number + 2
        spans += [
            span(number + 1, root, start=at, duration=(10 + number % 7) * MS, service="web"),
            span(
                number + 1,
                child,
                root,
                start=at + MS,
                duration=3 * MS,
                service="db",
                name="q",
                kind="Client",
                StatusCode="Error" if number % 9 == 0 else "Unset",
                SamplingWeight=float(1 + number % 3),
            ),
        ]
    write_spans(engine, records(spans), imported=True)
    ids = [f"{number + 1:032x}" for number in range(len(starts))]
    facts = analyse(read_spans(engine, ids, start_ns=0, end_ns=2**62, after_ns=None)).facts
    write_facts(engine, facts, version_ns=EPOCH)
    return facts


@pytest.mark.parametrize("rolled", ["facts", "minutes", "hours"])
def test_baselines_read_from_the_store_are_those_of_the_facts(rolled: str) -> None:
    with fresh_engine() as engine:
        facts = _fill(engine, [HOUR + 20 * SECOND * number for number in range(200)])
        if rolled != "facts":
            for minute in range(HOUR, HOUR + 4000 * SECOND, MINUTE_NS):
                roll_up_minute(engine, minute, version_ns=EPOCH)
        if rolled == "hours":
            roll_up_hour(engine, HOUR, version_ns=EPOCH)
        window = Window(HOUR - 5, HOUR + 2 * HOUR_NS)
        read = read_baselines(_context(engine), Normal((window,), "given"), facts.paths)
    made = baselines_from_facts(facts)
    for name in ("critical", "self_time", "calls"):
        left, right = getattr(read.paths, name), getattr(made.paths, name)
        assert left.offset.tolist() == right.offset.tolist(), name
        assert left.bucket.tolist() == right.bucket.tolist(), name
        np.testing.assert_allclose(left.count, right.count)
        np.testing.assert_allclose(left.weight2, right.weight2)
    assert read.operations.key.tolist() == made.operations.key.tolist()
    assert read.operations.durations.bucket.tolist() == made.operations.durations.bucket.tolist()
    np.testing.assert_allclose(read.operations.durations.count, made.operations.durations.count)
    np.testing.assert_allclose(read.operations.durations.weight2, made.operations.durations.weight2)


def test_the_same_hour_of_earlier_weeks_is_normal_when_it_has_enough() -> None:
    with fresh_engine() as engine:
        _fill(engine, [HOUR - WEEK + number * SECOND for number in range(80)])
        window = Window(HOUR + 60 * SECOND, HOUR + 600 * SECOND)
        normal = choose(_context(engine), window, None)
    assert normal.chosen == "same hour of week"
    assert normal.windows[0] == Window(HOUR - WEEK, HOUR - WEEK + HOUR_NS)
    assert len(normal.windows) == 4


def test_else_the_last_day_else_all_before_else_nothing() -> None:
    window = Window(HOUR, HOUR + 600 * SECOND)
    day = 24 * HOUR_NS
    for starts, chosen in (
        ([HOUR - day + number * SECOND for number in range(80)], "last 24 h"),
        ([HOUR - 3 * day + number * SECOND for number in range(80)], "all before"),
        ([HOUR + number * SECOND for number in range(80)], "none"),
    ):
        with fresh_engine() as engine:
            _fill(engine, starts)
            assert choose(_context(engine), window, None).chosen == chosen


def test_a_window_that_is_given_is_taken() -> None:
    given = Window(1, 2)
    with fresh_engine() as engine:
        assert choose(_context(engine), Window(5, 6), given).windows == (given,)


def test_nothing_is_normal_before_the_clock_began() -> None:
    with fresh_engine() as engine:
        assert choose(_context(engine), Window(0, 5), None) == Normal((), "none")


def test_hours_are_those_of_the_wall_clock() -> None:
    """2026-10-25 Berlin leaves summer time: 09:00 a week before is 07:00 UTC, now it is 08:00."""
    monday_9h = int(datetime(2026, 10, 26, 9, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    with fresh_engine() as engine:
        window = Window(monday_9h * SECOND, monday_9h * SECOND + HOUR_NS)
        berlin = WEEK + HOUR_NS
        starts = [window.start_ns - berlin + number * SECOND for number in range(80)]
        _fill(engine, starts)
        normal = choose(_context(engine, "Europe/Berlin"), window, None)
    assert normal.windows[0].start_ns == window.start_ns - berlin
