from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.ingest.arriving import Gate, Store, decode, request
from tests.ingest.packing import PACK, raw_deflate
from tests.ingest.test_grpc_server import LIMIT, Answers, receivers, sdk
from tracer.errors import BadInput, StoreFailure, TracerError, Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.receivers import Receivers
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import redact

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
PATIENCE_S = 20


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def running(store: Store) -> Iterator[Receivers]:
    sink = Sink(
        decode=decode, write=store.write, steps=(redact,), settings=SinkSettings(small_bytes=0)
    )
    running = receivers(sink)
    yield running
    running.stop(PATIENCE_S)
    sink.close()


@pytest.fixture
def client(running: Receivers) -> Iterator[httpx.Client]:
    with open_client(running) as client:
        yield client


def open_client(running: Receivers) -> httpx.Client:
    url = f"http://127.0.0.1:{running.http_port}"
    return httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)


def post(client: httpx.Client, body: bytes, kind: str = PROTOBUF, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/traces", content=body, headers={"Content-Type": kind, **named})


def as_json(body: bytes) -> bytes:
    message = ExportTraceServiceRequest.FromString(body)
    for group in message.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.trace_id = span.span_id = b""
    shape = json_format.MessageToDict(message, use_integers_for_enums=True)
    for group in shape["resourceSpans"]:
        for number, scope in enumerate(group["scopeSpans"]):
            for span in scope["spans"]:
                span["traceId"], span["spanId"] = "0" * 31 + "1", f"{number + 1:016x}"
    return json.dumps(shape).encode()


def status(response: httpx.Response) -> Status:
    """The status in the body, which has the encoding it says it has."""
    if response.headers["content-type"] == JSON:
        parsed: Status = json_format.Parse(response.content, Status())
        return parsed
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def test_full_success_is_an_empty_response(client: httpx.Client, store: Store) -> None:
    response = post(client, request("a"))
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == PROTOBUF
    assert store.names() == ["a"]


def test_json_is_answered_in_json(client: httpx.Client, store: Store) -> None:
    response = post(client, as_json(request("a", "b")), "application/json; charset=utf-8")
    assert (response.status_code, response.content) == (200, b"{}")
    assert response.headers["content-type"] == JSON
    assert store.names() == ["a", "b"]


def test_rejected_spans_are_a_partial_success() -> None:
    running = receivers(Answers(Ack(5, 12, "12 rejected: no name")))
    with open_client(running) as client:
        binary = ExportTraceServiceResponse.FromString(post(client, b"").content)
        text = post(client, b"{}", JSON).json()
    running.stop(0)
    assert binary.partial_success.rejected_spans == 12
    assert text == {
        "partialSuccess": {"rejectedSpans": "12", "errorMessage": "12 rejected: no name"}
    }


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        *PACK.items(),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_codings(client: httpx.Client, store: Store, kind: str, coding: str, pack: Any) -> None:
    body = as_json(request("a")) if kind == JSON else request("a")
    assert post(client, pack(body), kind, content_encoding=coding).status_code == 200
    assert store.names() == ["a"]


def test_empty_bodies_are_empty_requests(client: httpx.Client) -> None:
    assert post(client, b"").status_code == 200
    assert post(client, b"{}", JSON).status_code == 200


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_damaged_bodies_are_400(client: httpx.Client, kind: str, coding: str) -> None:
    response = post(client, b"\xff\xff{nothing", kind, content_encoding=coding)
    assert response.status_code == 400
    assert response.headers["content-type"] == kind
    assert status(response).code == 3
    assert status(response).message


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_wrong_requests_are_refused_in_their_encoding(client: httpx.Client, kind: str) -> None:
    wrong_method = client.get("/v1/traces", headers={"Content-Type": kind})
    wrong_path = client.post("/v1/logs", headers={"Content-Type": kind})
    wrong_coding = post(client, b"", kind, content_encoding="snappy")
    two_codings = post(client, b"", kind, content_encoding="gzip, zstd")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "POST")
    assert wrong_path.status_code == 404
    assert (wrong_coding.status_code, wrong_coding.headers["accept-encoding"]) == (
        415,
        "identity, gzip, x-gzip, deflate, zlib, zstd, lz4",
    )
    assert two_codings.status_code == 415
    assert "only one" in status(two_codings).message
    for response in (wrong_method, wrong_path, wrong_coding, two_codings):
        assert response.headers["content-type"] == kind
        assert status(response).message


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-protobuf-not"])
def test_other_media_types_are_415(client: httpx.Client, kind: str) -> None:
    response = post(client, b"", kind)
    assert response.status_code == 415
    assert "application/x-protobuf" in status(response).message


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_too_large_on_the_wire_is_413(client: httpx.Client, kind: str) -> None:
    response = post(client, bytes(LIMIT + 1), kind)
    assert response.status_code == 413
    assert "max_request_bytes" in status(response).message
    assert post(client, b"" if kind == PROTOBUF else b"{}", kind).status_code == 200


