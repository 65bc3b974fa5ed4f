"""The receivers beside each other: two loops, one sink."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import pytest

from tests.ingest.arriving import Gate, Store, decode, request
from tests.ingest.test_grpc_server import EXPORT, Answers, export, open_channel, receivers
from tests.ingest.test_http_server import JSON, PATIENCE_S, open_client, post
from tracer.ingest.commit import Ack
from tracer.ingest.otlp import http_app
from tracer.ingest.otlp.door import Visit
from tracer.ingest.sink import Sink, SinkSettings

FINE = Ack(0, 0, "")
EAGER = SinkSettings(small_bytes=0)
PARTIAL = "partial_success"


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.mark.parametrize("held", ["http", "grpc"])
def test_one_receiver_goes_on_while_the_other_is_held_up(
    held: str, elsewhere: ThreadPoolExecutor
) -> None:
    gate = threading.Event()
    reached = threading.Event()

    def identify(headers: Mapping[str, str]) -> str:
        if "hold" in headers:
            reached.set()
            gate.wait(PATIENCE_S)
        return "someone"

    running = receivers(Answers(FINE), identify=identify)
    with open_channel(running) as channel, open_client(running) as client:
        if held == "http":
            late = elsewhere.submit(lambda: post(client, b"", hold="1").status_code == 200)
        else:
            late = elsewhere.submit(
                lambda: not export(channel, b"", metadata=(("hold", "1"),)).HasField(PARTIAL)
            )
        assert reached.wait(PATIENCE_S)
        for _ in range(3):
            if held == "http":
                export(channel, b"")
            else:
                assert post(client, b"").status_code == 200
        assert not late.done()
        gate.set()
        assert late.result(PATIENCE_S)
    running.stop(PATIENCE_S)


def test_one_request_over_both_is_stored_once_and_answered_twice(
    elsewhere: ThreadPoolExecutor,
) -> None:
    gate = Gate()
    store = Store(gate)
    sink = Sink(decode=decode, write=store.write, steps=(), settings=EAGER)
    threads = set()

    def watch(visit: Visit) -> None:
        threads.add((visit.transport, threading.current_thread().name))

    running = receivers(sink, watch=watch)
    with open_channel(running) as channel, open_client(running) as client:
        first = channel.unary_unary(EXPORT).future(request("a"), timeout=PATIENCE_S)
        assert gate.reached.wait(PATIENCE_S)
        second = elsewhere.submit(post, client, request("a"))
        while not sink.stats().repeated_requests:
            assert not second.done()
            time.sleep(0.005)
        gate.open()
        assert first.result(PATIENCE_S) == b""
        assert second.result(PATIENCE_S).status_code == 200
    running.stop(PATIENCE_S)
    sink.close(PATIENCE_S)
    assert store.names() == ["a"]
    assert threads == {("grpc", "tracer-otlp-grpc"), ("http/protobuf", "tracer-otlp-http")}


def test_a_stop_does_not_wait_for_what_is_still_unpacked(
    monkeypatch: pytest.MonkeyPatch, elsewhere: ThreadPoolExecutor
) -> None:
    gate = threading.Event()
    reached = threading.Event()
    unpack = http_app._unpack

    def slow(body: bytes, coding: str, media_type: str, limit: int) -> bytes:
        reached.set()
        gate.wait(PATIENCE_S)
        return unpack(body, coding, media_type, limit)

    monkeypatch.setattr(http_app, "_unpack", slow)
    running = receivers(Answers(FINE))
    with open_client(running) as client:
        asked = elsewhere.submit(post, client, b"{}", JSON)
        assert reached.wait(PATIENCE_S)
        running.stop(0)
        assert asked.result(PATIENCE_S).status_code == 503
    gate.set()


def test_a_stop_stops_both_and_only_once() -> None:
    running = receivers(Answers(FINE))
    running.stop(0)
    running.stop(0)
    running.tell_ready(True)
    assert not {one.name for one in threading.enumerate()} & {
        "tracer-otlp-grpc",
        "tracer-otlp-http",
    }
    with open_channel(running) as channel, pytest.raises(grpc.RpcError):
        export(channel, b"")
    with open_client(running) as client, pytest.raises(httpx.ConnectError):
        post(client, b"")
