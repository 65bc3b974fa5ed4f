"""Requests in, acknowledgements out once they are stored."""

from __future__ import annotations

import threading

import pytest

from tests.ingest.arriving import Gate, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink, behind, refuse, then
from tracer.columns.records import SpanRecords
from tracer.errors import Unavailable
from tracer.ingest.commit import Ack, BlockDone
from tracer.ingest.sink import SinkSettings
from tracer.ingest.steps import Arrivals, StepSettings


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


def test_rejected_spans_are_told_with_the_reason() -> None:
    store = Store()
    with a_sink(store) as sink:
        ack = sink.offer(request("a", "", "b")).result(PATIENCE_S)
    assert ack == Ack(2, 1, "1 rejected: the span has no name")
    assert sink.stats().rejected_spans == {"the span has no name": 1}
    assert sink.stats().accepted_spans == 2


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
