"""The comparison of facts and minutes with raw spans finds nothing in a sound store, and finds
what is wrong in a damaged one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.soak.stored import compare
from tests.soak.traffic import Traffic
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH
from tracer.analysis.analyse import analyse
from tracer.ingest.otlp.decode import decode
from tracer.service.settle import Rules, Settler
from tracer.store.activity import read_bounds, read_spans
from tracer.store.engine import Engine
from tracer.store.facts import write_facts
from tracer.store.reader import spans_by_trace
from tracer.store.rollups import HOUR_NS
from tracer.store.writer import write_spans
from tracer.units import NS_PER_S

RULES = Rules(settle_ns=NS_PER_S, root_wait_ns=2 * NS_PER_S, max_trace_age_ns=300 * NS_PER_S)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A store with settled traffic, in pieces, every minute of it rolled up."""
    with fresh_engine() as opened:
        now_ns = EPOCH
        traffic = Traffic(seed=3)
        requests = [one for _ in range(300) for one in traffic.trace(now_ns)]
        requests += traffic.rest(now_ns)
        clock = [now_ns]
        settler = Settler(opened, RULES, now_ns=lambda: clock[0], horizon_ns=lambda: clock[0])
        for request in requests:
            write_spans(opened, decode([request.body], ingest_ns=clock[0]).records)
            clock[0] += 3 * NS_PER_S
            settler.step()
        clock[0] += 200 * NS_PER_S
        settler.step()
        yield opened


def test_a_sound_store_says_what_its_spans_say(engine: Engine) -> None:
    found = compare(engine)
    assert len(found.facts) == 300
    assert found.wrong_facts == []
    assert len(found.minutes) > 3
    assert found.wrong_minutes == []


def test_a_histogram_counted_twice_is_found(engine: Engine) -> None:
    minute = compare(engine).minutes[0]
    engine.command(
        "INSERT INTO tracer_operations SELECT * FROM tracer_operations "
        f"WHERE Grain = 'minute' AND PeriodNs = {minute}"
    )
    assert compare(engine).wrong_minutes == [minute]


def test_a_path_counted_twice_is_found(engine: Engine) -> None:
    minute = compare(engine).minutes[-1]
    engine.command(
        "INSERT INTO tracer_path_sums SELECT * FROM tracer_path_sums "
        f"WHERE Grain = 'minute' AND PeriodNs = {minute}"
    )
    assert minute in compare(engine).wrong_minutes


def test_one_nanosecond_too_many_in_one_fact_is_found(engine: Engine) -> None:
    trace_id = spans_by_trace(engine, 0, 2**62)[0][0]
    start_ns, end_ns = read_bounds(engine, [trace_id])
    spans = read_spans(engine, [trace_id], start_ns=start_ns, end_ns=end_ns, after_ns=None)
    facts = analyse(spans).facts
    self_ns = facts.self_ns.copy()
    self_ns[-1] += 1
    later_ns = EPOCH + 24 * HOUR_NS  # than all versions in this store
    write_facts(engine, replace(facts, self_ns=self_ns), version_ns=later_ns)
    assert [one for one, _ in compare(engine).wrong_facts] == [trace_id]


def test_a_fact_whose_trace_is_gone_is_found(engine: Engine) -> None:
    before = len(compare(engine).wrong_facts)
    engine.command(
        "INSERT INTO tracer_facts SELECT * REPLACE ('00' AS TraceId) FROM tracer_facts FINAL "
        "WHERE IsDeleted = 0 ORDER BY TraceId LIMIT 1"
    )
    assert len(compare(engine).wrong_facts) == before + 1
