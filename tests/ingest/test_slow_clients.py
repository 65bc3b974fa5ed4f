"""Clients that stop half-way, or come in crowds: waits end, and what was held is given back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.ingest.test_grpc_server import (
    EXPORT,
    LIMIT,
    LIMITS,
    Answers,
    details,
    export,
    open_channel,
    receivers,
)
from tests.ingest.test_http_server import JSON, PATIENCE_S, PROTOBUF, open_client, post
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.grpc_server import READ_AT_ONCE
from tracer.ingest.otlp.http_app import HELD_REQUESTS
from tracer.ingest.otlp.http_connection import HEAD_BYTES
from tracer.ingest.otlp.receivers import Receivers

FINE = Ack(0, 0, "")


@pytest.fixture(scope="module")
def hasty() -> Iterator[Receivers]:
    """Receivers that do not wait long, with room for three connections."""
    running = receivers(Answers(FINE), replace(LIMITS, read_timeout_s=0.2, connections=3))
    yield running
    running.stop(0)


def connected(running: Receivers) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.http_port), PATIENCE_S)


def head(kind: str, size: int) -> bytes:
    return (
        f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {size}\r\n\r\n"
    ).encode()


def until_closed(stalled: socket.socket) -> bytes:
    said = b""
    while part := stalled.recv(65_536):
        said += part
    return said


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_stalled_body_is_408_and_the_end(hasty: Receivers, kind: str) -> None:
    with connected(hasty) as stalled:
        stalled.sendall(head(kind, 1000) + b"begun")
        start, _, body = until_closed(stalled).partition(b"\r\n\r\n")
    assert start.startswith(b"HTTP/1.1 408 ")
    assert b"retry-after" not in start.lower()
    status = json_format.Parse(body, Status()) if kind == JSON else Status.FromString(body)
    assert status.code == Code.Value("DEADLINE_EXCEEDED")
    assert "read_timeout" in status.message


def test_what_stalled_bodies_held_is_given_back(hasty: Receivers) -> None:
    for _ in range(HELD_REQUESTS + 1):
        with connected(hasty) as stalled:
            stalled.sendall(head(PROTOBUF, LIMIT) + bytes(LIMIT - 1))
            assert until_closed(stalled).startswith(b"HTTP/1.1 408 ")
    with open_client(hasty) as client:
        assert post(client, bytes(LIMIT)).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"POST /v1/traces HT", head(PROTOBUF, 1)[:-2]])
def test_a_head_that_does_not_come_ends_the_connection(hasty: Receivers, begun: bytes) -> None:
    with connected(hasty) as stalled:
        stalled.sendall(begun)
        assert until_closed(stalled) == b""


def test_a_head_that_drips_ends_the_connection(hasty: Receivers) -> None:
    with connected(hasty) as stalled, pytest.raises(ConnectionError):
        for byte in head(PROTOBUF, 1) * 100:
            stalled.sendall(bytes([byte]))
            time.sleep(0.02)


def test_a_pause_between_requests_is_no_stall(hasty: Receivers) -> None:
    with open_client(hasty) as client:
        streams = set()
        for _ in range(2):
            response = post(client, b"")
            assert response.status_code == 200
            streams.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(0.4)
    assert len(streams) == 1


def test_headers_have_a_limit(hasty: Receivers) -> None:
    with open_client(hasty) as client:
        assert post(client, b"", tracestate="x" * (HEAD_BYTES // 2)).status_code == 200
    with connected(hasty) as endless:
        endless.sendall(head(PROTOBUF, 1)[:-2] + b"tracestate: " + b"x" * HEAD_BYTES)
        assert until_closed(endless).startswith(b"HTTP/1.1 400 ")


def test_too_many_connections_are_told_to_retry() -> None:
    running = receivers(Answers(FINE), replace(LIMITS, connections=2))
    idle = [connected(running) for _ in range(2)]
    with connected(running) as refused:
        assert until_closed(refused).startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After")
    for one in idle:
        one.close()
    with open_client(running) as client:
        codes = (_code(client) for _ in range(1000))
        assert next(code for code in codes if code != 503) == 200
    running.stop(0)


def _code(client: httpx.Client) -> int:
    try:
        return post(client, b"").status_code
    except httpx.TransportError:  # refused before everything was sent
        return 503


def silent(until: threading.Event) -> Iterator[bytes]:
    """A message that does not come."""
    until.wait(PATIENCE_S)
    return
    yield b""


def test_a_call_that_stalls_is_told_to_retry(hasty: Receivers) -> None:
    left = threading.Event()
    with open_channel(hasty) as channel:
        ask = channel.stream_unary(EXPORT)
        stalled = [ask.future(silent(left), timeout=PATIENCE_S) for _ in range(READ_AT_ONCE + 2)]
        for one in stalled:
            error = one.exception()
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "read_timeout" in error.details()
            assert len(details(error, RetryInfo)) == 1
        assert export(channel, b"").ByteSize() == 0
        left.set()


class Waiting:
    """A sink that answers nobody until it is told to."""

    def __init__(self) -> None:
        self.futures: list[Future[Ack]] = []
        self.arrived = threading.Semaphore(0)

    def offer(self, request: bytes) -> Future[Ack]:
        """A promise."""
        self.futures.append(Future())
        self.arrived.release()
        return self.futures[-1]


def test_one_connection_has_so_many_calls_at_once() -> None:
    sink = Waiting()
    running = receivers(sink, replace(LIMITS, streams=2))
    with open_channel(running) as channel:
        ask: Any = channel.unary_unary(EXPORT)
        calls = [ask.future(b"", timeout=PATIENCE_S) for _ in range(3)]
        for number in range(3):
            assert sink.arrived.acquire(timeout=PATIENCE_S)
            if number == 1:
                assert not sink.arrived.acquire(timeout=0.2)
                sink.futures[0].set_result(FINE)
        for future in sink.futures[1:]:
            future.set_result(FINE)
        assert [call.result(PATIENCE_S) for call in calls] == [b""] * 3
    running.stop(0)


def test_what_the_store_does_not_answer_in_time_may_be_sent_again() -> None:
    sink = Waiting()
    running = receivers(sink)
    answers: list[httpx.Response] = []
    with open_channel(running) as channel, open_client(running) as client:
        over_grpc = channel.unary_unary(EXPORT).future(b"", timeout=PATIENCE_S)
        over_http = threading.Thread(target=lambda: answers.append(post(client, b"")))
        over_http.start()
        for _ in range(2):
            assert sink.arrived.acquire(timeout=PATIENCE_S)
        running.stop(0.1)
        over_http.join()
        assert over_grpc.exception().code() is grpc.StatusCode.UNAVAILABLE
    assert (answers[0].status_code, answers[0].headers["retry-after"]) == (503, "1")
    assert Status.FromString(answers[0].content).code == Code.Value("UNAVAILABLE")
