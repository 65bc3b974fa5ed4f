"""What a client is told, as one table: every outcome, over HTTP in both encodings and over gRPC."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, NamedTuple

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.ingest.arriving import Gate, Store, decode, request
from tests.ingest.test_grpc_server import EXPORT, LIMIT, LIMITS, open_channel, receivers
from tests.ingest.test_http_server import JSON, PATIENCE_S, PROTOBUF, as_json, open_client
from tracer.errors import StoreFailure
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.receivers import Receivers
from tracer.ingest.sink import Sink, SinkSettings

ENCODINGS: Final = (PROTOBUF, JSON)
QUICK: Final = replace(LIMITS, read_timeout_s=0.2)


class Told(NamedTuple):
    """What a client gets: the HTTP status, the code of the Status, whether to try again."""

    http: int
    code: str
    retries: bool = False


class Ask(NamedTuple):
    """How one request over HTTP differs from a good one."""

    told: Told
    body: bytes | None = None  # None: a good one
    path: str = "/v1/traces"
    method: str = "POST"
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


OK: Final = Told(200, "OK")
OVER_HTTP: Final = {
    "good": Ask(OK),
    "parameters of the type": Ask(OK, headers={"Content-Type": "{kind}; charset=utf-8"}),
    "type in capitals": Ask(OK, headers={"Content-Type": "{KIND}"}),
    "empty": Ask(OK, body=b""),
    "bad body": Ask(Told(400, "INVALID_ARGUMENT"), body=b"\xff{"),
    "not gzip": Ask(
        Told(400, "INVALID_ARGUMENT"), body=b"\xff{", headers={"Content-Encoding": "gzip"}
    ),
    "unknown coding": Ask(
        Told(415, "INVALID_ARGUMENT"), body=b"", headers={"Content-Encoding": "br"}
    ),
    "two codings": Ask(
        Told(415, "INVALID_ARGUMENT"), body=b"", headers={"Content-Encoding": "gzip, gzip"}
    ),
    "wrong path": Ask(Told(404, "NOT_FOUND"), path="/v2/traces"),
    "path with a slash": Ask(Told(404, "NOT_FOUND"), path="/v1/traces/"),
    "metrics": Ask(Told(404, "UNIMPLEMENTED"), path="/v1/metrics"),
    "logs": Ask(Told(404, "UNIMPLEMENTED"), path="/v1/logs"),
    "profiles": Ask(Told(404, "UNIMPLEMENTED"), path="/v1development/profiles"),
    "wrong method": Ask(Told(405, "UNIMPLEMENTED"), method="PUT"),
    "method without body": Ask(Told(405, "UNIMPLEMENTED"), body=b"", method="OPTIONS"),
    "too large": Ask(Told(413, "RESOURCE_EXHAUSTED"), body=bytes(LIMIT + 1)),
    "too large unpacked": Ask(
        Told(413, "RESOURCE_EXHAUSTED"),
        body=gzip.compress(bytes(LIMIT + 1)),
        headers={"Content-Encoding": "gzip"},
    ),
}


class Broken:
    """A sink that fails in a way nobody foresaw."""

    def offer(self, body: bytes) -> Future[Ack]:
        """Never an answer."""
        raise ValueError("secret")


class Full(Sink):
    """A sink with one request in it and no room for a second, until it is closed."""

    def __init__(self) -> None:
        self._gate = Gate()
        settings = SinkSettings(queue_bytes=1, small_bytes=0)
        super().__init__(decode=decode, write=Store(self._gate).write, steps=(), settings=settings)
        self.offer(request("first"))
        assert self._gate.reached.wait(PATIENCE_S)

    def close(self, timeout_s: float = 30.0) -> None:
        """Writes what it has."""
        self._gate.open()
        super().close(timeout_s)


def closing() -> Sink:
    """A sink that takes nothing any more."""
    sink = Sink(decode=decode, write=Store().write, steps=())
    sink.close()
    return sink


def failing() -> Sink:
    """A sink whose store refuses what it should take."""

    def refuse(block: Any) -> None:
        raise StoreFailure("no")

    return Sink(decode=decode, write=Store(refuse).write, steps=())


BY_SINK: Final = {
    Full: Told(503, "UNAVAILABLE", retries=True),
    closing: Told(503, "UNAVAILABLE", retries=True),
    failing: Told(500, "INTERNAL"),
    Broken: Told(500, "INTERNAL"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Receivers]:
    sink = Sink(decode=decode, write=Store().write, steps=(), settings=SinkSettings(small_bytes=0))
    running = receivers(sink)
    yield running
    running.stop(PATIENCE_S)
    sink.close()


@pytest.fixture(scope="module", params=BY_SINK, ids=lambda sink: sink.__name__)
def troubled(request: pytest.FixtureRequest) -> Iterator[tuple[Receivers, Told]]:
    sink = request.param()
    running = receivers(sink)
    yield running, BY_SINK[request.param]
    if isinstance(sink, Sink):
        sink.close()
    running.stop(PATIENCE_S)


def good(kind: str) -> bytes:
    return as_json(request("a")) if kind == JSON else request("a")


def asked(running: Receivers, ask: Ask, kind: str) -> httpx.Response:
    headers = {"Content-Type": kind} | {
        name: value.format(kind=kind, KIND=kind.upper()) for name, value in ask.headers.items()
    }
    body = good(kind) if ask.body is None else ask.body
    if ask.body == b"" and kind == JSON and ask.told is OK:
        body = b"{}"
    with open_client(running) as client:
        return client.request(ask.method, ask.path, content=body, headers=headers)


def is_told(answer: httpx.Response, told: Told, kind: str) -> None:
    """The answer says what the row says, in the encoding of the request."""
    assert (answer.status_code, answer.headers["content-type"]) == (told.http, kind)
    assert ("retry-after" in answer.headers) == told.retries
    if told.http == 200:
        message: Any = ExportTraceServiceResponse()
    else:
        message = Status()
    if kind == JSON:
        json_format.Parse(answer.content, message)
    else:
        message.ParseFromString(answer.content)
    if told.http != 200:
        status_is_told(message, told)


def status_is_told(status: Status, told: Told) -> None:
    assert (Code.Name(status.code), bool(status.message)) == (told.code, True)
    assert "secret" not in status.message
    assert any(one.Is(RetryInfo.DESCRIPTOR) for one in status.details) == told.retries


@pytest.mark.parametrize("kind", ENCODINGS)
@pytest.mark.parametrize("name", OVER_HTTP)
def test_over_http(running: Receivers, name: str, kind: str) -> None:
    ask = OVER_HTTP[name]
    is_told(asked(running, ask, kind), ask.told, kind)


@pytest.mark.parametrize("kind", ENCODINGS)
def test_over_http_when_the_sink_refuses(troubled: tuple[Receivers, Told], kind: str) -> None:
    running, told = troubled
    is_told(asked(running, Ask(told), kind), told, kind)


@pytest.mark.parametrize("kind", ENCODINGS)
def test_a_partial_success(running: Receivers, kind: str) -> None:
    body = request("a", "")
    answer = asked(running, Ask(OK, as_json(body) if kind == JSON else body), kind)
    is_told(answer, OK, kind)
    assert b"no name" in answer.content


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-protobuf-not", "application/*"])
def test_other_types_are_told_in_json(running: Receivers, kind: str) -> None:
    is_told(asked(running, Ask(Told(415, ""), b""), kind), Told(415, "INVALID_ARGUMENT"), JSON)


@pytest.mark.parametrize("kind", ENCODINGS)
def test_a_head_is_answered_without_a_body(running: Receivers, kind: str) -> None:
    answer = asked(running, Ask(OK, b"", method="HEAD"), kind)
    assert (answer.status_code, answer.content) == (405, b"")


def call(running: Receivers, body: bytes, method: str = EXPORT, **more: Any) -> Told:
    """What the server tells over gRPC, without an HTTP status."""
    with open_channel(running) as channel:
        try:
            channel.unary_unary(method)(body, timeout=PATIENCE_S, **more)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            retries = False
            if status:
                retries = any(one.Is(RetryInfo.DESCRIPTOR) for one in status.details)
                bad = any(one.Is(BadRequest.DESCRIPTOR) for one in status.details)
                assert bad == (error.code() is grpc.StatusCode.INVALID_ARGUMENT)
                assert "secret" not in status.message
            return Told(0, error.code().name, retries)
    return Told(0, "OK")


SERVICES: Final = "/opentelemetry.proto.collector"
OVER_GRPC: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "good": ("OK", {"body": request("a")}),
    "empty": ("OK", {"body": b""}),
    "gzip": ("OK", {"body": request("a"), "compression": grpc.Compression.Gzip}),
    "bad body": ("INVALID_ARGUMENT", {"body": b"\xff{"}),
    "too large": ("RESOURCE_EXHAUSTED", {"body": bytes(LIMIT + 1)}),
    "too large unpacked": (
        "RESOURCE_EXHAUSTED",
        {"body": bytes(8 * LIMIT), "compression": grpc.Compression.Gzip},
    ),
    "metrics": (
        "UNIMPLEMENTED",
        {"body": b"", "method": f"{SERVICES}.metrics.v1.MetricsService/Export"},
    ),
    "logs": ("UNIMPLEMENTED", {"body": b"", "method": f"{SERVICES}.logs.v1.LogsService/Export"}),
    "unknown method": (
        "UNIMPLEMENTED",
        {"body": b"", "method": f"{SERVICES}.trace.v1.TraceService/Import"},
    ),
}


@pytest.mark.parametrize("name", OVER_GRPC)
def test_over_grpc(running: Receivers, name: str) -> None:
    code, asking = OVER_GRPC[name]
    assert call(running, **asking) == Told(0, code)


def test_over_grpc_when_the_sink_refuses(troubled: tuple[Receivers, Told]) -> None:
    running, told = troubled
    assert call(running, request("a")) == told._replace(http=0)


def test_a_call_without_a_request(running: Receivers) -> None:
    with open_channel(running) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.stream_unary(EXPORT)(iter(()), timeout=PATIENCE_S)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
