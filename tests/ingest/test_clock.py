"""What becomes of ingest times when somebody sets the machine's clock."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.arriving import NOW_NS, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink
from tracer.ingest.clock import IngestClock

HOUR_NS = 3_600 * 10**9


@dataclass
class Machine:
    """A clock that can be set, and one that cannot."""

    wall: int = NOW_NS
    steady: int = 0

    def pass_ns(self, elapsed: int) -> None:
        self.wall += elapsed
        self.steady += elapsed

    def clock(self, not_before_ns: int = 0) -> IngestClock:
        return IngestClock(not_before_ns, wall_ns=lambda: self.wall, steady_ns=lambda: self.steady)


def test_it_is_the_clock_of_the_machine_while_nobody_sets_that() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_ns(5)
    assert clock() == NOW_NS + 5


def test_it_follows_forward_and_goes_on_when_set_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += HOUR_NS
    assert clock() == NOW_NS + HOUR_NS
    machine.wall -= HOUR_NS
    machine.pass_ns(7)
    assert clock() == NOW_NS + HOUR_NS + 7


def test_after_a_restart_with_a_clock_set_back_it_goes_on_from_the_watermark() -> None:
    machine = Machine()
    clock = machine.clock(NOW_NS + HOUR_NS)
    machine.pass_ns(9)
    assert clock() == NOW_NS + HOUR_NS + 9


@given(st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(0, 10**12))))
def test_it_never_goes_back_nor_slower_than_time(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for set_by, elapsed in steps:
        machine.pass_ns(elapsed)
        machine.wall += set_by
        now = clock()
        assert now >= max(before + elapsed, machine.wall)
        before = now


def test_spans_are_not_too_old_because_the_ingest_clock_is_ahead() -> None:
    month_ns = 30 * 24 * HOUR_NS
    store = Store()
    with a_sink(store, now_ns=lambda: NOW_NS + month_ns, wall_ns=lambda: NOW_NS) as sink:
        ack = sink.offer(request("a")).result(PATIENCE_S)
    assert (ack.accepted, ack.rejected) == (1, 0)
    stamped = store.blocks[0].batch.column("IngestTime").cast("int64").to_pylist()
    assert stamped[0] > NOW_NS + month_ns
