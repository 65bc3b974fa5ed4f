from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from tests.ingest.arriving import NOW_NS, Gate, Store, decode, request, span_names
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, StoreFailure, Unavailable
from tracer.ingest.commit import SEARCH_LIMIT, Ack, BlockDone
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import Arrivals, StepSettings

EAGER = SinkSettings(small_bytes=0)
PATIENCE_S = 20


@contextmanager
def a_sink(store: Store, settings: SinkSettings = EAGER, **more: Any) -> Iterator[Sink]:
    more.setdefault("now_ns", lambda: NOW_NS)
    sink = Sink(decode=decode, write=store.write, settings=settings, **more)
    try:
        yield sink
    finally:
        sink.close(PATIENCE_S)


def behind(gate: Gate, sink: Sink, requests: list[bytes]) -> list[Future[Ack]]:
    """Futures of `requests`, queued while a first block is being written: so they share a block."""
    sink.offer(request("first"))
    assert gate.reached.wait(PATIENCE_S)
    futures = [sink.offer(one) for one in requests]
    gate.open()
    return futures


def refuse(*names: str, error: Exception) -> Any:
    """A `before` that refuses every block with a span of one of these names in it."""

    def before(block: SpanRecords) -> None:
        if set(names) & set(span_names(block)):
            raise error

    return before


def then(*befores: Any) -> Any:
    def before(block: SpanRecords) -> None:
        for one in befores:
            one(block)

    return before


def test_acknowledged_only_after_the_write_returned() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store) as sink:
        future = sink.offer(request("a", "b"))
        assert gate.reached.wait(PATIENCE_S)
        assert not future.done()
        assert sink.alive()
        gate.open()
        assert future.result(PATIENCE_S) == Ack(2, 0, "")
    assert store.names() == ["a", "b"]


def test_what_queues_during_a_write_is_the_next_block() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store) as sink:
        for future in behind(gate, sink, [request(f"s{i}") for i in range(50)]):
            assert future.result(PATIENCE_S).accepted == 1
    assert [len(block) for block in store.blocks] == [1, 50]


def test_a_block_has_a_most_bytes() -> None:
    gate = Gate()
    store = Store(gate)
    one = request("same")
    most = SinkSettings(small_bytes=0, block_bytes=10 * len(one) + 1)
    with a_sink(store, most) as sink:
        requests = [request(f"sp{i:02}") for i in range(40)]
        for future in behind(gate, sink, requests):
            future.result(PATIENCE_S)
    assert [len(block) for block in store.blocks] == [1, 10, 10, 10, 10]


def test_a_block_has_a_most_rows_learned_from_blocks_before() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store, SinkSettings(small_bytes=0, block_rows=8)) as sink:
        requests = [request(f"sp{i:02}") for i in range(40)]
        for future in behind(gate, sink, requests):
            future.result(PATIENCE_S)
    assert all(len(block) <= 8 for block in store.blocks)
    assert len(store.names()) == 41


def test_a_request_larger_than_a_block_is_a_block() -> None:
    store = Store()
    with a_sink(store, SinkSettings(small_bytes=0, block_bytes=1)) as sink:
        assert sink.offer(request(*"abcdef")).result(PATIENCE_S).accepted == 6
    assert [len(block) for block in store.blocks] == [6]


def test_small_requests_wait_for_company() -> None:
    store = Store()
    slow = SinkSettings(small_bytes=1 << 20, interval_s=0.3)
    with a_sink(store, slow) as sink:
        sink.offer(request("first")).result(PATIENCE_S)
        futures = [sink.offer(request(f"s{i}")) for i in range(20)]
        for future in futures:
            future.result(PATIENCE_S)
    assert [len(block) for block in store.blocks] == [1, 20]


def test_a_second_block_is_begun_early_only_when_it_is_worth_it() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store, SinkSettings(small_bytes=0, overlap_bytes=0)) as sink:
        futures = behind(gate, sink, [request("a"), request("b")])
        assert [future.result(PATIENCE_S).accepted for future in futures] == [1, 1]
    assert store.names() == ["first", "a", "b"]


