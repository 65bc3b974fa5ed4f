"""Processes that share a store: one clock, one horizon, one analyser, no late acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.engine import another_handle, fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.errors import BadInput, Unavailable
from tracer.service.context import Context
from tracer.service.importing import import_records
from tracer.service.presence import Presence
from tracer.service.settle import SETTLED_UNTIL, Rules, Settler
from tracer.settings import Settings
from tracer.store.engine import Engine
from tracer.store.facts import read_state
from tracer.store.members import ANALYSE, RECEIVE
from tracer.store.writer import write_spans

EXPIRY_NS = 60 * SECOND
RULES = Rules(settle_ns=10 * SECOND, root_wait_ns=60 * SECOND, max_trace_age_ns=300 * SECOND)


@dataclass
class Hand:
    """A monotonic clock that is turned by hand; it starts where no other clock is."""

    now: int = 5

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened


@pytest.fixture
def join(engine: Engine) -> Iterator[Callable[..., Presence]]:
    """Makes processes of this test; those it still has leave at the end."""
    joined: list[Presence] = []

    def another(duties: Sequence[str], clock: Callable[[], int] = time.monotonic_ns) -> Presence:
        joined.append(
            Presence(
                another_handle(engine),
                duties,
                expiry_ns=EXPIRY_NS,
                allowance_ns=5 * SECOND,
                monotonic_ns=clock,
            )
        )
        return joined[-1]

    yield another
    for one in joined:
        one.close()


def test_the_time_is_the_servers_whatever_the_own_clock_says(join: Any) -> None:
    presence = join([RECEIVE], Hand())
    assert abs(presence.now_ns() - time.time_ns()) < EXPIRY_NS


def test_the_horizon_is_what_every_receiver_has_stored(join: Any) -> None:
    analyser = join([ANALYSE])
    alone_ns = analyser.read_horizon()
    assert alone_ns < analyser.now_ns()
    receiver = join([RECEIVE])
    receiver.start(lambda: 1_000)
    receiver.beat()
    assert analyser.read_horizon() == 1_000


def test_a_receiver_that_may_be_forgotten_acknowledges_nothing(join: Any) -> None:
    hand = Hand()
    presence = join([RECEIVE], hand)
    presence.assure()
    hand.now += EXPIRY_NS
    assert not presence.is_seen()
    with pytest.raises(Unavailable, match="retry"):
        presence.assure()
    presence.beat()
    presence.assure()


def test_one_of_two_analysers_works_and_the_other_takes_over(engine: Engine, join: Any) -> None:
    first, second = join([ANALYSE]), join([ANALYSE])
    now = EPOCH + 100 * SECOND
    works, stands_by, leaves = (
        Settler(
            engine,
            RULES,
            now_ns=lambda: now,
            horizon_ns=lambda: now,
            is_first=presence.is_first_analyser,
        )
        for presence in (first, second, second)
    )
    write_spans(engine, records([span(1, 1)]))
    assert stands_by.take_turn() == leaves.take_turn() == 0
    assert works.take_turn() == 1
    works.close()
    settled_ns = read_state(engine, SETTLED_UNTIL)
    leaves.close()  # one that stood by has nothing to remember
    assert read_state(engine, SETTLED_UNTIL) == settled_ns > 0
    first.close()
    late_ns = settled_ns + SECOND
    write_spans(engine, records([span(2, 1, ingest=late_ns)]))
    now += 100 * SECOND
    assert stands_by.take_turn() == 1, "it goes on where the other came to"


def test_an_analyser_cut_off_for_too_long_does_not_work(engine: Engine, join: Any) -> None:
    hand = Hand()
    presence = join([ANALYSE], hand)
    assert presence.is_first_analyser()
    hand.now += EXPIRY_NS
    assert not presence.is_first_analyser()


class Paused:
    """An engine for one analyser, which is stopped once, right after it has read its spans."""

    def __init__(self, engine: Engine, meanwhile: Callable[[], None]) -> None:
        self._engine = engine
        self._meanwhile: Callable[[], None] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def arrow(self, sql: str, parameters: Any = None) -> Any:
        table = self._engine.arrow(sql, parameters)
        if "FROM otel_traces WHERE" in sql and self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return table


def test_an_analyser_paused_in_a_step_puts_nothing_old_above_the_work_of_another(
    engine: Engine,
) -> None:
    now, first = EPOCH + 100 * SECOND, "paused"

    def analyser(name: str, on: Any) -> Settler:
        return Settler(
            on, RULES, now_ns=lambda: now, horizon_ns=lambda: now, is_first=lambda: first == name
        )

    def meanwhile() -> None:
        nonlocal now, first
        write_spans(engine, records([span(1, 2, 1, ingest=now)]))
        now, first = now + 50 * SECOND, "other"
        assert analyser("other", engine).take_turn() == 1

    write_spans(engine, records([span(1, 1)]))
    paused = analyser("paused", Paused(engine, meanwhile))
    assert paused.take_turn() == 1
    paused.close()
    assert engine.rows("SELECT SpanCount FROM tracer_facts FINAL") == [(2,)]
    assert read_state(engine, SETTLED_UNTIL) == now - 1, "what the other has written"


def test_an_import_past_running_processes_is_refused(engine: Engine, join: Any) -> None:
    context = Context(engine, Settings(store="clickhouse://me:hunter2@h/d"), time.time_ns)
    analyser = join([ANALYSE])
    with pytest.raises(BadInput, match="analyses clickhouse://h:8123/d: import through the API"):
        import_records(context, records([span(1, 1)]))
    analyser.close()
    assert import_records(context, records([span(1, 1)])) == 1
