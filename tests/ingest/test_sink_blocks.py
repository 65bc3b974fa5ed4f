"""Which requests share a block."""

from __future__ import annotations

from tests.ingest.arriving import Gate, Store, request
from tests.ingest.sinks import PATIENCE_S, a_sink, behind
from tracer.ingest.sink import SinkSettings


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
