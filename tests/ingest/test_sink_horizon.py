"""Up to which ingest time everything is stored."""

from __future__ import annotations

from tests.ingest.arriving import NOW_NS, Gate, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink


def test_the_horizon_stays_below_what_is_not_committed() -> None:
    now_ns = [NOW_NS]
    gate = Gate()
    store = Store(gate)
    with a_sink(store, now_ns=lambda: now_ns[0]) as sink:
        assert sink.horizon_ns() == NOW_NS
        future = sink.offer(request("a"))
        assert gate.reached.wait(PATIENCE_S)
        now_ns[0] += 10**9
        held = sink.horizon_ns()
        assert NOW_NS < held < now_ns[0]
        gate.open()
        future.result(PATIENCE_S)
        assert sink.horizon_ns() == now_ns[0]
        now_ns[0] -= 10**9  # the clock is set back
        assert sink.horizon_ns() == NOW_NS + 10**9
        sink.offer(request("b")).result(PATIENCE_S)
    times = [block.batch.column("IngestTime").cast("int64").to_pylist() for block in store.blocks]
    assert times == [[held], [NOW_NS + 10**9 + 1]]


def test_the_horizon_waits_for_imports_too() -> None:
    now_ns = [NOW_NS]
    with a_sink(Store(), now_ns=lambda: now_ns[0]) as sink:
        told = sink.horizon_ns()
        with sink.holding() as first, sink.holding() as second:
            now_ns[0] += 10**9
            assert told < first < second
            assert sink.horizon_ns() == first
        assert sink.horizon_ns() == now_ns[0]
