"""When nothing more is taken: the queue is full, or the sink is closed."""

from __future__ import annotations

import pytest

from tests.ingest.arriving import Gate, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink, behind
from tracer.errors import Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.sink import SinkSettings


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