def test_a_request_that_does_not_decode_fails_alone() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store) as sink:
        good, bad, last = behind(gate, sink, [request("a"), b"\xff\xff", request("b")])
        assert good.result(PATIENCE_S) == Ack(1, 0, "")
        assert last.result(PATIENCE_S) == Ack(1, 0, "")
        with pytest.raises(BadInput, match="not an OTLP trace request"):
            bad.result(PATIENCE_S)
    assert store.names() == ["first", "a", "b"]
    assert sink.stats().refused_requests == {"BadInput": 1}


def test_rejected_spans_are_told_with_the_reason() -> None:
    store = Store()
    with a_sink(store) as sink:
        ack = sink.offer(request("a", "", "b")).result(PATIENCE_S)
    assert ack == Ack(2, 1, "1 rejected: the span has no name")
    assert sink.stats().rejected_spans == {"the span has no name": 1}
    assert sink.stats().accepted_spans == 2


def test_the_guilty_request_is_found_and_the_rest_is_stored() -> None:
    gate = Gate()
    store = Store(then(gate, refuse("bad", "worse", error=StoreFailure("type mismatch"))))
    requests = [request(f"s{i}") for i in range(30)]
    requests[7:7] = [request("bad")]
    requests += [request("worse")]
    with a_sink(store) as sink:
        futures = behind(gate, sink, requests)
        for one, future in zip(requests, futures, strict=True):
            if one in (request("bad"), request("worse")):
                with pytest.raises(StoreFailure, match="type mismatch"):
                    future.result(PATIENCE_S)
            else:
                assert future.result(PATIENCE_S) == Ack(1, 0, "")
    assert sorted(store.names()) == sorted(["first", *(f"s{i}" for i in range(30))])


def test_a_request_that_breaks_the_decoder_does_not_take_others_with_it() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store) as sink:
        good, bad, last = behind(gate, sink, [request("a"), b"poison", request("b")])
        assert good.result(PATIENCE_S) == last.result(PATIENCE_S) == Ack(1, 0, "")
        with pytest.raises(StoreFailure, match="RuntimeError: poison"):
            bad.result(PATIENCE_S)


def test_a_store_that_refuses_everything_is_not_asked_for_each_request() -> None:
    asked = []
    gate = Gate()

    def no(block: SpanRecords) -> None:
        if span_names(block) != ["first"]:
            asked.append(len(block))
            raise StoreFailure("disk format error")

    with a_sink(Store(then(gate, no))) as sink:
        futures = behind(gate, sink, [request(f"s{i}") for i in range(1000)])
        errors = [type(future.exception(PATIENCE_S)) for future in futures]
    assert set(errors) == {StoreFailure, Unavailable}
    assert len(asked) <= 2 * SEARCH_LIMIT


def test_a_store_that_cannot_write_now_acknowledges_nothing_and_forgets_nothing() -> None:
    full = [True]

    def before(block: SpanRecords) -> None:
        if full[0]:
            raise Unavailable("no space left on device", retry_after_s=5.0)

    store = Store(before)
    with a_sink(store) as sink:
        with pytest.raises(Unavailable, match="no space left") as raised:
            sink.offer(request("a")).result(PATIENCE_S)
        assert raised.value.retry_after_s == 5.0
        full[0] = False
        assert sink.offer(request("a")).result(PATIENCE_S) == Ack(1, 0, "")
    assert store.names() == ["a"]


def test_a_full_queue_refuses_and_takes_again_once_there_is_room() -> None:
    gate = Gate()
    store = Store(gate)
    one = request("same-size-0")
    with a_sink(store, SinkSettings(small_bytes=0, queue_bytes=3 * len(one))) as sink:
        futures = [sink.offer(request(f"same-size-{i}")) for i in range(3)]
        with pytest.raises(Unavailable, match="queue is full") as raised:
            sink.offer(request("same-size-3"))
        assert raised.value.retry_after_s >= 1
        assert raised.value.reason == "queue_full"
        assert sink.stats().queue_bytes == 3 * len(one)
        gate.open()
        for future in futures:
            future.result(PATIENCE_S)
        assert sink.offer(request("same-size-3")).result(PATIENCE_S).accepted == 1
    assert sink.stats().refused_requests == {"queue full": 1}
    assert sink.stats().queue_bytes == 0


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


