from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from tests.ingest.arriving import Gate, Store, decode, request
from tracer.errors import BadInput, StoreFailure, TracerError, Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.decode import decode as otlp_decode
from tracer.ingest.otlp.grpc_server import TRACE_SERVICE
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.receivers import Receivers, start_receivers
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import redact

EXPORT = f"/{TRACE_SERVICE}/Export"
LIMIT = 1 << 20
LIMITS = Limits(request_bytes=LIMIT)
PATIENCE_S = 20


class Answers:
    """A sink that gives one answer: an acknowledgement, or an error now or later."""

    def __init__(self, answer: Ack | TracerError, later: bool = False) -> None:
        self._answer = answer
        self._later = later

    def offer(self, request: bytes) -> Future[Ack]:
        """The answer."""
        future: Future[Ack] = Future()
        if isinstance(self._answer, Ack):
            future.set_result(self._answer)
        elif self._later:
            future.set_exception(self._answer)
        else:
            raise self._answer
        return future


def receivers(sink: Any, limits: Limits = LIMITS, **more: Any) -> Receivers:
    return start_receivers(sink, grpc_port=0, http_port=0, limits=limits, **more)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def sink(store: Store) -> Iterator[Sink]:
    sink = Sink(
        decode=decode, write=store.write, steps=(redact,), settings=SinkSettings(small_bytes=0)
    )
    yield sink
    sink.close()


@pytest.fixture
def running(sink: Sink) -> Iterator[Receivers]:
    running = receivers(sink)
    yield running
    running.stop(PATIENCE_S)


@pytest.fixture
def channel(running: Receivers) -> Iterator[grpc.Channel]:
    with open_channel(running) as channel:
        yield channel


def open_channel(running: Receivers, *options: tuple[str, Any]) -> grpc.Channel:
    local = ("grpc.use_local_subchannel_pool", 1)
    return grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}", options=[local, *options])


def export(channel: grpc.Channel, body: bytes, **more: Any) -> ExportTraceServiceResponse:
    raw = channel.unary_unary(EXPORT)(body, timeout=PATIENCE_S, **more)
    return ExportTraceServiceResponse.FromString(raw)


def refused(channel: grpc.Channel, body: bytes, method: str = EXPORT) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(method)(body, timeout=PATIENCE_S)
    return raised.value


def details(error: grpc.RpcError, kind: Any) -> list[Any]:
    status = rpc_status.from_call(error)
    found = []
    for packed in status.details if status else ():
        one = kind()
        if packed.Unpack(one):
            found.append(one)
    return found


def test_full_success_is_an_empty_response(channel: grpc.Channel, store: Store) -> None:
    assert channel.unary_unary(EXPORT)(request("a", "b"), timeout=PATIENCE_S) == b""
    assert store.names() == ["a", "b"]


def test_an_empty_request_is_a_success(channel: grpc.Channel, store: Store) -> None:
    assert channel.unary_unary(EXPORT)(b"", timeout=PATIENCE_S) == b""
    assert store.blocks == []


def test_rejected_spans_are_a_partial_success(channel: grpc.Channel, store: Store) -> None:
    partial = export(channel, request("a", "", "")).partial_success
    assert partial.rejected_spans == 2
    assert "the span has no name" in partial.error_message
    assert store.names() == ["a"]


def test_compressed_requests_are_taken(channel: grpc.Channel, store: Store) -> None:
    export(channel, request("a"), compression=grpc.Compression.Gzip)
    assert store.names() == ["a"]


def test_bad_bytes_are_an_invalid_argument(channel: grpc.Channel) -> None:
    error = refused(channel, gzip.compress(b"not a request"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (detail,) = details(error, error_details_pb2.BadRequest)
    assert "not an OTLP trace request" in detail.field_violations[0].description


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("no"), grpc.StatusCode.INVALID_ARGUMENT),
        (StoreFailure("no"), grpc.StatusCode.INTERNAL),
        (Unavailable("no", retry_after_s=2.5), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_errors_have_the_code_of_the_table(
    error: TracerError, code: grpc.StatusCode, later: bool
) -> None:
    running = receivers(Answers(error, later))
    with open_channel(running) as channel:
        answer = refused(channel, b"")
    running.stop(0)
    assert (answer.code(), answer.details()) == (code, "no")
    waits = details(answer, error_details_pb2.RetryInfo)
    assert [one.retry_delay.ToMilliseconds() for one in waits] == (
        [2500] if isinstance(error, Unavailable) else []
    )


def test_too_large_is_resource_exhausted_and_not_retryable(channel: grpc.Channel) -> None:
    error = refused(channel, bytes(LIMIT + 1))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error, error_details_pb2.RetryInfo) == []


def test_a_large_request_within_the_limit_is_taken(channel: grpc.Channel, store: Store) -> None:
    export(channel, request("x" * (LIMIT - 1000)))
    assert len(store.blocks) == 1


def test_other_signals_are_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        LogsServiceStub(channel).Export(ExportLogsServiceRequest(), timeout=PATIENCE_S)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", ["", TRACE_SERVICE])
def test_health_is_serving(channel: grpc.Channel, service: str) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service_and_knows_its_file(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=TRACE_SERVICE),
    ]
    listed, described = stub.ServerReflectionInfo(iter(asked), timeout=PATIENCE_S)
    assert TRACE_SERVICE in [one.name for one in listed.list_services_response.service]
    assert b"ExportTraceServiceRequest" in b"".join(
        described.file_descriptor_response.file_descriptor_proto
    )


