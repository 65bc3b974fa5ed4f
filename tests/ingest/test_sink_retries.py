"""A request that comes again is stored once, for as long as it is remembered."""

from __future__ import annotations

from tests.ingest.arriving import NOW_NS, Gate, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink
from tracer.ingest.commit import Ack
from tracer.ingest.sink import SinkSettings


def test_a_retry_in_flight_joins_the_first() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store) as sink:
        first = sink.offer(request("a"))
        assert gate.reached.wait(PATIENCE_S)
        second = sink.offer(request("a"))
        gate.open()
        assert first.result(PATIENCE_S) == second.result(PATIENCE_S) == Ack(1, 0, "")
    assert store.names() == ["a"]
    assert sink.stats().repeated_requests == 1


def test_a_caller_that_gives_up_does_not_cancel_for_the_others() -> None:
    gate = Gate()
    with a_sink(Store(gate)) as sink:
        first = sink.offer(request("a"))
        second = sink.offer(request("a"))
        assert not first.cancel()
        gate.open()
        assert second.result(PATIENCE_S) == Ack(1, 0, "")


def test_a_retry_after_the_commit_gets_the_same_answer_and_is_not_stored() -> None:
    store = Store()
    with a_sink(store) as sink:
        first = sink.offer(request("a", "")).result(PATIENCE_S)
        again = sink.offer(request("a", ""))
        assert again.result(0) == first == Ack(1, 1, "1 rejected: the span has no name")
    assert store.names() == ["a"]
    assert sink.stats().accepted_spans == 1


def test_a_retry_is_forgotten_after_its_time() -> None:
    now_ns = [NOW_NS]
    store = Store()
    with a_sink(store, now_ns=lambda: now_ns[0]) as sink:
        sink.offer(request("a")).result(PATIENCE_S)
        now_ns[0] += 599 * 10**9
        sink.offer(request("a")).result(PATIENCE_S)
        assert store.names() == ["a"]
        now_ns[0] += 2 * 10**9
        sink.offer(request("a")).result(PATIENCE_S)
    assert store.names() == ["a", "a"]


def test_only_so_many_requests_are_remembered() -> None:
    store = Store()
    with a_sink(store, SinkSettings(small_bytes=0, retry_memory_count=2)) as sink:
        for name in ["a", "b", "c", "c", "b", "a"]:
            sink.offer(request(name)).result(PATIENCE_S)
    assert store.names() == ["a", "b", "c", "a"]