def test_an_empty_request_is_acknowledged_and_writes_nothing() -> None:
    store = Store()
    with a_sink(store) as sink:
        assert sink.offer(b"").result(PATIENCE_S) == Ack(0, 0, "")
    assert store.blocks == []


def test_own_telemetry_is_left_out_without_an_error() -> None:
    store = Store()
    done: list[BlockDone] = []

    def ours(arrivals: Arrivals, settings: StepSettings, now_ns: int) -> Arrivals:
        assert len(arrivals.records) == 2
        none = SpanRecords(arrivals.records.batch.slice(0, 0))
        return Arrivals(none, arrivals.request_of[:0], dropped=2)

    with a_sink(store, steps=(ours,), watch=done.append) as sink:
        ack = sink.offer(request("a", "b", service="tracer")).result(PATIENCE_S)
    assert ack == Ack(0, 0, "")
    assert store.blocks == []
    assert sink.stats().own_spans == 2
    assert [(one.result.dropped, one.foreign) for one in done] == [(2, 0)]


def test_who_watches_is_told_of_every_block_before_its_senders_are() -> None:
    done: list[BlockDone] = []
    gate = Gate()
    store = Store(then(gate, refuse("bad", error=Unavailable("disk full"))))
    with a_sink(store, watch=done.append) as sink:
        futures = behind(gate, sink, [request("a", ""), request("b", service="tracer")])
        assert futures[0].result(PATIENCE_S) == Ack(1, 1, "1 rejected: the span has no name")
        assert [(one.requests, one.result.rows, one.result.dropped) for one in done] == [
            (1, 1, 0),
            (2, 2, 0),
        ]
        assert [one.foreign for one in done] == [1, 2]
        assert done[1].request_bytes == len(request("a", "")) + len(request("b", service="tracer"))
        assert done[1].commit_s >= done[1].decode_s + done[1].write_s > 0
        with pytest.raises(Unavailable, match="disk full"):
            sink.offer(request("bad")).result(PATIENCE_S)
        assert [type(one) for one in done[2].result.outcomes] == [Unavailable]


def test_close_commits_what_is_queued_and_refuses_what_comes_later() -> None:
    gate = Gate()
    store = Store(gate)
    with a_sink(store, SinkSettings()) as sink:
        futures = behind(gate, sink, [request(f"s{i}") for i in range(5)])
        sink.close(PATIENCE_S)
        assert [future.result(0) for future in futures] == [Ack(1, 0, "")] * 5
        with pytest.raises(Unavailable, match="shutting down") as raised:
            sink.offer(request("late"))
        assert raised.value.reason == "closing"
        assert not sink.alive()
    assert len(store.names()) == 6


def test_close_does_not_wait_for_ever() -> None:
    gate = Gate()
    with a_sink(Store(gate), SinkSettings(small_bytes=0, block_bytes=1)) as sink:
        sink.offer(request("first"))
        assert gate.reached.wait(PATIENCE_S)
        waiting = sink.offer(request("second"))
        sink.close(0.05)
        with pytest.raises(Unavailable, match="before it could store"):
            waiting.result(0)
        gate.open()


def test_many_threads_lose_nothing_and_store_nothing_twice() -> None:
    store = Store()
    with a_sink(store, SinkSettings(small_bytes=0, overlap_bytes=0)) as sink:

        def send(sender: int) -> None:
            for number in range(100):
                one = request(f"{sender}-{number}")
                sink.offer(one)
                assert sink.offer(one).result(PATIENCE_S) == Ack(1, 0, "")

        senders = [threading.Thread(target=send, args=(i,)) for i in range(8)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert sorted(store.names()) == sorted(f"{i}-{j}" for i in range(8) for j in range(100))
    stats = sink.stats()
    assert (stats.accepted_spans, stats.committed_requests, stats.repeated_requests) == (
        800,
        800,
        800,
    )