def test_callers_nobody_knows_are_refused(sink: Sink) -> None:
    running = receivers(sink, identify=lambda metadata: metadata.get("x-token"))
    with open_channel(running) as channel:
        assert refused(channel, b"").code() is grpc.StatusCode.UNAUTHENTICATED
        assert export(channel, b"", metadata=[("x-token", "me")]).ByteSize() == 0
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status == 1
    running.stop(0)


@pytest.mark.parametrize("flag", ["--otlp-grpc-port", "--otlp-http-port"])
def test_a_taken_port_is_one_clear_error(sink: Sink, flag: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"grpc_port": 0, "http_port": 0}
        ports["grpc_port" if "grpc" in flag else "http_port"] = port
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port} is taken.*{flag}"):
            start_receivers(sink, **ports)


def test_two_servers_do_not_share_a_port(sink: Sink, running: Receivers) -> None:
    with pytest.raises(Unavailable, match="is taken"):
        start_receivers(sink, grpc_port=running.grpc_port, http_port=0)


def test_stop_answers_what_was_accepted() -> None:
    gate = Gate()
    store = Store(gate)
    sink = Sink(decode=decode, write=store.write, steps=())
    running = receivers(sink)
    with open_channel(running) as channel:
        pending = channel.unary_unary(EXPORT).future(request("a"), timeout=PATIENCE_S)
        assert gate.reached.wait(PATIENCE_S)
        stopping = threading.Thread(target=running.stop, args=(PATIENCE_S,))
        stopping.start()
        gate.open()
        assert pending.result(PATIENCE_S) == b""
        stopping.join()
        assert refused(channel, request("b")).code() is grpc.StatusCode.UNAVAILABLE
    sink.close()
    assert store.names() == ["a"]


def sdk(exporter: Any) -> TracerProvider:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def test_the_sdk_exporter_is_understood(running: Receivers, store: Store) -> None:
    provider = sdk(OTLPSpanExporter(f"127.0.0.1:{running.grpc_port}", insecure=True))
    with provider.get_tracer("t").start_as_current_span("parent"):
        for number in range(1000):
            provider.get_tracer("t").start_span(f"child {number}").end()
    provider.shutdown()
    assert sorted(store.names()) == sorted(["parent", *(f"child {i}" for i in range(1000))])


def test_what_the_sdk_sends_is_what_is_stored(store: Store) -> None:
    sink = Sink(decode=otlp_decode, write=store.write)
    running = receivers(sink)
    provider = sdk(OTLPSpanExporter(f"127.0.0.1:{running.grpc_port}", insecure=True))
    span = provider.get_tracer("t").start_span("pay", kind=SpanKind.SERVER)
    span.set_attributes({"http.request.header.authorization": "Bearer x", "retries": 2})
    span.end()
    provider.shutdown()
    running.stop(PATIENCE_S)
    sink.close()
    (row,) = store.blocks[0].batch.to_pylist()
    assert row["TraceId"] == f"{span.get_span_context().trace_id:032x}"
    assert row["SpanId"] == f"{span.get_span_context().span_id:016x}"
    assert (row["ServiceName"], row["SpanName"], row["SpanKind"]) == ("shop", "pay", "Server")
    assert dict(row["SpanAttributes"]) == {
        "http.request.header.authorization": "[redacted]",
        "retries": "2",
    }


def test_the_sdk_exporter_retries_when_the_store_is_back() -> None:
    asked: list[int] = []

    def once_full(block: Any) -> None:
        asked.append(len(block))
        if len(asked) == 1:
            raise Unavailable("no space left", retry_after_s=0.05)

    store = Store(once_full)
    sink = Sink(decode=decode, write=store.write, steps=())
    running = receivers(sink)
    provider = sdk(OTLPSpanExporter(f"127.0.0.1:{running.grpc_port}", insecure=True))
    provider.get_tracer("t").start_span("patient").end()
    provider.shutdown()
    running.stop(PATIENCE_S)
    sink.close()
    assert store.names() == ["patient"]
    assert asked == [1, 1]