@pytest.mark.parametrize("coding", PACK)
def test_too_large_after_decompression_is_413(client: httpx.Client, coding: str) -> None:
    bomb = PACK[coding](bytes(64 * LIMIT))
    assert len(bomb) < LIMIT
    assert post(client, bomb, content_encoding=coding).status_code == 413


@pytest.mark.parametrize("coding", PACK)
def test_a_cut_body_is_400(client: httpx.Client, coding: str) -> None:
    response = post(client, PACK[coding](request("a"))[:-3], content_encoding=coding)
    assert response.status_code == 400
    assert "ends early" in status(response).message


def test_chunked_bodies_have_the_same_limit(client: httpx.Client) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield bytes(LIMIT // 4)

    headers = {"Content-Type": PROTOBUF}
    assert client.post("/v1/traces", content=chunks(5), headers=headers).status_code == 413
    assert client.post("/v1/traces", content=chunks(3), headers=headers).status_code == 400


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("no"), 400),
        (StoreFailure("no"), 500),
        (Unavailable("no", retry_after_s=2.5), 503),
    ],
)
def test_errors_have_the_code_of_the_table(error: TracerError, code: int, later: bool) -> None:
    running = receivers(Answers(error, later))
    with open_client(running) as client:
        response = post(client, b"")
    running.stop(0)
    assert (response.status_code, status(response).message) == (code, "no")
    assert response.headers.get("retry-after") == ("3" if code == 503 else None)


def test_callers_nobody_knows_are_refused() -> None:
    running = receivers(
        Answers(Ack(0, 0, "")), identify=lambda headers: headers.get("authorization")
    )
    with open_client(running) as client:
        assert post(client, b"").status_code == 401
        assert post(client, b"", authorization="Bearer me").status_code == 200
    running.stop(0)


def test_a_client_that_leaves_is_no_trouble(running: Receivers, client: httpx.Client) -> None:
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\n"
    for _ in range(8):  # more than may be held at once
        with socket.create_connection(("127.0.0.1", running.http_port)) as left:
            left.sendall(f"{head}Content-Length: {LIMIT}\r\n\r\n".encode() + bytes(LIMIT - 1))
    codes = (post(client, bytes(LIMIT)).status_code for _ in range(1000))
    assert next(code for code in codes if code != 503) == 400  # 503: not all are gone yet


def test_stop_answers_what_was_accepted() -> None:
    gate = Gate()
    store = Store(gate)
    sink = Sink(decode=decode, write=store.write, steps=())
    running = receivers(sink)
    answers: list[int] = []
    with open_client(running) as client:
        asking = threading.Thread(
            target=lambda: answers.append(post(client, request("a")).status_code)
        )
        asking.start()
        assert gate.reached.wait(PATIENCE_S)
        stopping = threading.Thread(target=running.stop, args=(PATIENCE_S,))
        stopping.start()
        gate.open()
        asking.join()
        stopping.join()
        with pytest.raises(httpx.ConnectError):
            post(client, request("b"))
    sink.close()
    assert (answers, store.names()) == ([200], ["a"])


@pytest.mark.parametrize("compression", list(Compression))
def test_the_sdk_exporter_is_understood(
    running: Receivers, store: Store, compression: Compression
) -> None:
    url = f"http://127.0.0.1:{running.http_port}/v1/traces"
    provider = sdk(OTLPSpanExporter(url, compression=compression))
    for number in range(700):
        provider.get_tracer("t").start_span(f"span {number}").end()
    provider.shutdown()
    assert sorted(store.names()) == sorted(f"span {i}" for i in range(700))
