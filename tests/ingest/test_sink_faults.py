"""Bad requests among good ones, and stores that do not take blocks."""

from __future__ import annotations

import pytest

from tests.ingest.arriving import Gate, Store, request, span_names
from tests.ingest.sinks import PATIENCE_S, a_sink, behind, refuse, then
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, StoreFailure, Unavailable
from tracer.ingest.commit import SEARCH_LIMIT, Ack


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
